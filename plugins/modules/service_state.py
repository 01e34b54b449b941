#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: services started or stopped until the host is restored."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_state
short_description: Start or stop services until the host is restored
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Starts or stops units of systemd, and notes in the host's journal what they were, so that restoring the host stops
    or starts them again. Whether they start at boot is left alone.
  - When one of them fails, all are put back.
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - systemd on the host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  services:
    description: The services, changed in this order and put back in the opposite one.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The unit, such as V(irqbalance) or V(libvirtd.socket).
          - A socket counts as started also where the service that it starts runs by itself.
        type: str
        required: true
      state:
        description: What it shall be. A service that does not exist is stopped.
        type: str
        choices: [started, stopped]
        required: true
"""

EXAMPLES = r"""
- name: Have interrupts stay where they are
  virtperf.vhost.service_state:
    services:
      - {name: irqbalance, state: stopped}
  become: true
"""

RETURN = r"""
services:
  description: One entry for each of O(services), in that order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The unit.
      returned: success
      type: str
      sample: irqbalance.service
    was:
      description: What it was before, V(started) or V(stopped).
      returned: success
      type: str
      sample: started
    state:
      description: What it is now; in check mode what it would be.
      returned: success
      type: str
      sample: stopped
    changed:
      description: Whether it was started or stopped.
      returned: success
      type: bool
      sample: true
actions:
  description: What was changed, in plain words and in the order it was done; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample: [stop irqbalance.service]
unit:
  description: The unit that the failure is about.
  returned: when it is about one
  type: str
  sample: irqbalance.service
file:
  description: The file that could not be used.
  returned: when a file could not be used
  type: str
  sample: /var/lib/virtperf/journal.jsonl
errno:
  description: The number of the operating system's error.
  returned: when a file could not be used
  type: int
  sample: 28
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
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.service_state import STARTED, STOPPED, ensure

SERVICE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": [STARTED, STOPPED], "required": True},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    return ensure(host, given["services"], run_id=given["run_id"], check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
