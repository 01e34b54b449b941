# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: who holds a host, whether that run still lives, and that nobody else takes it meanwhile."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import LEASE_S, Holder, RunLock


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def controller() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def holder_of(pid: int, run_id: str = "first", **more: Any) -> Holder:
    me = processes.identify(Host(), pid)
    holder = Holder(run_id, "lab", me.pid, me.start, me.boot, "2026-11-20T10:00:00Z")
    return replace(holder, **more)


def age(lock: RunLock, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(lock.path, (then, then))


class TestTaking:
    def test_a_free_host_has_no_holder(self, host: Host) -> None:
        assert RunLock(host).holder() is None

    def test_the_taker_is_the_holder_and_the_host_s_boot_is_noted(self, host: Host) -> None:
        me = holder_of(os.getpid())
        RunLock(host).take(me)
        holder = RunLock(host).holder()
        assert holder == replace(me, host_boot=processes.boot_id(host))
        assert stat.S_IMODE(os.stat(RunLock(host).path).st_mode) == 0o600
        assert os.listdir(host.state) == ["lock.json"]

    def test_a_second_run_is_refused_and_told_whose_it_is(self, host: Host) -> None:
        lock = RunLock(host)
        lock.take(holder_of(os.getpid()))
        age(lock, 100)
        before = Path(lock.path).read_text(), os.stat(lock.path).st_mtime_ns
        with pytest.raises(VirtperfError, match=r"run first, started 2026-11-20T10:00:00Z by process") as caught:
            lock.take(holder_of(os.getpid(), run_id="second"))
        assert caught.value.facts["holder"]["run_id"] == "first"
        assert "last sign 100 s ago" in str(caught.value)
        assert (Path(lock.path).read_text(), os.stat(lock.path).st_mtime_ns) == before

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"run_id": "x"}'])
    def test_what_names_nobody_holds_nobody_off(self, host: Host, text: str) -> None:
        host.private_directory(host.state)
        Path(RunLock(host).path).write_text(text)
        assert RunLock(host).holder() is None
        RunLock(host).take(holder_of(os.getpid()))
        holder = RunLock(host).holder()
        assert holder is not None
        assert holder.run_id == "first"

    def test_of_many_at_once_one_gets_it(self, host: Host) -> None:
        fork = multiprocessing.get_context("fork")
        for _ in range(10):
            start, won = fork.Barrier(4), fork.Value("i", 0)

            def grab(number: int, start: Any = start, won: Any = won) -> None:
                me = holder_of(os.getpid(), run_id=f"run-{number}")
                start.wait()
                try:
                    RunLock(host).take(me)
                except VirtperfError:
                    return
                with won.get_lock():
                    won.value += 1

            children = [fork.Process(target=grab, args=(number,)) for number in range(4)]
            for child in children:
                child.start()
            for child in children:
                child.join()
            assert won.value == 1
            RunLock(host).release()

    def test_nobody_ever_sees_a_lock_that_names_nobody(self, host: Host) -> None:
        # A second run that comes while the first one writes its name must not take an empty file for a free lock.
        lock = RunLock(host)
        seen: set[str] = set()

        def look(_frame: object, event: str, _argument: object) -> None:
            if event in ("c_call", "c_return") and os.path.exists(lock.path):
                seen.add(Path(lock.path).read_text())

        me = holder_of(os.getpid())
        sys.setprofile(look)
        try:
            lock.take(me)
        finally:
            sys.setprofile(None)
        assert seen
        assert all(text and json.loads(text)["run_id"] == "first" for text in seen)


class TestAlive:
    def test_a_controller_on_this_machine_is_seen(self, host: Host, controller: subprocess.Popen[bytes]) -> None:
        lock = RunLock(host)
        holder = holder_of(controller.pid)
        lock.take(holder)
        age(lock, LEASE_S * 10)
        assert lock.is_alive(holder)
        controller.kill()
        controller.wait()
        assert not lock.is_alive(holder)

    def test_its_pid_with_another_start_time_is_somebody_else(
        self, host: Host, controller: subprocess.Popen[bytes]
    ) -> None:
        lock = RunLock(host)
        holder = holder_of(controller.pid)
        lock.take(holder)
        assert not lock.is_alive(replace(holder, start=holder.start - 1))

    def test_a_controller_elsewhere_lives_as_long_as_its_lease(self, host: Host) -> None:
        lock = RunLock(host)
        holder = holder_of(os.getpid(), boot="the controller's own")
        lock.take(holder)
        assert lock.is_alive(holder)
        age(lock, LEASE_S - 5)
        assert lock.is_alive(holder)
        age(lock, LEASE_S + 1)
        assert not lock.is_alive(holder)
        lock.sign()
        assert lock.is_alive(holder)

    def test_no_run_survives_a_boot_of_the_host(self, host: Host) -> None:
        lock = RunLock(host)
        lock.take(holder_of(os.getpid(), boot="the controller's own"))
        assert not lock.is_alive(holder_of(os.getpid(), boot="the controller's own", host_boot="an earlier one"))

    def test_a_boot_of_controller_and_host_in_one(self, host: Host) -> None:
        lock = RunLock(host)
        assert not lock.is_alive(holder_of(os.getpid(), boot="earlier", host_boot="earlier"))

    def test_without_a_lock_there_was_never_a_sign(self, host: Host) -> None:
        assert RunLock(host).silence_s() == float("inf")

    def test_a_clock_that_went_back_makes_nobody_silent(self, host: Host) -> None:
        lock = RunLock(host)
        lock.take(holder_of(os.getpid()))
        age(lock, -3600)
        assert lock.silence_s() == 0.0


class TestSame:
    def test_the_same_run_of_the_same_process(self, host: Host) -> None:
        me = holder_of(os.getpid())
        lock = RunLock(host)
        assert lock.is_same(replace(me, since="later", host_boot="b"), me)
        assert not lock.is_same(replace(me, run_id="second"), me)
        # A machine that stands in the inventory twice: the second name finds it held.
        assert not lock.is_same(replace(me, host="a"), replace(me, host="b"))
        # The same run_id again resumes a run; that is another process.
        assert not lock.is_same(replace(me, start=me.start + 1), me)


class TestReleasing:
    def test_it_is_free_afterwards(self, host: Host) -> None:
        lock = RunLock(host)
        lock.take(holder_of(os.getpid()))
        lock.release()
        assert lock.holder() is None
        lock.release()

    def test_who_names_himself_releases_only_his_own(self, host: Host) -> None:
        lock = RunLock(host)
        mine = holder_of(os.getpid())
        lock.take(replace(mine, run_id="second"))
        lock.release(mine)
        assert lock.holder() is not None
        lock.release(replace(mine, run_id="second"))
        assert lock.holder() is None

    def test_a_sign_for_a_lock_that_is_gone_makes_none(self, host: Host) -> None:
        RunLock(host).sign()
        assert RunLock(host).holder() is None


class TestHeldByAnother:
    def test_a_living_run_of_another_name_is_told(self, host: Host, controller: subprocess.Popen[bytes]) -> None:
        lock = RunLock(host)
        lock.check_not_held_by_another("second")
        lock.take(holder_of(controller.pid))
        lock.check_not_held_by_another("first")
        with pytest.raises(VirtperfError, match="run first"):
            lock.check_not_held_by_another("second")
        controller.kill()
        controller.wait()
        lock.check_not_held_by_another("second")
