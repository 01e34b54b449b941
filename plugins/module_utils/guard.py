# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that stays on the host for the length of a run and restores it when the controller is gone.

Ctrl-C, a killed controller and a cut connection all end a playbook without its ``always`` part.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone

from ansible_collections.virtperf.vhost.plugins.module_utils import processes, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import Holder, RunLock

_LOOK_EVERY_S = 1.0


def watch(host: Host, holder: Holder, look_every_s: float = _LOOK_EVERY_S) -> str:
    """Return when the run gave the lock back, or after restoring the host because its controller was gone."""
    lock = RunLock(host)
    while True:
        now = lock.holder()
        if now is None or not lock.is_same(now, holder):
            return "released"
        if not lock.is_alive(holder):
            outcome = restore.replay(host)
            _report(host, holder, outcome)
            if not outcome.failures:
                lock.release(holder)
            return "restored"
        time.sleep(look_every_s)


def spawn(host: Host, holder: Holder) -> None:
    """Leave a guard behind: a grandchild in a session of its own, holding on to nothing of ours."""
    if os.fork():
        os.wait()
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.closerange(3, 256)
        processes.name_myself("virtperf-guard")
        watch(host, holder)
    finally:
        os._exit(0)


def _report(host: Host, holder: Holder, outcome: restore.Outcome) -> None:
    with open(os.path.join(host.state, "guard.log"), "a", encoding="utf-8") as log:
        at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        log.write(f"{at} the controller of {holder} is gone\n")
        for line in [*outcome.actions, *(f"FAILED: {failure}" for failure in outcome.failures)]:
            log.write(f"{at}   {line}\n")
