#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: settings of the kernel in /proc/sys and /sys."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_setting
short_description: Change settings of the running kernel
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Writes files below C(/proc/sys) and C(/sys), such as sysctls, the CPUs' frequency governor or a disk's scheduler.
  - Every value is read back. A kernel that refuses one, or makes something else of it without an error, makes the task
    fail, and everything is put back as it was.
  - Every change is noted in the host's journal before it is made.
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
    details:
      - Whether the kernel takes a value is known only when it is asked. Check mode refuses what is not there, what is
        read-only, and words that a file does not list.
      - Check mode works without root, as far as the files may be read.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  settings:
    description:
      - The settings, written in this order and put back in the opposite one.
      - Each needs one of O(settings[].path) and O(settings[].name).
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - A file below C(/proc/sys) or C(/sys), which may have wildcards. All files that match are set, each of them
            once where several names lead to it.
        type: str
      name:
        description: The name of a sysctl, as C(sysctl -a) has it.
        type: str
      value:
        description:
          - What it shall say. C(true) and C(false) are written as V(1) and V(0); a word such as V('on') needs quotes in
            YAML.
          - Values are compared by what they mean, V(Y) and V(1) are the same, as are V(16) and V(0x10). Of a file that
            lists words and marks one, such as V([performance] powersave), that one counts.
        type: raw
        required: true
      required:
        description:
          - With V(false), a setting that this kernel does not have is left out, and is told in RV(skipped).
          - One that is there and cannot be had makes the task fail all the same.
        type: bool
        default: true
notes:
  - The change lasts until the next boot, or until the host is restored.
seealso:
  - module: virtperf.vhost.kernel_module
    description: Sets parameters of modules, also those that are taken at load time only.
"""

EXAMPLES = r"""
- name: Have the CPUs run at full speed, and sockets poll
  virtperf.vhost.kernel_setting:
    settings:
      - path: /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor
        value: performance
        required: false
      - name: net.core.busy_poll
        value: 50
  become: true
"""

RETURN = r"""
settings:
  description: One entry for each file, in the order asked for.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
      returned: success
      type: str
      sample: /proc/sys/net/core/busy_poll
    requested:
      description: The value asked for.
      returned: success
      type: str
      sample: "50"
    was:
      description: The value before.
      returned: success
      type: str
      sample: "0"
    effective:
      description: The value now, read back; in check mode the value expected.
      returned: success
      type: str
      sample: "50"
    changed:
      description: Whether it was changed.
      returned: success
      type: bool
      sample: true
skipped:
  description: The settings with O(settings[].required=false) that this kernel does not have.
  returned: success
  type: list
  elements: str
  sample: [/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor]
actions:
  description: What was changed, in plain words and in the order it was done; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample: ["/proc/sys/net/core/busy_poll: from 0 to 50"]
setting:
  description: The setting that the failure is about.
  returned: when it is about one
  type: str
  sample: /proc/sys/net/core/busy_poll
choices:
  description: The words that the kernel knows for it.
  returned: when another one is asked for
  type: list
  elements: str
  sample: [performance, powersave]
file:
  description: The file that could not be used.
  returned: when a file could not be used
  type: str
  sample: /proc/sys/net/core/busy_poll
errno:
  description: The number of the operating system's error.
  returned: when a file could not be used, or the kernel refuses a value
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
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_setting import NAMES, ensure
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module

SETTING: dict[str, dict[str, Any]] = {
    "path": {"type": "str"},
    "name": {"type": "str"},
    "value": {"type": "raw", "required": True},
    "required": {"type": "bool", "default": True},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "settings": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": SETTING,
        "required_one_of": [NAMES],
        "mutually_exclusive": [NAMES],
    },
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    return ensure(host, given["settings"], run_id=given["run_id"], check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
