# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study throttle in the background; what it shares with reflect_run is tested there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.action.throttle_run import ActionModule
from ansible_collections.virtperf.vhost.plugins.plugin_utils import background
from ansible_collections.virtperf.vhost.plugins.plugin_utils.background import FollowedAction

ARGUMENTS = {
    "phases": [{"name": "baseline", "seconds": 10}, {"name": "throttled", "seconds": "20.5"}],
    "trials": "3",
    "warmup_seconds": 2,
}


class FakeAction(ActionModule):
    """Ansible's side of the action; the module has ended by the first look."""

    def __init__(self, **arguments: Any) -> None:
        self._task = SimpleNamespace(args={**ARGUMENTS, **arguments}, check_mode=False, async_val=0)
        self.async_vals: list[int] = []

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.async_vals.append(self._task.async_val)
        if call.get("wrap_async"):
            return {"ansible_job_id": "j1.2", "results_file": "/run/virtperf/async/j1.2"}
        return {"changed": True, "records": "/var/lib/virtperf/runs/r/throttle.jsonl", "ansible_job_id": "j1.2"}

    def _low_level_execute_command(self, cmd: str, **_more: Any) -> dict[str, Any]:
        parts = ("alive", '{"pid": 1, "cell": 2, "cells": 9}', '{"changed": true}')
        return {"stdout": f"\n{background._SEPARATOR}\n".join(parts)}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background.ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(background.time, "sleep", lambda _seconds: None)


def test_it_is_followed_like_the_other_study() -> None:
    assert issubclass(ActionModule, FollowedAction)
    action = FakeAction()
    result = action.run(None, {"inventory_hostname": "hv", "ansible_play_hosts": ["hv"]})
    assert result == {"changed": True, "records": "/var/lib/virtperf/runs/r/throttle.jsonl"}
    # in the background, and no shorter than its timelines
    assert action.async_vals[0] > 3 * (2 + 10 + 20.5)
    assert action.async_vals[1:] == [action.async_vals[0]] * 2


def test_what_is_not_given_is_what_the_module_takes_for_it() -> None:
    action = FakeAction()
    del action._task.args["trials"], action._task.args["warmup_seconds"]
    assert action.expected_s() == FakeAction().expected_s()
