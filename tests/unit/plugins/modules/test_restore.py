# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module restore as Ansible calls it: everything undone, unless the host is somebody else's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils import restore as core
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import Holder, RunLock
from ansible_collections.virtperf.vhost.plugins.modules import restore
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setitem(core.UNDO, "thing", lambda _host, undo: f"undid {undo['name']}" if undo["name"] else "")
    return caller(restore.main, host, capsys, monkeypatch)


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another controller."""
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def controller(pid: int) -> dict[str, Any]:
    return {"name": "lab", **processes.identify(Host(), pid).as_dict()}


def hold(host: Host, pid: int, run_id: str = "run-1") -> None:
    me = controller(pid)
    RunLock(host).take(Holder(run_id, me["name"], me["pid"], me["start"], me["boot"], "2026-11-20T10:00:00Z"))


def change(host: Host, *names: str) -> None:
    for name in names:
        Journal(host, "run-1").append("thing", name=name)


def test_all_is_undone_newest_first(host: Host, run: Run) -> None:
    change(host, "a", "b")
    host.private_directory(host.run)
    result = run()
    assert result["changed"]
    assert result["actions"] == ["undid b", "undid a", f"removed {host.run}"]
    assert result["held_by"] == ""


def test_again_there_is_nothing(host: Host, run: Run) -> None:
    change(host, "a")
    run()
    result = run()
    assert (result["changed"], result["actions"]) == (False, [])


def test_an_untouched_host_stays_untouched(host: Host, run: Run) -> None:
    assert not run()["changed"]
    assert not os.path.exists(host.state)


@pytest.mark.parametrize("names", [["a"], ["a", ""], [""], []])
def test_check_mode_predicts_and_touches_nothing(host: Host, run: Run, names: list[str]) -> None:
    # An entry without a name stands for a change that is gone already.
    change(host, *names)
    predicted = run(check=True)
    assert len(Journal(host).entries()) == len(names)
    assert predicted["changed"] == run()["changed"] == bool(names)
    assert not run(check=True)["changed"]


def test_what_fails_is_told_after_all_else_is_undone(host: Host, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_host: Host, _undo: object) -> str:
        raise VirtperfError("busy")

    monkeypatch.setitem(core.UNDO, "mount", busy)
    change(host, "a")
    Journal(host).append("mount")
    hold(host, os.getpid())
    result = run(run_id="run-1", controller=controller(os.getpid()))
    assert result["failed"]
    assert "mount: busy" in result["msg"]
    assert result["actions"] == ["undid a"]
    assert len(Journal(host).entries()) == 1
    # Nobody else may start on what is left.
    assert RunLock(host).holder() is not None


class TestHeldByAnother:
    def test_by_hand_it_is_refused_with_the_run_s_name(
        self, host: Host, run: Run, other: subprocess.Popen[bytes]
    ) -> None:
        hold(host, other.pid)
        change(host, "a")
        for check in (True, False):
            result = run(check=check)
            assert result["failed"]
            assert "run run-1" in result["msg"]
            assert "restore_force=true" in result["msg"]
            assert result["holder"]["pid"] == other.pid
        assert len(Journal(host).entries()) == 1

    def test_a_run_that_tidies_up_after_itself_leaves_it_alone(
        self, host: Host, run: Run, other: subprocess.Popen[bytes]
    ) -> None:
        hold(host, other.pid)
        change(host, "a")
        result = run(run_id="run-2", controller=controller(os.getpid()))
        assert (result["changed"], result["actions"]) == (False, [])
        assert "run run-1" in result["held_by"]
        assert len(Journal(host).entries()) == 1

    def test_also_when_both_were_given_the_same_name(
        self, host: Host, run: Run, other: subprocess.Popen[bytes]
    ) -> None:
        # The second was refused the host, and comes here in the end all the same.
        hold(host, other.pid)
        change(host, "a")
        result = run(run_id="run-1", controller=controller(os.getpid()))
        assert not result["changed"]
        assert "run run-1" in result["held_by"]
        assert len(Journal(host).entries()) == 1
        assert RunLock(host).holder() is not None

    def test_force_is_for_who_knows_better(self, host: Host, run: Run, other: subprocess.Popen[bytes]) -> None:
        hold(host, other.pid)
        change(host, "a")
        assert run(force=True)["actions"] == ["undid a", "freed the lock of run run-1"]
        assert RunLock(host).holder() is None


class TestHeldByNobodyElse:
    def test_its_own_lock_goes_too(self, host: Host, run: Run) -> None:
        hold(host, os.getpid())
        change(host, "a")
        result = run(run_id="run-1", controller=controller(os.getpid()))
        assert result["actions"] == ["undid a", "freed the lock of run run-1"]
        assert RunLock(host).holder() is None

    def test_a_dead_run_s_goes_too(self, host: Host, run: Run, other: subprocess.Popen[bytes]) -> None:
        hold(host, other.pid)
        change(host, "a")
        other.kill()
        other.wait()
        assert run(check=True)["changed"]
        assert run()["actions"] == ["undid a", "freed the lock of run run-1"]

    def test_a_lock_alone_is_a_change(self, host: Host, run: Run, other: subprocess.Popen[bytes]) -> None:
        hold(host, other.pid)
        other.kill()
        other.wait()
        assert run(check=True)["changed"]
        assert run()["changed"]
        assert not run()["changed"]


def test_a_run_of_another_boot_of_the_host_is_dead(host: Host, run: Run, other: subprocess.Popen[bytes]) -> None:
    hold(host, other.pid)
    lock = RunLock(host)
    holder = lock.holder()
    assert holder is not None
    Path(lock.path).write_text(json.dumps({**holder.__dict__, "host_boot": "before"}))
    assert run()["actions"] == ["freed the lock of run run-1"]


def test_a_holder_in_a_failure_is_who_is_in_the_way(host: Host, run: Run) -> None:
    # The action plugin forces a restore when that one is dead. What cannot be undone is no such failure.
    hold(host, os.getpid())
    Journal(host).append("flux_capacitor")
    assert "holder" not in run(run_id="run-1", controller=controller(os.getpid()))


def test_everything_returned_is_documented(run: Run) -> None:
    documented = yaml.safe_load(restore.RETURN)
    assert set(run()) - {"changed", "invocation"} == set(documented)
    assert all("returned" in field and "sample" in field for field in documented.values())


def test_the_documentation_is_that_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(restore, "AnsibleModule", lambda **given: seen.update(given))
    monkeypatch.setattr(restore, "run_module", lambda *_arguments, **_options: None)
    restore.main()
    specification = {name: dict(option) for name, option in seen["argument_spec"].items() if name != "run_id"}
    documented = documented_options(restore.DOCUMENTATION)
    parts = documented["controller"].pop("suboptions")
    assert specification["controller"].pop("options") == {
        name: {key: value for key, value in part.items() if key != "description"} for name, part in parts.items()
    }
    assert documented == specification
    assert seen["supports_check_mode"]
