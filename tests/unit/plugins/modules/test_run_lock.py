# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module run_lock as Ansible calls it: one run at a time, and nothing of a dead one in its way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils import guard, processes, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import Holder, RunLock
from ansible_collections.virtperf.vhost.plugins.modules import run_lock
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options
from ansible_collections.virtperf.vhost.tests.unit.plugins.modules.call import Run, caller


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def guards(monkeypatch: pytest.MonkeyPatch) -> list[Holder]:
    """Those that would have been left behind."""
    spawned: list[Holder] = []
    monkeypatch.setattr(guard, "spawn", lambda _host, holder: spawned.append(holder))
    return spawned


@pytest.fixture
def run(host: Host, guards: list[Holder], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return caller(run_lock.main, host, capsys, monkeypatch)


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another controller."""
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def asker(pid: int | None = None, run_id: str = "run-1") -> dict[str, Any]:
    """The arguments of a run of that process."""
    controller = {"name": "lab", **processes.identify(Host(), pid or os.getpid()).as_dict()}
    return {"run_id": run_id, "controller": controller}


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def run_id(host: Host) -> str | None:
    holder = RunLock(host).holder()
    return holder.run_id if holder else None


def test_a_free_host_is_taken_and_guarded(host: Host, run: Run, guards: list[Holder]) -> None:
    result = run(**asker())
    assert (result["changed"], result["holder"], result["restored"]) == (True, None, [])
    assert run_id(host) == "run-1"
    assert [(holder.run_id, holder.pid) for holder in guards] == [("run-1", os.getpid())]


def test_the_same_process_takes_it_once(host: Host, run: Run, guards: list[Holder]) -> None:
    run(**asker())
    result = run(**asker())
    assert not result["changed"]
    assert result["holder"]["run_id"] == "run-1"
    assert len(guards) == 1


def test_a_second_run_is_told_whose_it_is_and_leaves_it_alone(
    host: Host, run: Run, guards: list[Holder], other: subprocess.Popen[bytes]
) -> None:
    run(**asker(other.pid))
    Journal(host, "run-1").append("process", pid=1, start=1, boot="elsewhere")
    before = Path(RunLock(host).path).read_text()
    result = run(**asker(run_id="run-2"))
    assert result["failed"]
    assert "another run holds this host" in result["msg"]
    assert "run run-1" in result["msg"]
    assert f"process {other.pid} on lab" in result["msg"]
    assert result["holder"]["run_id"] == "run-1"
    assert Path(RunLock(host).path).read_text() == before
    assert len(Journal(host).entries()) == 1
    assert len(guards) == 1


def test_the_same_run_id_in_another_living_process_is_a_second_run(
    run: Run, host: Host, other: subprocess.Popen[bytes]
) -> None:
    run(**asker(other.pid))
    assert run(**asker())["failed"]


def test_a_dead_run_is_cleared_away_first(
    host: Host, run: Run, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(restore.UNDO, "thing", lambda _host, undo: f"undid {undo['name']}")
    run(**asker(other.pid))
    Journal(host, "run-1").append("thing", name="a")
    end(other)
    predicted = run(check=True, **asker(run_id="run-2"))
    assert predicted["changed"]
    assert predicted["restored"] == ["thing {'name': 'a'}"]
    assert run_id(host) == "run-1"
    result = run(**asker(run_id="run-2"))
    assert result["restored"] == ["undid a"]
    assert result["holder"]["run_id"] == "run-1"
    assert run_id(host) == "run-2"
    assert Journal(host).entries() == []


def test_what_was_prepared_for_it_stays(host: Host, run: Run) -> None:
    # Without a lock, what is in the journal was given to the host by the prepare stage.
    Journal(host, "run-0").append("thing")
    assert run(**asker())["restored"] == []
    assert len(Journal(host).entries()) == 1


def test_what_cannot_be_cleared_away_keeps_the_next_run_out(
    host: Host, run: Run, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_host: Host, _undo: object) -> str:
        raise VirtperfError("busy")

    monkeypatch.setitem(restore.UNDO, "thing", busy)
    run(**asker(other.pid))
    Journal(host, "run-1").append("thing")
    end(other)
    result = run(**asker(run_id="run-2"))
    assert result["failed"]
    assert "thing: busy" in result["msg"]
    assert run_id(host) == "run-1"


def test_a_run_known_to_be_dead_is_replaced(host: Host, run: Run, other: subprocess.Popen[bytes]) -> None:
    run(**asker(other.pid))
    assert run(**asker(run_id="run-2"), take_over=True)["changed"]
    assert run_id(host) == "run-2"


def test_one_that_took_over_in_between_is_not_thrown_out(
    host: Host, run: Run, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two find a dead holder; both clear up; the slower one must find that the other has the lock by now.
    me = processes.identify(Host(), os.getpid())
    run(**asker(other.pid))
    end(other)
    replay = restore.replay

    def slowly(host: Host) -> restore.Outcome:
        outcome = replay(host)
        RunLock(host).release()
        RunLock(host).take(Holder("faster", "lab", me.pid, me.start, me.boot, "2026-11-20T10:00:00Z"))
        return outcome

    monkeypatch.setattr(restore, "replay", slowly)
    result = run(**asker(run_id="run-2"))
    assert result["failed"]
    assert "run faster" in result["msg"]
    assert run_id(host) == "faster"


class TestGivingBack:
    def test_the_holder_s_own(self, host: Host, run: Run) -> None:
        run(**asker())
        assert run(**asker(), state="absent", check=True)["changed"]
        assert run_id(host) == "run-1"
        assert run(**asker(), state="absent")["changed"]
        assert run_id(host) is None
        assert not run(**asker(), state="absent")["changed"]

    def test_never_another_s(self, host: Host, run: Run, other: subprocess.Popen[bytes]) -> None:
        run(**asker(other.pid))
        assert not run(**asker(), state="absent")["changed"]
        assert run_id(host) == "run-1"


class TestCheckMode:
    def test_a_free_host_stays_free(self, host: Host, run: Run, guards: list[Holder]) -> None:
        assert run(check=True, **asker())["changed"]
        assert not os.path.exists(host.state)
        assert guards == []

    def test_a_held_one_is_held(self, run: Run, other: subprocess.Popen[bytes]) -> None:
        run(**asker(other.pid))
        assert run(check=True, **asker(run_id="run-2"))["failed"]


@pytest.mark.parametrize("missing", ["run_id", "controller"])
def test_nobody_can_hold_it_anonymously(host: Host, run: Run, missing: str) -> None:
    arguments = asker()
    del arguments[missing]
    result = run(**arguments)
    assert result["failed"]
    assert missing in result["msg"]
    assert run_id(host) is None


def test_check_mode_predicts_what_then_happens(host: Host, run: Run, other: subprocess.Popen[bytes]) -> None:
    def both(**arguments: Any) -> dict[str, Any]:
        predicted, done = (run(check=check, **arguments) for check in (True, False))
        assert (predicted["changed"], predicted["holder"]) == (done["changed"], done["holder"])
        assert len(predicted["restored"]) == len(done["restored"])
        return done

    assert both(**asker(other.pid))["changed"]
    assert not both(**asker(other.pid))["changed"]
    assert not both(**asker(run_id="run-2"), state="absent")["changed"]
    host.private_directory(host.run)
    end(other)
    assert both(**asker(run_id="run-2"))["restored"] == [f"removed {host.run}"]
    assert both(**asker(run_id="run-2"), state="absent")["changed"]


def test_everything_returned_is_documented(run: Run) -> None:
    documented = yaml.safe_load(run_lock.RETURN)
    assert set(run(**asker())) - {"changed", "invocation"} == set(documented)
    assert all("returned" in field and "sample" in field for field in documented.values())


def test_the_documentation_is_that_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(run_lock, "AnsibleModule", lambda **given: seen.update(given))
    monkeypatch.setattr(run_lock, "run_module", lambda *_arguments, **_options: None)
    run_lock.main()
    specification = {name: dict(option) for name, option in seen["argument_spec"].items() if name != "run_id"}
    documented = documented_options(run_lock.DOCUMENTATION)
    parts = documented["controller"].pop("suboptions")
    assert specification["controller"].pop("options") == {
        name: {key: value for key, value in part.items() if key != "description"} for name, part in parts.items()
    }
    assert documented == specification
    assert seen["supports_check_mode"]
