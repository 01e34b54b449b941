# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam to Ansible: who may run a module, and what a failure looks like."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.virtperf.vhost.plugins.module_utils import module, processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import Holder, RunLock
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, Work, run_module

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a module around ``work``; its exit status and its result. Whoever holds this machine does not matter."""
    monkeypatch.setattr(module, "Host", lambda: Host(run=str(tmp_path / "run"), state=str(tmp_path / "state")))

    def run(work: Work, *, uid: int = 0, root: bool = True, **arguments: Any) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            run_module(AnsibleModule(RUN_ARGUMENTS, supports_check_mode=True), work, root=root)
        assert isinstance(caught.value.code, int)
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return caught.value.code, result

    return run


def raises(error: Exception) -> Work:
    def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
        raise error

    return work


def fine(module: AnsibleModule, host: Host) -> dict[str, Any]:
    return {"changed": True, "run_id": module.params["run_id"], "proc": host.proc, "diff": {"before": 1, "after": 2}}


def test_the_result_is_what_work_returns(run: Run) -> None:
    status, result = run(fine, run_id="run-7")
    assert status == 0
    assert result["changed"]
    assert (result["run_id"], result["proc"]) == ("run-7", "/proc")
    assert "diff" not in result


def test_a_difference_is_told_when_it_is_asked_for(run: Run) -> None:
    assert run(fine, _ansible_diff=True)[1]["diff"] == {"before": 1, "after": 2}


def test_a_failure_says_what_and_carries_its_facts(run: Run) -> None:
    error = VirtperfError("no pages", found="none", way_out="buy memory", granted=3)
    status, result = run(raises(error))
    assert status == 1
    assert result["failed"]
    assert result["msg"] == "no pages (found: none). Way out: buy memory"
    assert result["granted"] == 3


def test_a_file_that_fails_is_named(run: Run) -> None:
    result = run(raises(OSError(28, "No space left on device", "/var/lib/x")))[1]
    assert result["msg"] == "/var/lib/x: No space left on device"
    assert (result["file"], result["errno"]) == ("/var/lib/x", 28)


def test_a_failure_without_a_file(run: Run) -> None:
    result = run(raises(OSError("odd")))[1]
    assert result["msg"] == "odd"
    assert result["file"] is None


@pytest.mark.parametrize("arguments", [{}, {"_ansible_diff": True}])
def test_root_is_needed_unless_told_otherwise(run: Run, arguments: dict[str, Any]) -> None:
    status, result = run(fine, uid=1000, **arguments)
    assert status == 1
    node = os.uname().nodename
    assert result["msg"] == f"needs root on {node}: run with become (-b, or become: true), found uid 1000"
    assert run(fine, uid=1000, root=False, **arguments)[0] == 0


def test_check_mode_reads_without_root(run: Run) -> None:
    assert run(fine, uid=1000, _ansible_check_mode=True)[0] == 0


def test_what_cannot_be_read_without_root_is_told(run: Run) -> None:
    error = PermissionError(13, "Permission denied", "/var/lib/x")
    result = run(raises(error), uid=1000, _ansible_check_mode=True)[1]
    node = os.uname().nodename
    assert result["msg"] == (
        f"not allowed on {node}: /var/lib/x: Permission denied; run with become (-b, or become: true), found uid 1000"
    )
    assert run(raises(error))[1]["msg"] == "/var/lib/x: Permission denied"


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with patch_module_args({}), pytest.raises(ZeroDivisionError):
        run_module(AnsibleModule(RUN_ARGUMENTS), raises(ZeroDivisionError()), respects_lock=False)


def test_a_host_that_another_living_run_holds_is_left_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))
    monkeypatch.setattr(module, "Host", lambda: host)
    me = processes.identify(host, os.getpid())
    RunLock(host).take(Holder("first", "lab", me.pid, me.start, me.boot, "2026-11-20T10:00:00Z"))
    assert run(fine, run_id="first")[0] == 0
    status, result = run(fine, run_id="second")
    assert status == 1
    assert "run first" in result["msg"]
    assert run(fine, root=False)[0] == 0, "who only looks may look"
