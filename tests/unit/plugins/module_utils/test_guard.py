# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard restores a host whose controller is gone, and leaves every other run alone."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import guard, processes, restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import LEASE_S, Holder, RunLock

SOON_S = 0.01


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


@pytest.fixture
def controller() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


@pytest.fixture
def holder(host: Host, controller: subprocess.Popen[bytes]) -> Holder:
    me = processes.identify(Host(), controller.pid)
    holder = Holder("run-1", "lab", me.pid, me.start, me.boot, "2026-11-20T10:00:00Z")
    RunLock(host).take(holder)
    return holder


@pytest.fixture
def work(host: Host) -> Iterator[subprocess.Popen[bytes]]:
    """A process that the run started on the host."""
    with subprocess.Popen(["sleep", "60"]) as child:
        Journal(host, "run-1").append("process", name="work", **processes.identify(Host(), child.pid).as_dict())
        yield child
        child.kill()


class Watch:
    """A guard in a thread."""

    def __init__(self, host: Host, holder: Holder) -> None:
        self.outcome = ""
        self.thread = threading.Thread(target=self._watch, args=(host, holder), daemon=True)
        self.thread.start()

    def _watch(self, host: Host, holder: Holder) -> None:
        self.outcome = guard.watch(host, holder, SOON_S)

    def ended(self, within_s: float = 5.0) -> str:
        self.thread.join(within_s)
        assert not self.thread.is_alive()
        return self.outcome


def gone(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def test_it_restores_when_the_controller_dies(
    host: Host, holder: Holder, controller: subprocess.Popen[bytes], work: subprocess.Popen[bytes]
) -> None:
    watch = Watch(host, holder)
    watch.thread.join(SOON_S * 5)
    assert watch.thread.is_alive()
    assert work.poll() is None
    gone(controller)
    assert watch.ended() == "restored"
    work.wait(5)
    assert RunLock(host).holder() is None
    assert Journal(host).entries() == []
    log = Path(host.state, "guard.log").read_text()
    assert "the controller of run run-1" in log
    assert f"terminated work (pid {work.pid})" in log


def test_it_ends_when_the_run_gives_the_host_back(host: Host, holder: Holder, work: subprocess.Popen[bytes]) -> None:
    watch = Watch(host, holder)
    RunLock(host).release()
    assert watch.ended() == "released"
    assert work.poll() is None
    assert len(Journal(host).entries()) == 1


def test_it_leaves_the_next_run_alone(
    host: Host, holder: Holder, controller: subprocess.Popen[bytes], work: subprocess.Popen[bytes]
) -> None:
    me = processes.identify(Host(), os.getpid())
    RunLock(host).release()
    RunLock(host).take(Holder("run-2", "lab", me.pid, me.start, me.boot, "2026-11-20T10:01:00Z"))
    gone(controller)
    assert guard.watch(host, holder, SOON_S) == "released"
    assert work.poll() is None
    now = RunLock(host).holder()
    assert now is not None
    assert now.run_id == "run-2"


def test_a_run_that_was_resumed_by_its_name_is_another_run(
    host: Host, holder: Holder, controller: subprocess.Popen[bytes], work: subprocess.Popen[bytes]
) -> None:
    # Ctrl-C and the same run_id again, before the first one's guard looked: what is there belongs to the second.
    gone(controller)
    me = processes.identify(Host(), os.getpid())
    RunLock(host).release()
    RunLock(host).take(replace(holder, pid=me.pid, start=me.start))
    assert guard.watch(host, holder, SOON_S) == "released"
    assert work.poll() is None
    assert RunLock(host).holder() is not None


def test_a_run_that_came_while_it_restored_keeps_its_lock(
    host: Host, holder: Holder, controller: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone(controller)
    me = processes.identify(Host(), os.getpid())
    replay = restore.replay

    def next_run_takes_over(host: Host) -> restore.Outcome:
        outcome = replay(host)
        RunLock(host).release()
        RunLock(host).take(Holder("run-2", "lab", me.pid, me.start, me.boot, "2026-11-20T10:01:00Z"))
        return outcome

    monkeypatch.setattr(restore, "replay", next_run_takes_over)
    guard.watch(host, holder, SOON_S)
    now = RunLock(host).holder()
    assert now is not None
    assert now.run_id == "run-2"


def test_what_cannot_be_undone_keeps_the_host_held_and_is_written_down(
    host: Host, holder: Holder, controller: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_host: Host, _undo: object) -> str:
        raise VirtperfError("busy")

    monkeypatch.setitem(restore.UNDO, "thing", busy)
    Journal(host, "run-1").append("thing")
    gone(controller)
    assert guard.watch(host, holder, SOON_S) == "restored"
    assert RunLock(host).holder() is not None
    assert "FAILED: thing: busy" in Path(host.state, "guard.log").read_text()


def test_a_controller_elsewhere_is_given_its_lease(host: Host) -> None:
    lock = RunLock(host)
    holder = Holder("run-1", "far", 1, 1, "the controller's own boot", "2026-11-20T10:00:00Z")
    lock.take(holder)
    watch = Watch(host, holder)
    watch.thread.join(SOON_S * 5)
    assert watch.thread.is_alive()
    silent_since = time.time() - LEASE_S - 1
    os.utime(lock.path, (silent_since, silent_since))
    assert watch.ended() == "restored"
    assert lock.holder() is None


def test_it_stays_behind_without_holding_on_to_anything_of_ours(
    host: Host, holder: Holder, controller: subprocess.Popen[bytes], work: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    watch = guard.watch

    def tell_and_watch(host: Host, holder: Holder) -> str:
        files = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if int(number) < 3]
        (tmp_path / "guard").write_text(f"{os.getpid()} {os.getsid(0)} {os.getcwd()} {' '.join(files)}")
        return watch(host, holder, SOON_S)

    monkeypatch.setattr(guard, "watch", tell_and_watch)
    guard.spawn(host, holder)
    limit_s = time.monotonic() + 5
    while not (tmp_path / "guard").exists() or not (tmp_path / "guard").read_text():
        assert time.monotonic() < limit_s
        time.sleep(0.01)
    pid, session, directory, *files = (tmp_path / "guard").read_text().split()
    assert int(session) not in (os.getsid(0), int(pid))
    assert directory == "/"
    assert files == ["/dev/null"] * 3
    guarded = processes.identify(Host(), int(pid))
    gone(controller)
    work.wait(5)
    assert processes.wait_gone(Host(), guarded, 5.0)
    assert RunLock(host).holder() is None
