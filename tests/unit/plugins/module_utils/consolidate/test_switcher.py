# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies by turns, on a kernel with the rules of threaded cgroups, and all as it was afterwards."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import POLICIES
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.switcher import Switcher
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import pinner
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import manager
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make
from ansible_collections.virtperf.vhost.tests.unit.fake_cgroups import FakeHost, FakeScheduler, fake_host

SESSION = "/user.slice/s.scope"
GROUP = "/vhost-consolidated/workers"
PIDS = (100, 200)


class Monitor:
    """Answers as QEMU does of the VM whose socket it is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def execute(self, command: str) -> Any:
        return [{"cpu-index": 0, "thread-id": self.pid + 1}] if command == "query-cpus-fast" else []


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Two VMs with two taps and two workers each, threads of QEMU."""
    host = fake_host(tmp_path, monkeypatch)
    kernel = host.kernel
    kernel.add("/user.slice", enabled="memory pids")
    kernel.add(SESSION)
    for number, pid in enumerate(PIDS, 1):
        taps = [f"{nic}{number}" for nic in ("plain", "poll")]
        kernel.qemu(pid, f"vm{number}", SESSION, [f"tap,id={tap},ifname={tap},vhost=on" for tap in taps])
        for place, tap in enumerate(taps):
            kernel.tap(pid, 10 * (place + 1), tap)
            kernel.worker(pid, pid + 10 + place)
        for tid in (pid, pid + 1):
            kernel.put(f"proc/{tid}/status", f"Tgid:\t{pid}")
    kernel.put("sys/devices/system/cpu/online", "0-3")
    kernel.put("sys/devices/system/cpu/present", "0-3")
    Path(host.state).mkdir(mode=0o700)

    @contextlib.contextmanager
    def connected(path: str) -> Iterator[Monitor]:
        yield Monitor(PIDS[int(Path(path).parent.name[-1]) - 1])

    monkeypatch.setattr(pinner, "connected", connected)
    return host


@pytest.fixture
def scheduler() -> FakeScheduler:
    return FakeScheduler()


@pytest.fixture
def switcher(host: FakeHost, scheduler: FakeScheduler) -> Switcher:
    return Switcher(host, "r1", setup(make.arguments(load_cpus="0-1")), scheduler)


def cpuset(host: FakeHost) -> str:
    return host.kernel.groups[GROUP].values["cpuset.cpus"]


def test_policies_by_turns(host: FakeHost, scheduler: FakeScheduler, switcher: Switcher) -> None:
    before = host.kernel.state()
    assert switcher.enter() == []
    assert {tid for tid, (_pid, group) in host.kernel.tasks.items() if group == GROUP} == {110, 111, 210, 211}
    assert scheduler.pinned[os.getpid()] == (0, 1)
    entries = len(Journal(host).entries())
    for _turn in range(2):
        assert switcher.set(POLICIES["sidecore"]) == {
            "worker_cpus": "3",
            "vcpu_cpus": "0-2",
            "cgroups": [host.kernel.mount.as_posix() + GROUP],
        }
        assert cpuset(host) == "3"
        assert [scheduler.get(tid).cpus for tid in (110, 211)] == [(3,), (3,)]
        assert [scheduler.get(tid).cpus for tid in (100, 101, 200, 201)] == [(0, 1, 2)] * 4
        assert switcher.set(POLICIES["baseline"])["worker_cpus"] == "0-3"
        assert cpuset(host) == "0-3"
        assert {scheduler.get(tid).cpus for tid in (100, 101, 110, 111, 201)} == {(0, 1, 2, 3)}
    # Turns are but writes: what was there before is in the journal since the beginning.
    assert len(Journal(host).entries()) == entries
    switcher.leave()
    assert host.kernel.state() == before
    assert Journal(host).entries() == []
    assert scheduler.get(os.getpid()).cpus == (0, 1, 2, 3)


@pytest.mark.parametrize("was", [(0, 1, 2), (1,), (0, 1, 2, 3)])
def test_whatever_threads_had_is_put_back(
    host: FakeHost, scheduler: FakeScheduler, switcher: Switcher, was: tuple[int, ...]
) -> None:
    for tid in (100, 101):
        scheduler.pinned[tid] = was
    switcher.enter()
    switcher.set(POLICIES["sidecore_poll"])
    switcher.leave()
    assert [scheduler.get(tid).cpus for tid in (100, 101)] == [was, was]


def test_who_is_killed_leaves_all_to_the_journal(
    host: FakeHost, scheduler: FakeScheduler, switcher: Switcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pinner, "Scheduler", lambda: scheduler)
    monkeypatch.setattr(manager, "Scheduler", lambda: scheduler)
    before = host.kernel.state()
    switcher.enter()
    switcher.set(POLICIES["sidecore"])
    outcome = restore.replay(host)
    assert outcome.failures == []
    assert host.kernel.state() == before
    assert scheduler.get(101).cpus == (0, 1, 2, 3)


def test_what_the_kernel_does_not_grant(host: FakeHost, switcher: Switcher, monkeypatch: pytest.MonkeyPatch) -> None:
    switcher.enter()
    monkeypatch.setattr(host.kernel, "_effective", lambda *_given: "2-3")
    host.kernel.show()
    with pytest.raises(VirtperfError, match=r"was given CPUs 3.*the kernel grants 2-3"):
        switcher.set(POLICIES["sidecore"])


def test_a_thread_that_does_not_get_its_cpus(
    scheduler: FakeScheduler, switcher: Switcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    switcher.enter()
    monkeypatch.setattr(scheduler, "set_cpus", lambda _tid, _cpus: None)
    with pytest.raises(VirtperfError, match=r"thread 101 was given CPUs 0-2 \(found: the kernel grants 0-3"):
        switcher.set(POLICIES["sidecore"])


def test_a_vm_that_has_ended_keeps_no_other_from_its_policy(
    host: FakeHost, scheduler: FakeScheduler, switcher: Switcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    switcher.enter()
    real = scheduler.get

    def get(tid: int):  # type: ignore[no-untyped-def]
        if tid >= 200 and tid < 300:
            raise ProcessLookupError
        return real(tid)

    monkeypatch.setattr(scheduler, "get", get)
    switcher.set(POLICIES["sidecore"])
    assert real(101).cpus == (0, 1, 2)


def test_leaving_without_having_entered(host: FakeHost, switcher: Switcher) -> None:
    switcher.leave()
    assert Journal(host).entries() == []
