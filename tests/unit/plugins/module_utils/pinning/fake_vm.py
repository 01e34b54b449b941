# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM in a directory that stands in for /proc and /sys, and a scheduler that grants what it likes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import render
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import PF_KTHREAD, Guest, observe
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler, Setting

PID = 100
BOOT = "335ac640-7b22-4531-ab7a-ac5a8db06545"
# From the third field of a line of /proc/<pid>/stat on: state, six more, flags, ..., start time.
STAT = "S 1 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 {start} 0 0"


class FakeScheduler(Scheduler):
    """Keeps settings in a dictionary; ``grants`` are the CPUs that a thread's cpuset has."""

    def __init__(self) -> None:
        self.settings: dict[int, Setting] = {}
        self.grants: dict[int, set[int]] = {}
        self.refuses: dict[int, OSError] = {}
        self.calls: list[tuple[int, str]] = []

    def get(self, tid: int) -> Setting:
        if tid not in self.settings:
            raise ProcessLookupError(3, "No such process")
        return self.settings[tid]

    def set_cpus(self, tid: int, cpus: tuple[int, ...]) -> None:
        now = self.get(tid)
        if tid in self.refuses:
            raise self.refuses[tid]
        self.calls.append((tid, render(cpus)))
        granted = tuple(cpu for cpu in cpus if cpu in self.grants.get(tid, set(cpus)))
        self.settings[tid] = Setting(granted, now.policy, now.priority, now.reset_on_fork)

    def set_policy(self, tid: int, wanted: Setting) -> None:
        now = self.get(tid)
        self.calls.append((tid, f"{wanted.policy}:{wanted.priority}"))
        self.settings[tid] = Setting(now.cpus, wanted.policy, wanted.priority, wanted.reset_on_fork)


class FakeVm:
    """Eight CPUs in two NUMA nodes, two threads a core (0 and 4, 1 and 5, ...); a QEMU with two vCPUs and io0."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.host = Host(str(root / "proc"), str(root / "sys"), str(root / "run"), str(root / "state"))
        self.scheduler = FakeScheduler()
        self.answers: dict[str, Any] = {
            "query-cpus-fast": [{"cpu-index": 0, "thread-id": 103}, {"cpu-index": 1, "thread-id": 104}],
            "query-iothreads": [{"id": "io0", "thread-id": 102}],
            "query-memdev": [{"policy": "default", "host-nodes": []}],
        }
        self.cpus()
        self.write("proc/sys/kernel/random/boot_id", BOOT)
        self.write("proc/self/mounts", "cgroup2 /nowhere cgroup2 rw 0 0")
        self.process(PID)
        for tid, comm in ((PID, "qemu"), (101, "call_rcu"), (102, "IO io0"), (103, "CPU 0"), (104, "CPU 1")):
            self.thread(tid, comm)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def cpus(self, online: str = "0-7", isolated: str = "") -> None:
        base = "sys/devices/system"
        self.write(f"{base}/cpu/present", "0-7")
        self.write(f"{base}/cpu/online", online)
        self.write(f"{base}/cpu/isolated", isolated)
        self.write(f"{base}/node/online", "0-1")
        self.write(f"{base}/node/node0/cpulist", "0-1,4-5")
        self.write(f"{base}/node/node1/cpulist", "2-3,6-7")
        for cpu in range(8):
            self.write(f"{base}/cpu/cpu{cpu}/topology/thread_siblings_list", f"{cpu % 4},{cpu % 4 + 4}")

    def process(self, pid: int, comm: str = "qemu", flags: int = 0, start: int = 500) -> None:
        self.write(f"proc/{pid}/stat", f"{pid} ({comm}) {STAT.format(flags=flags, start=start)}")
        self.write(f"proc/{pid}/comm", comm)

    def thread(self, tid: int, comm: str, pid: int = PID) -> None:
        self.write(f"proc/{pid}/task/{tid}/stat", f"{tid} ({comm}) {STAT.format(flags=0, start=tid)}")
        self.write(f"proc/{pid}/task/{tid}/comm", comm)
        self.write(f"proc/{tid}/status", f"Name:\t{comm}\nTgid:\t{pid}")
        self.scheduler.settings[tid] = Setting(tuple(range(8)))

    def kernel_worker(self, pid: int, comm: str, flags: int = PF_KTHREAD) -> None:
        self.process(pid, comm, flags)
        self.write(f"proc/{pid}/task/{pid}/stat", f"{pid} ({comm}) {STAT.format(flags=flags, start=500)}")
        self.scheduler.settings[pid] = Setting(tuple(range(8)))

    def cgroup(self, tid: int, path: str, cpus: str, version: int = 2) -> None:
        """Put a thread into a cgroup of one version, mounted alone, whose cpuset has these CPUs."""
        mount = self.root / "cgroup"
        kind, options = ("cgroup2", "rw") if version == 2 else ("cgroup", "rw,cpuset")
        self.write("proc/self/mounts", f"x {mount} {kind} {options} 0 0")
        self.write(f"proc/{tid}/cgroup", f"0::{path}" if version == 2 else f"4:memory:/other\n3:cpuset:{path}")
        name = "cpuset.cpus.effective" if version == 2 else "cpuset.effective_cpus"
        self.write(f"cgroup{path}/{name}", cpus)

    def ask(self, command: str) -> Any:
        return self.answers[command]

    def observe(self) -> Guest:
        return observe(self.host, "vm", self.ask)
