# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action run_lock: the module is told which process asks, and of a holder that has ended on this machine."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.action import run_lock
from ansible_collections.virtperf.vhost.plugins.action.run_lock import ActionModule, controller
from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

TAKEN = {"changed": True, "holder": None, "restored": []}


class FakeAction(ActionModule):
    """Ansible's side of the action: what the module answers to each call."""

    def __init__(self, *results: dict[str, Any], **arguments: Any) -> None:
        self._task = SimpleNamespace(args={"run_id": "r2", **arguments}, check_mode=False, async_val=0)
        self.results = list(results)
        self.calls: list[dict[str, Any]] = []

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.calls.append({**call, "module_args": dict(call["module_args"])})
        return self.results.pop(0)


@pytest.fixture(autouse=True)
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock.ActionBase, "run", lambda *_arguments: {})


def held_by(**identity: Any) -> dict[str, Any]:
    """The module's refusal; by default this process is the holder."""
    me = processes.identify(Host(), os.getpid()).as_dict()
    holder = {"run_id": "r1", "controller": "lab", "since": "2026-11-20T10:00:00Z", "host_boot": "host", **me}
    return {"failed": True, "msg": "another run holds this host", "holder": {**holder, **identity}}


@pytest.fixture
def ended() -> dict[str, Any]:
    """Who was a process of this machine."""
    with subprocess.Popen(["sleep", "60"]) as child:
        identity = processes.identify(Host(), child.pid).as_dict()
        child.kill()
    return identity


def test_the_module_is_told_who_asks() -> None:
    action = FakeAction(TAKEN, state="present")
    assert action.run(None, {"some": "variable"}) == TAKEN
    (call,) = action.calls
    assert call["module_args"] == {"run_id": "r2", "state": "present", "controller": controller()}
    assert call["task_vars"] == {"some": "variable"}
    assert action._task.args == {"run_id": "r2", "state": "present"}


def test_who_asks_is_the_playbook_and_not_its_worker() -> None:
    assert controller() == {"name": os.uname().nodename, **processes.identify(Host(), os.getpid()).as_dict()}
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    worker = fork.Process(target=_ask, args=(controller, answers))
    worker.start()
    assert answers.get(timeout=10)["pid"] == os.getpid()
    worker.join()


def _ask(question: Callable[[], dict[str, Any]], answers: Any) -> None:
    answers.put(question())


def test_a_holder_that_lives_is_not_asked_again() -> None:
    refusal = held_by()
    action = FakeAction(refusal)
    assert action.run() == refusal
    assert "take_over" not in action.calls[0]["module_args"]


def test_a_holder_that_has_ended_here_is_taken_over(ended: dict[str, Any]) -> None:
    action = FakeAction(held_by(**ended), TAKEN)
    assert action.run() == TAKEN
    first, second = (call["module_args"] for call in action.calls)
    assert second == {**first, "take_over": True}


def test_of_a_holder_on_another_machine_nothing_is_known(ended: dict[str, Any]) -> None:
    refusal = held_by(**{**ended, "boot": "another"})
    assert FakeAction(refusal).run() == refusal


@pytest.mark.parametrize("result", [{"failed": True, "msg": "needs root"}, {"unreachable": True}])
def test_other_failures_are_passed_on(result: dict[str, Any]) -> None:
    assert FakeAction(result).run() == result


def test_a_holder_in_a_success_is_only_told(ended: dict[str, Any]) -> None:
    taken = {**TAKEN, "holder": held_by(**ended)["holder"]}
    assert FakeAction(taken).run() == taken


def test_it_works_in_check_mode() -> None:
    assert ActionModule._supports_check_mode
