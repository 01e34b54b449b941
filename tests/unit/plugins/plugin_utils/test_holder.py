# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only a process of this machine that is gone is known to be dead."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.plugin_utils.holder import ended_here


def raw(pid: int, **changes: Any) -> dict[str, Any]:
    identity = processes.identify(Host(), pid).as_dict()
    holder = {"run_id": "run-1", "controller": "lab", "since": "2026-11-20T10:00:00Z", "host_boot": "another machine"}
    return {**holder, **identity, **changes}


def test_a_living_process_is_not_dead() -> None:
    assert not ended_here(raw(os.getpid()))


def test_one_that_was_and_is_no_more_is() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        holder = raw(child.pid)
        assert not ended_here(holder)
        child.kill()
        child.wait()
        assert ended_here(holder)


def test_a_later_process_of_its_pid_is_not_it() -> None:
    holder = raw(os.getpid())
    assert ended_here({**holder, "start": holder["start"] - 1})


def test_nothing_is_known_of_another_machine_s() -> None:
    assert not ended_here(raw(os.getpid(), boot="another boot", start=1))


def test_nobody_is_not_dead() -> None:
    assert not ended_here(None)
    assert not ended_here({})
