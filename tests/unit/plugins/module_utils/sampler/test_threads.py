# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU time of threads."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Threads, Watched, parse

WORKER = Watched("guest1/worker", 100, 103)


def write(tmp_path: Path, pid: int, tid: int, text: str = "5000 70 3\n", start: int = 42) -> Host:
    base = tmp_path / str(pid) / "task" / str(tid)
    base.mkdir(parents=True, exist_ok=True)
    (base / "schedstat").write_text(text)
    (base / "stat").write_text(f"{tid} (vhost-) x) S {' '.join(['0'] * 18)} {start} 0 0\n")
    return Host(proc=str(tmp_path))


def test_time_on_a_cpu_and_waiting_for_one(tmp_path: Path) -> None:
    write(tmp_path, 100, 103)
    source = Threads(write(tmp_path, 200, 200, "9 8 7"), [WORKER, Watched("guest1/vcpu0", 200, 200, start=42)])
    assert source.columns == [
        ("thread", "guest1/worker", "run_ns"),
        ("thread", "guest1/worker", "wait_ns"),
        ("thread", "guest1/vcpu0", "run_ns"),
        ("thread", "guest1/vcpu0", "wait_ns"),
    ]
    assert source.read() == [5000, 70, 9, 8]
    assert source.ended() == []
    source.close()


def test_one_that_ends_is_none_and_named(tmp_path: Path) -> None:
    write(tmp_path, 200, 200)
    source = Threads(write(tmp_path, 100, 103), [Watched("other", 200, 200), WORKER])
    (tmp_path / "100" / "task" / "103" / "schedstat").write_text("")
    assert source.read() == [5000, 70, None, None]
    assert source.ended() == ["guest1/worker"]


def test_a_real_thread(tmp_path: Path) -> None:
    pid = os.getpid()
    source = Threads(Host(), [Watched("me", pid, pid)])
    first = source.read()
    busy_until = time.thread_time() + 0.05  # the kernel brings its count up to date at its own ticks
    while time.thread_time() < busy_until:
        pass
    second = source.read()
    assert first[0] is not None
    assert second[0] is not None
    assert second[0] > first[0]


@pytest.mark.parametrize(
    ("thread", "message"),
    [
        (Watched("gone", 100, 999), "gone is not there: process 100 has no thread 999"),
        (Watched("other", 100, 103, start=41), "other has ended: thread 103 of process 100 is another one now"),
    ],
)
def test_one_that_is_not_there_is_told_before_sampling(tmp_path: Path, thread: Watched, message: str) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(VirtperfError, match=message):
        Threads(write(tmp_path, 100, 103), [WORKER, thread])
    assert os.listdir("/proc/self/fd") == before


def test_a_kernel_that_does_not_tell(tmp_path: Path) -> None:
    host = write(tmp_path, 100, 103)
    (tmp_path / "100" / "task" / "103" / "schedstat").unlink()
    with pytest.raises(VirtperfError, match="CONFIG_SCHED_INFO"):
        Threads(host, [WORKER])


def test_half_a_line_says_nothing() -> None:
    assert parse(b"12") == (None, None)
