# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action restore: the module is told who asks, and of a holder that has ended on this machine."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.action import restore
from ansible_collections.virtperf.vhost.plugins.action.restore import ActionModule
from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.plugin_utils.holder import controller

RESTORED = {"changed": True, "actions": ["freed the lock of run r1"], "held_by": ""}


class FakeAction(ActionModule):
    """Ansible's side of the action: what the module answers to each call."""

    def __init__(self, *results: dict[str, Any], **arguments: Any) -> None:
        self._task = SimpleNamespace(args=arguments, check_mode=False, async_val=0)
        self.results = list(results)
        self.calls: list[dict[str, Any]] = []

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        return self.results.pop(0)


@pytest.fixture(autouse=True)
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore.ActionBase, "run", lambda *_arguments: {})


@pytest.fixture
def ended() -> dict[str, Any]:
    """The module's refusal because of a run whose controller was a process of this machine."""
    with subprocess.Popen(["sleep", "60"]) as child:
        refusal = held_by(child.pid)
        child.kill()
    return refusal


def held_by(pid: int) -> dict[str, Any]:
    identity = processes.identify(Host(), pid).as_dict()
    holder = {"run_id": "r1", "controller": "lab", "since": "2026-11-20T10:00:00Z", "host_boot": "host", **identity}
    return {"failed": True, "msg": "another run holds this host", "holder": holder}


def test_a_restored_host_is_restored_once() -> None:
    action = FakeAction(RESTORED)
    assert action.run(None, {"some": "variable"}) == RESTORED
    assert action.calls == [{"module_args": {"controller": controller()}, "task_vars": {"some": "variable"}}]


def test_a_run_that_lives_keeps_its_host() -> None:
    refusal = held_by(os.getpid())
    action = FakeAction(refusal)
    assert action.run() == refusal
    assert len(action.calls) == 1


def test_a_run_that_has_ended_here_is_tidied_up_by_force(ended: dict[str, Any]) -> None:
    action = FakeAction(ended, RESTORED, force=False)
    assert action.run(None, {"some": "variable"}) == RESTORED
    arguments = {"controller": controller(), "force": True}
    assert action.calls[1] == {"module_args": arguments, "task_vars": {"some": "variable"}}


def test_of_a_run_on_another_machine_nothing_is_known(ended: dict[str, Any]) -> None:
    ended["holder"]["boot"] = "another"
    assert FakeAction(ended).run() == ended


def test_what_could_not_be_undone_is_not_tried_again() -> None:
    failure = {"failed": True, "msg": "not all could be undone", "actions": ["undid a"]}
    action = FakeAction(failure)
    assert action.run() == failure
    assert len(action.calls) == 1


def test_it_works_in_check_mode() -> None:
    assert ActionModule._supports_check_mode
