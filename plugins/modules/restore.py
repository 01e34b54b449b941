#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave a host as the run found it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Leave a host as the run found it
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Replays the host's journal backwards, which holds what was there before each change, then frees the host's lock.
  - Works after a failed, interrupted or killed run, any number of times.
  - What cannot be undone now stays in the journal and makes the task fail after all else has been undone.
  - A host that another living run holds is left alone. Without O(run_id) that is a failure, with it (a run that
    tidies up after itself) a result.
options:
  force:
    description: Restore even though a living run holds the host. For a run that is known to be dead.
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
- name: Undo whatever a run left behind
  virtperf.vhost.restore:
"""

RETURN = r"""
actions:
  description: What was undone (in check mode, the journal's entries that would be), in plain words.
  returned: success
  type: list
  elements: str
  sample: ["stopped testpmd vswitch (quit)", "hugepages of 2048 kB on node 0: 64 -> 0"]
held_by:
  description: The living run because of which nothing was touched.
  returned: success
  type: str
  sample: ""
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import (
    CONTROLLER_ARGUMENTS,
    Holder,
    RunLock,
    asking,
    held_error,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Replay the journal unless the host is somebody else's."""
    run_id, force = module.params["run_id"], module.params["force"]
    lock = RunLock(host)
    holder = lock.holder()
    if holder is not None and not _is_mine(lock, holder, module.params) and not force and lock.is_alive(holder):
        if run_id:
            return {"changed": False, "actions": [], "held_by": str(holder)}
        raise held_error(holder, lock.silence_s())
    pending = restore.pending(host)
    # To forget an entry whose change is gone already is a change too.
    changed = bool(pending) or holder is not None
    if module.check_mode:
        return {"changed": changed, "actions": pending, "held_by": ""}
    outcome = restore.replay(host)
    if outcome.failures:
        raise VirtperfError(
            "not all could be undone",
            found="; ".join(outcome.failures),
            way_out="mend what is named, then run the restore stage again",
            actions=outcome.actions,
        )
    if holder is not None:
        lock.release(holder)
        outcome.actions.append(f"freed the lock of run {holder.run_id}")
    return {"changed": changed, "actions": outcome.actions, "held_by": ""}


def _is_mine(lock: RunLock, holder: Holder, params: dict[str, Any]) -> bool:
    """Whether the holder is who asks. A run_id alone is no identity: two can be given the same one."""
    if params["controller"] is None:
        return holder.run_id == params["run_id"]
    return lock.is_same(holder, asking(params))


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={"force": {"type": "bool", "default": False}, **CONTROLLER_ARGUMENTS, **RUN_ARGUMENTS},
        supports_check_mode=True,
    )
    run_module(module, work, respects_lock=False)


if __name__ == "__main__":
    main()
