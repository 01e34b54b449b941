# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal backwards: everything is tried, what fails stays, and doing it again does no harm."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal


class Things:
    """Resources of a made-up kind. Each is on until it is undone."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.on: list[str] = []
        self.tried: list[str] = []
        self.trouble: dict[str, Exception] = {}

    def add(self, *names: str) -> None:
        for name in names:
            Journal(self.host, "run-1").append("thing", name=name)
            self.on.append(name)

    def undo(self, host: Host, undo: Mapping[str, Any]) -> str:
        name = undo["name"]
        self.tried.append(name)
        if name in self.trouble:
            raise self.trouble[name]
        if name not in self.on:
            return ""
        self.on.remove(name)
        return f"undid {name}"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def things(host: Host, monkeypatch: pytest.MonkeyPatch) -> Things:
    things = Things(host)
    monkeypatch.setitem(restore.UNDO, "thing", things.undo)
    return things


class TestReplay:
    def test_newest_first(self, host: Host, things: Things) -> None:
        things.add("a", "b", "c")
        outcome = restore.replay(host)
        assert outcome.actions == ["undid c", "undid b", "undid a"]
        assert outcome.failures == []
        assert Journal(host).entries() == []

    def test_again_there_is_nothing_left_to_do(self, host: Host, things: Things) -> None:
        things.add("a")
        restore.replay(host)
        outcome = restore.replay(host)
        assert (outcome.actions, outcome.failures) == ([], [])
        assert things.tried == ["a"]

    def test_what_is_gone_already_is_no_action_and_no_failure(self, host: Host, things: Things) -> None:
        things.add("a", "b")
        things.on.remove("a")
        assert restore.replay(host).actions == ["undid b"]
        assert Journal(host).entries() == []

    @pytest.mark.parametrize(
        "trouble", [VirtperfError("busy"), OSError(16, "busy"), ValueError("busy"), TypeError("busy"), KeyError("busy")]
    )
    def test_what_fails_stays_and_the_others_are_undone(self, host: Host, things: Things, trouble: Exception) -> None:
        things.add("a", "b", "c")
        things.trouble["b"] = trouble
        outcome = restore.replay(host)
        assert outcome.actions == ["undid c", "undid a"]
        (failure,) = outcome.failures
        assert failure.startswith("thing")
        assert "busy" in failure
        assert [entry.undo["name"] for entry in Journal(host).entries()] == ["b"]
        del things.trouble["b"]
        assert restore.replay(host).actions == ["undid b"]

    def test_a_kind_of_another_version_stays_and_is_told(self, host: Host, things: Things) -> None:
        things.add("a")
        Journal(host, "run-9").append("flux_capacitor", year=1985)
        outcome = restore.replay(host)
        assert outcome.actions == ["undid a"]
        (failure,) = outcome.failures
        assert "flux_capacitor" in failure
        assert "does not know how" in failure
        assert "run-9" in failure
        assert [entry.resource for entry in Journal(host).entries()] == ["flux_capacitor"]

    def test_whoever_makes_changes_is_ended_before_they_are_undone(
        self, host: Host, things: Things, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A sweep that still runs starts anew what is stopped beneath it.
        ended = []

        def end(_host: Host, undo: Mapping[str, Any]) -> str:
            ended.append((undo["pid"], list(things.on)))
            return ""

        monkeypatch.setitem(restore.UNDO, "process", end)
        things.add("a")
        Journal(host).append("process", pid=7)
        things.add("b")
        restore.replay(host)
        assert ended == [(7, ["a", "b"])]

    def test_what_was_changed_meanwhile_is_undone_too(
        self, host: Host, things: Things, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        things.add("a", "b")
        undo = things.undo

        def slow(host: Host, entry: Mapping[str, Any]) -> str:
            if entry["name"] == "b":
                things.add("late")
            return undo(host, entry)

        monkeypatch.setitem(restore.UNDO, "thing", slow)
        assert restore.replay(host).actions == ["undid b", "undid a", "undid late"]
        assert Journal(host).entries() == []

    def test_a_failure_forgets_nothing_that_came_meanwhile(
        self, host: Host, things: Things, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        things.add("a")
        things.trouble["a"] = VirtperfError("busy")
        undo = things.undo

        def slow(host: Host, entry: Mapping[str, Any]) -> str:
            things.add("late")
            return undo(host, entry)

        monkeypatch.setitem(restore.UNDO, "thing", slow)
        restore.replay(host)
        assert "late" in [entry.undo["name"] for entry in Journal(host).entries()]

    def test_killed_in_the_middle_it_starts_over(self, host: Host, things: Things) -> None:
        things.add("a", "b", "c")
        things.trouble["b"] = KeyboardInterrupt()  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            restore.replay(host)
        assert [entry.undo["name"] for entry in Journal(host).entries()] == ["a", "b", "c"]
        things.trouble.clear()
        assert restore.replay(host).actions == ["undid b", "undid a"]

    def test_two_at_once_take_turns(self, host: Host, things: Things) -> None:
        things.add("a")
        with open(os.path.join(host.state, "restore.lock"), "w", encoding="utf-8") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            other = threading.Thread(target=restore.replay, args=(host,))
            other.start()
            other.join(0.1)
            assert things.tried == []
            fcntl.flock(gate, fcntl.LOCK_UN)
            other.join(5)
        assert things.tried == ["a"]

    def test_a_host_that_was_never_touched_stays_so(self, host: Host) -> None:
        outcome = restore.replay(host)
        assert (outcome.actions, outcome.failures) == ([], [])
        assert not os.path.exists(host.state)

    def test_a_real_process_is_ended(self, host: Host) -> None:
        with subprocess.Popen([sys.executable, "-ISc", "import time; time.sleep(60)"]) as child:
            identity = processes.identify(Host(), child.pid)
            Journal(host).append("process", name="reflect_run", **identity.as_dict())
            assert restore.replay(host).actions == [f"terminated reflect_run (pid {child.pid})"]


class TestRuntimeDirectory:
    def test_it_goes_last(self, host: Host, things: Things) -> None:
        host.private_directory(f"{host.run}/testpmd")
        things.add("a")
        assert restore.replay(host).actions == ["undid a", f"removed {host.run}"]
        assert not os.path.exists(host.run)

    def test_it_stays_while_something_needs_it(self, host: Host, things: Things) -> None:
        host.private_directory(host.run)
        things.add("a")
        things.trouble["a"] = VirtperfError("busy")
        restore.replay(host)
        assert os.path.isdir(host.run)

    def test_one_that_cannot_be_removed_is_a_failure(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        host.private_directory(host.run)
        host.private_directory(host.state)

        def busy(path: str) -> None:
            raise OSError(16, "Device or resource busy", path)

        monkeypatch.setattr(restore.shutil, "rmtree", busy)
        outcome = restore.replay(host)
        assert outcome.actions == []
        (failure,) = outcome.failures
        assert host.run in failure


class TestPending:
    def test_it_tells_what_a_replay_would_look_at(self, host: Host, things: Things) -> None:
        things.add("a", "b")
        assert restore.pending(host) == ["thing {'name': 'b'}", "thing {'name': 'a'}"]
        assert things.tried == []

    def test_a_directory_left_behind_counts(self, host: Host) -> None:
        host.private_directory(host.state)
        host.private_directory(host.run)
        assert restore.pending(host) == [f"directory {host.run}"]
        restore.replay(host)
        assert restore.pending(host) == []


def test_every_kind_that_the_collection_journals_can_be_undone() -> None:
    sources = Path(restore.__file__).parents[1].rglob("*.py")
    kinds = set()
    for source in sources:
        text = source.read_text(encoding="utf-8")
        kinds |= {part.split('"')[0] for part in text.split('ournal.append("')[1:]}
        kinds |= {part.split('"')[0] for part in text.split('["run_id"]).append("')[1:]}
    assert {"testpmd", "process"} <= kinds
    assert kinds <= set(restore.UNDO)
