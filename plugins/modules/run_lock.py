#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a host for one run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Hold a host for one run
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - One run at a time measures on a host. This takes the host's lock for a run, or gives it back.
  - A lock that another run holds makes it fail with the name of that run, and leaves that run alone.
  - When the run that holds the lock is dead, what it left behind is restored first.
  - With the lock comes a guard, a process on the host that restores it when the controller is gone (Ctrl-C, a killed
    controller, a host that was cut off for 15 minutes).
  - Which process holds the lock is found by an action plugin of the same name.
options:
  state:
    description: V(present) takes the lock, V(absent) gives it back and leaves another run's lock alone.
    type: str
    choices: [present, absent]
    default: present
  take_over:
    description: The holder is known to be dead. Set by the action plugin when it has seen so.
    type: bool
    default: false
  controller:
    description: The controller's process. Filled in by the action plugin.
    type: dict
    suboptions:
      name:
        description: Name of the controller's machine.
        type: str
        required: true
      pid:
        description: Process id of C(ansible-playbook).
        type: int
        required: true
      start:
        description: Its start time, in clock ticks since boot.
        type: int
        required: true
      boot:
        description: The boot id of the controller's machine.
        type: str
        required: true
      host:
        description: What the run calls the host. A machine under two names in one inventory is still held once.
        type: str
        default: ""
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Hold the host
  virtperf.vhost.run_lock:
    run_id: 20261120T100000Z-1a2b

- name: Give it back
  virtperf.vhost.run_lock:
    run_id: 20261120T100000Z-1a2b
    state: absent
"""

RETURN = r"""
holder:
  description: Who held the lock before, if anybody did.
  returned: success
  type: dict
  sample: {run_id: 20261119T180000Z-77aa, controller: lab, pid: 4242}
restored:
  description: What a dead run had left behind, and was undone.
  returned: success
  type: list
  elements: str
  sample: ["stopped testpmd vswitch (quit)"]
"""

import dataclasses
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils import guard, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import (
    CONTROLLER_ARGUMENTS,
    RunLock,
    asking,
    held_error,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Take or release."""
    for name in ("run_id", "controller"):
        if not module.params[name]:
            raise VirtperfError(
                f"a host cannot be held without {name}",
                way_out="give the run's run_id; the action plugin run_lock fills in the controller",
            )
    asker = asking(module.params)
    lock = RunLock(host)
    before = lock.holder()
    mine = before is not None and lock.is_same(before, asker)
    restored: list[str] = []
    if module.params["state"] == "absent":
        changed = mine
        if mine and not module.check_mode:
            lock.release(asker)
    else:
        changed = not mine
        if before is not None and not mine and not module.params["take_over"] and lock.is_alive(before):
            raise held_error(before, lock.silence_s())
        # Without a lock, what is in the journal is what the prepare stage gave the host.
        if changed and before is not None:
            restored = _clean_up(module, host)
        if changed and not module.check_mode:
            if before is not None:
                lock.release(before)
            lock.take(asker)
            guard.spawn(host, asker)
    return {
        "changed": changed,
        "holder": dataclasses.asdict(before) if before else None,
        "restored": restored,
    }


def _clean_up(module: AnsibleModule, host: Host) -> list[str]:
    """Undo what a dead run left."""
    if module.check_mode:
        return restore.pending(host)
    outcome = restore.replay(host)
    if outcome.failures:
        raise VirtperfError(
            "an earlier run left things behind that cannot be undone",
            found="; ".join(outcome.failures),
            way_out="mend what is named, then run the restore stage",
        )
    return outcome.actions


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "take_over": {"type": "bool", "default": False},
            **CONTROLLER_ARGUMENTS,
            **RUN_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_module(module, work, respects_lock=False)


if __name__ == "__main__":
    main()
