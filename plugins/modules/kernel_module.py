#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: modules of the kernel, loaded with parameters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_module
short_description: Load modules of the kernel with parameters
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Has modules of the kernel loaded, with parameters as asked for. A module that is built in counts as loaded.
  - A parameter that can be written while the module is loaded is written. For any other the module is unloaded and
    loaded anew, together with the modules that need it, which keep the parameters that they had.
  - Nothing is touched before the whole request has been checked. A module that somebody uses is not unloaded, and the
    failure names who that is.
  - What was changed is read back, and noted in the host's journal before. When one change fails, all are put back.
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - kmod (modprobe, modinfo, rmmod), where the kernel has modules
attributes:
  check_mode:
    support: full
    details:
      - Check mode works without root, but cannot say then which processes use a module.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  modules:
    description:
      - The modules, in any order. One that another one of them needs is loaded before it.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The module's name, such as V(vhost_net).
        type: str
        required: true
      parameters:
        description:
          - Parameters and their values. Those that are not named are left as they are.
          - Values are compared by what they mean, V(Y), V(1) and V(true) are the same, as are V(16) and V(0x10).
        type: dict
        default: {}
notes:
  - Restoring the host unloads what was loaded, and gives parameters that were changed their former values. A module
    that is in use then is a failure which names who uses it.
  - The change lasts until the next boot.
seealso:
  - module: virtperf.vhost.kernel_setting
  - module: virtperf.vhost.vhost_info
    description: Tells which vhost modules a host has, and how its workers are made.
"""

EXAMPLES = r"""
- name: Have vhost workers that are kernel threads, on kernels that can have both
  virtperf.vhost.kernel_module:
    modules:
      - name: vhost
        parameters: {fork_from_owner_default: false}
      - name: vhost_net
  become: true

- name: Poll for guests a little longer
  virtperf.vhost.kernel_module:
    modules:
      - name: kvm
        parameters: {halt_poll_ns: 400000}
  become: true
"""

RETURN = r"""
modules:
  description: One entry for each of O(modules), in that order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name as the kernel has it.
      returned: success
      type: str
      sample: vhost
    loaded:
      description: Whether the kernel has it now; in check mode whether it would.
      returned: success
      type: bool
      sample: true
    built_in:
      description: Whether it is built into the kernel.
      returned: success
      type: bool
      sample: false
    changed:
      description: Whether it was loaded, or got another parameter.
      returned: success
      type: bool
      sample: true
    parameters:
      description:
        - All parameters that it shows, read back.
        - In check mode those expected, of a module that is not loaded yet only those asked for.
      returned: success
      type: dict
      sample: {fork_from_owner_default: "N", max_iotlb_entries: "2048", max_mem_regions: "64"}
actions:
  description: What was changed, in plain words and in the order it was done; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample:
    - "reload vhost, vhost_net, vhost_vsock: vhost fork_from_owner_default from Y to 0"
module:
  description: The module that the failure is about.
  returned: when it is about one
  type: str
  sample: vhost_net
parameters:
  description: The parameters that it has.
  returned: when one is asked for that it lacks
  type: list
  elements: str
  sample: [fork_from_owner_default, max_iotlb_entries, max_mem_regions]
users:
  description: The processes that use it.
  returned: when it would have to be unloaded and cannot be
  type: list
  elements: str
  sample: ["qemu-system-x86 (pid 4711) has /dev/vhost-net open"]
file:
  description: The file that could not be used.
  returned: when a file could not be used
  type: str
  sample: /sys/module/vhost/parameters/max_mem_regions
errno:
  description: The number of the operating system's error.
  returned: when a file could not be used
  type: int
  sample: 22
left_changed:
  description: What could not be put back after a failure; the journal still has it.
  returned: when something had been changed before the failure
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.manager import ensure
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module

MODULE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "parameters": {"type": "dict", "default": {}},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "modules": {"type": "list", "elements": "dict", "required": True, "options": MODULE},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    return ensure(host, given["modules"], run_id=given["run_id"], check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
