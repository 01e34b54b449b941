# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module runs in the background; a line of progress is shown until its result is there."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.virtperf.vhost.plugins.action.reflect_run import ActionModule
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.plugin_utils import background

# What async_wrapper writes at its start; a module's end replaces it by the bare result of the module.
STARTED = {"started": True, "finished": False, "ansible_job_id": "j12.34"}
ENDED = {"changed": True, "records": "/var/lib/virtperf/runs/r/reflect.jsonl", "trials": 6}


def status(**changes: Any) -> dict[str, Any]:
    return {
        "doing": "measuring",
        "pid": os.getpid(),
        "cell": 1,
        "cells": 2,
        "trial": 1,
        "trials": 3,
        "what": "queues 1",
        "last": "",
        "left_s": 60.0,
        **changes,
    }


@dataclass
class Screen:
    """What a person sees, and the clock on the wall; time passes only when somebody sleeps."""

    lines: list[str] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    now: float = 0.0

    def display(self, line: str) -> None:
        self.lines.append(line)
        self.at_s.append(self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeAction(ActionModule):
    """Ansible's side of the action. Commands run on this machine; ``story`` is what the module does between them."""

    def __init__(self, host: Host, *, check_mode: bool = False) -> None:
        arguments = {
            "launches": [{"cells": [{"trials": 3}, {"trials": 3}]}],
            "trial_seconds": "2",
            "warmup_seconds": 1,
        }
        self._task = SimpleNamespace(args=arguments, check_mode=check_mode, async_val=0)
        self.host = host
        self.results_file = Path(host.run, "j12.34")
        self.calls: list[dict[str, Any]] = []
        self.story: list[tuple[Any, Any]] = []
        self.final: dict[str, Any] = dict(ENDED)
        self.job: dict[str, Any] = {**STARTED, "results_file": str(self.results_file)}

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.calls.append({**call, "async_val": self._task.async_val})
        if "module_name" not in call:
            self.results_file.write_text(json.dumps(STARTED))
            return self.job if call.get("wrap_async") else {"changed": True, "records": "checked"}
        if call["module_args"]["mode"] == "cleanup":
            return {"erased": str(self.results_file)}
        return {**self.final, "ansible_job_id": "j12.34", "finished": True, "started": True, "stdout": ""}

    def _low_level_execute_command(self, cmd: str, **_more: Any) -> dict[str, Any]:
        if self.calls and self.story:
            now, result = self.story.pop(0) if len(self.story) > 1 else self.story[0]
            for path, value in ((Path(self.host.run, "status.json"), now), (self.results_file, result)):
                if value is not None:
                    path.write_text(value if isinstance(value, str) else json.dumps(value))
        done = subprocess.run(["/bin/sh", "-c", cmd], capture_output=True, text=True, check=False)
        return {"stdout": done.stdout, "rc": done.returncode}

    def play(self, *story: tuple[Any, Any], hosts: tuple[str, ...] = ("lab1",)) -> dict[str, Any]:
        """Run it over these steps of (status file, result file), the last one for ever; None leaves a file alone."""
        self.story = list(story)
        return self.run(None, {"inventory_hostname": "lab1", "ansible_play_hosts": list(hosts)})


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(background, "time", SimpleNamespace(monotonic=lambda: screen.now, sleep=screen.sleep))
    monkeypatch.setattr(background.ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(background, "Display", lambda: screen)
    return screen


@pytest.fixture
def action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: Screen) -> FakeAction:
    host = Host(run=str(tmp_path))
    monkeypatch.setattr(background, "Host", lambda: host)
    return FakeAction(host)


@pytest.fixture
def dead_pid() -> int:
    with subprocess.Popen(["true"]) as child:
        return child.pid


class TestResult:
    def test_the_end_is_seen_by_the_result_alone(self, action: FakeAction) -> None:
        assert action.play((status(), None), (status(), None), (status(), ENDED)) == ENDED

    def test_it_is_the_module_s_own_and_its_file_goes(self, action: FakeAction) -> None:
        action.final = {**ENDED, "trials": 5, "results_file": "there"}
        assert action.play((status(), ENDED)) == {**ENDED, "trials": 5}
        modes = [call["module_args"]["mode"] for call in action.calls[1:]]
        assert modes == ["status", "cleanup"]
        assert action.calls[1]["module_args"]["_async_dir"] == action.host.run

    def test_a_failure_is_passed_on(self, action: FakeAction) -> None:
        action.final = {"failed": True, "msg": "no hugepages", "way_out": "more"}
        assert action.play((status(), {"failed": True})) == action.final

    def test_a_success_without_records_is_none(self, action: FakeAction) -> None:
        action.final = {"changed": True}
        with pytest.raises(AnsibleActionFail, match="ended without a result"):
            action.play((status(), {"changed": True}))

    def test_a_module_that_cannot_be_started(self, action: FakeAction) -> None:
        action.job = {"failed": True, "msg": "no python"}
        assert action.play((None, None)) == action.job

    def test_check_mode_needs_no_background(self, action: FakeAction) -> None:
        action._task.check_mode = True
        assert action.play((None, None)) == {"changed": True, "records": "checked"}
        assert not action.calls[0].get("wrap_async")

    def test_it_runs_in_the_background_as_long_as_it_may_need(self, action: FakeAction) -> None:
        action.play((status(), ENDED))
        assert action.calls[0]["wrap_async"]
        assert action.calls[0]["async_val"] >= 6 * (2 + 1)
        assert action._task.async_val == 0


class TestProgress:
    def test_a_line_at_least_every_five_seconds(self, action: FakeAction, screen: Screen) -> None:
        action.play(*[(status(trial=1 + step // 9), None) for step in range(40)], (status(), ENDED))
        gaps = [later - earlier for earlier, later in zip(screen.at_s, screen.at_s[1:], strict=False)]
        assert max(gaps) <= 5
        assert screen.at_s[0] <= 5

    def test_it_says_what_the_module_says(self, action: FakeAction, screen: Screen) -> None:
        action.play((status(), None), (status(cell=2), ENDED))
        assert screen.lines[0].startswith("cell 1 of 2, trial 1 of 3 (queues 1)")

    def test_the_time_left_runs_down_between_two_words_of_the_module(self, action: FakeAction, screen: Screen) -> None:
        action.play((status(), None), (status(), None), (status(), None), (status(), ENDED))
        assert [line.rpartition(", ")[2] for line in screen.lines] == ["1 min 00 s left", "56 s left", "52 s left"]

    def test_with_several_hosts_it_says_which(self, action: FakeAction, screen: Screen) -> None:
        action.play((status(), None), (status(), ENDED), hosts=("lab1", "lab2"))
        assert screen.lines[0].startswith("lab1: cell 1 of 2")

    @pytest.mark.parametrize("torn", ["", "{", '{"cell": 1', "[]", "7", "{}"])
    def test_a_status_that_cannot_be_read_costs_a_line_at_most(
        self, action: FakeAction, screen: Screen, torn: str
    ) -> None:
        assert action.play((torn, None), (torn, "{"), (torn, ENDED)) == ENDED
        assert screen.lines == []

    def test_a_status_of_another_version_does_not_end_the_measurement(self, action: FakeAction) -> None:
        assert action.play(({"doing": "measuring", "pid": os.getpid()}, None), (status(), ENDED)) == ENDED

    def test_the_end_is_noticed_soon(self, action: FakeAction, screen: Screen) -> None:
        action.play((status(left_s=0.3), None), (None, ENDED))
        assert screen.now <= 1.5


class TestTrouble:
    def test_one_that_was_killed_is_not_waited_for(self, action: FakeAction, dead_pid: int) -> None:
        with pytest.raises(AnsibleActionFail, match=r"reflect_run was ended on lab1.*cell 1 of 2.*same run_id"):
            action.play((status(pid=dead_pid), None))

    def test_one_that_ended_well_just_now_was_not_killed(self, action: FakeAction, dead_pid: int) -> None:
        assert action.play((status(), None), (status(pid=dead_pid), None), (None, ENDED)) == ENDED

    def test_what_an_earlier_call_left_says_nothing_about_this_one(self, action: FakeAction, dead_pid: int) -> None:
        # A slow host has not written a status of its own yet when it is looked at.
        Path(action.host.run, "status.json").write_text(json.dumps(status(pid=dead_pid, cell=24)))
        assert action.play((None, None), (None, None), (status(), None), (status(), ENDED)) == ENDED

    def test_one_that_never_ends_is_given_up_with_its_last_words(self, action: FakeAction, screen: Screen) -> None:
        with pytest.raises(AnsibleActionFail, match=r"has not ended after \d+ s.*cell 1 of 2"):
            action.play((status(), None))
        assert 600 < screen.now < 1000
