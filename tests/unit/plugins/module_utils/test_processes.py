# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process is its pid and start time; what is left of it, how it ends, and what its threads use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Identity

BOOT = "335ac640-7b22-4531-ab7a-ac5a8db06545"
# Field 3 and those after it of a line of a real kernel's, with the state, threads and start time to be filled in.
FIELDS = (
    "{state} 1 4242 4242 0 -1 4194304 120 0 0 0 {utime} {stime} 0 0 20 0 {threads} 0 {start} 2985984 200"
    " 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0"
)
ignores_terminate = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)


class FakeProc:
    """A /proc with one process in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host = Host(proc=str(root))
        boot = root / "sys/kernel/random"
        boot.mkdir(parents=True)
        (boot / "boot_id").write_text(BOOT + "\n")

    def process(self, pid: int, name: str = "sleep", **fields: object) -> None:
        self._stat(self.root / str(pid), pid, name, **fields)

    def thread(self, pid: int, tid: int, name: str, cpus: str, schedstat: str | None = None, **fields: object) -> None:
        directory = self.root / str(pid) / "task" / str(tid)
        self._stat(directory, tid, name, **fields)
        (directory / "comm").write_text(name + "\n")
        (directory / "status").write_text(
            f"Name:\t{name}\nCpus_allowed:\t3\nCpus_allowed_list:\t{cpus}\nMems_allowed:\t1\n"
        )
        if schedstat is not None:
            (directory / "schedstat").write_text(schedstat)

    def _stat(self, directory: Path, number: int, name: str, **fields: object) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        filled = FIELDS.format(**{"state": "S", "start": 500, "threads": 1, "utime": 0, "stime": 0, **fields})
        (directory / "stat").write_text(f"{number} ({name}) {filled}\n")


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        yield child
        child.kill()


class TestIdentity:
    def test_it_is_pid_start_time_and_boot(self, proc: FakeProc) -> None:
        proc.process(4242, start=500)
        assert processes.identify(proc.host, 4242) == Identity(4242, 500, BOOT)

    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=15))
    def test_a_name_may_hold_whatever_it_likes(self, name: str) -> None:
        line = f"4242 ({name}) {FIELDS.format(state='R', start=500, threads=1, utime=3, stime=4)}"
        fields = processes.stat_fields(line)
        assert (fields[0], fields[11], fields[12], fields[19]) == ("R", "3", "4", "500")

    def test_nobody_has_none(self, proc: FakeProc) -> None:
        with pytest.raises(VirtperfError, match="no process 4242"):
            processes.identify(proc.host, 4242)

    def test_it_survives_a_state_file(self) -> None:
        identity = Identity(1, 2, "b")
        assert Identity(**identity.as_dict()) == identity


class TestRunning:
    def test_just_that_process(self, proc: FakeProc) -> None:
        proc.process(4242)
        assert processes.is_running(proc.host, Identity(4242, 500, BOOT))

    def test_a_later_process_of_the_same_pid_is_another(self, proc: FakeProc) -> None:
        proc.process(4242, start=501)
        assert not processes.is_running(proc.host, Identity(4242, 500, BOOT))

    def test_nothing_runs_from_before_the_last_boot(self, proc: FakeProc) -> None:
        proc.process(4242)
        assert not processes.is_running(proc.host, Identity(4242, 500, "another boot"))

    @pytest.mark.parametrize("state", ["Z", "X"])
    def test_a_zombie_does_not(self, proc: FakeProc, state: str) -> None:
        proc.process(4242, state=state)
        assert not processes.is_running(proc.host, Identity(4242, 500, BOOT))

    def test_a_zombie_whose_threads_still_hold_its_files_does(self, proc: FakeProc) -> None:
        proc.process(4242, state="Z", threads=2)
        assert processes.is_running(proc.host, Identity(4242, 500, BOOT))

    def test_the_gone_does_not(self, proc: FakeProc) -> None:
        assert not processes.is_running(proc.host, Identity(4242, 500, BOOT))

    def test_a_real_one(self, sleeper: subprocess.Popen[bytes]) -> None:
        identity = processes.identify(Host(), sleeper.pid)
        assert processes.is_running(Host(), identity)
        assert not processes.is_running(Host(), replace(identity, start=identity.start + 1))
        sleeper.kill()
        os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
        assert not processes.is_running(Host(), identity)


class TestThreads:
    def test_nanoseconds_count_where_the_kernel_keeps_them(self, proc: FakeProc) -> None:
        proc.process(4242)
        proc.thread(4242, 4242, "dpdk-testpmd", "0-1", "1500000000 200 3", utime=100)
        (thread,) = processes.threads(proc.host, 4242)
        assert (thread.tid, thread.name, thread.cpus, thread.cpu_seconds) == (4242, "dpdk-testpmd", "0-1", 1.5)

    def test_ticks_count_elsewhere(self, proc: FakeProc) -> None:
        proc.thread(4242, 4243, "rte-worker-1", "1", utime=130, stime=20)
        (thread,) = processes.threads(proc.host, 4242)
        assert thread.cpu_seconds == 150 / os.sysconf("SC_CLK_TCK")

    def test_they_come_by_number_and_the_ended_are_left_out(self, proc: FakeProc) -> None:
        for tid in (4250, 4242, 4249):
            proc.thread(4242, tid, f"t{tid}", "0")
        (proc.root / "4242/task/4249/status").unlink()
        assert [thread.tid for thread in processes.threads(proc.host, 4242)] == [4242, 4250]

    def test_the_gone_has_none(self, proc: FakeProc) -> None:
        assert processes.threads(proc.host, 4242) == []

    def test_our_own(self) -> None:
        own = {thread.tid: thread for thread in processes.threads(Host(), os.getpid())}
        assert own[os.getpid()].cpu_seconds > 0


class TestEnd:
    def test_asking_is_enough_for_most(self, sleeper: subprocess.Popen[bytes]) -> None:
        identity = processes.identify(Host(), sleeper.pid)
        assert processes.end(Host(), identity) == "terminated"
        assert processes.end(Host(), identity) == ""

    def test_who_does_not_listen_is_killed(self) -> None:
        with subprocess.Popen([sys.executable, "-ISc", ignores_terminate], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            assert processes.end(Host(), processes.identify(Host(), child.pid), patience_s=0.1) == "killed"

    def test_a_later_process_of_the_same_pid_is_not_touched(self, sleeper: subprocess.Popen[bytes]) -> None:
        identity = processes.identify(Host(), sleeper.pid)
        assert processes.end(Host(), replace(identity, start=identity.start + 1)) == ""
        assert sleeper.poll() is None

    def test_one_stuck_in_the_kernel_is_told(self, proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
        proc.process(4242, state="D")
        sent: list[int] = []
        monkeypatch.setattr(processes.os, "kill", lambda _pid, number: sent.append(number))
        with pytest.raises(VirtperfError, match="process 4242 survives SIGKILL"):
            processes.end(proc.host, Identity(4242, 500, BOOT), patience_s=0.01)
        assert sent == [signal.SIGTERM, signal.SIGKILL]

    def test_waiting_has_a_limit(self, sleeper: subprocess.Popen[bytes]) -> None:
        identity = processes.identify(Host(), sleeper.pid)
        before_s = time.monotonic()
        assert not processes.wait_gone(Host(), identity, 0.05)
        assert time.monotonic() - before_s < 2.0


class TestUndo:
    def test_the_process_of_an_entry_is_ended_and_told(self, sleeper: subprocess.Popen[bytes]) -> None:
        undo = {**processes.identify(Host(), sleeper.pid).as_dict(), "name": "reflect_run"}
        assert processes.undo_process(Host(), undo) == f"terminated reflect_run (pid {sleeper.pid})"
        assert processes.undo_process(Host(), undo) == ""


class TestAllowedCpus:
    def test_what_we_were_started_on_is_not_all_that_we_may_use(self) -> None:
        # As on a host with isolcpus: everything is started beside those CPUs, and may still be bound to them.
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})
        try:
            assert processes.allowed_cpus() >= before
            assert os.sched_getaffinity(0) == {min(before)}
        finally:
            os.sched_setaffinity(0, before)

    def test_a_kernel_that_refuses_is_taken_at_its_word(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_pid: int, _cpus: object) -> None:
            raise PermissionError

        before = os.sched_getaffinity(0)
        monkeypatch.setattr(processes.os, "sched_setaffinity", refuse)
        assert processes.allowed_cpus() == before
