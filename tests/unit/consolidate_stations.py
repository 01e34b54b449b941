# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests, stations and counters of the study consolidate that only pretend."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import Look
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import Ended

RR = "THROUGHPUT=1000.5\nTHROUGHPUT_UNITS=Trans/s\nELAPSED_TIME=1.00\nP50_LATENCY=90\nP99_LATENCY=450\n"
STREAM = "THROUGHPUT=940.25\nTHROUGHPUT_UNITS=10^6bits/s\nELAPSED_TIME=1.00\n"
MEMASLAP = "cmd_get: 900\ncmd_set: 100\nget_misses: 0\n\nRun time: 1.0s Ops: 1000 TPS: 999 Net_rate: 1.0M/s\n"
AB = (
    "Complete requests:      500\nFailed requests:        0\nRequests per second:    250.50 [#/sec] (mean)\n"
    "-- percentiles --\nPercentage served,Time in ms\n0,1.000\n50,2.500\n99,9.125\n100,20.0\n"
)
CPUS = {"allowed": [0, 1, 2, 3], "online": [0, 1, 2, 3], "isolated": [], "siblings_of": {}, "node_of": {}}


def probe(at_s: float, requests: int = 400) -> str:
    """What the program says that takes the time of memcached's answers."""
    return json.dumps({"ready_s": at_s - 0.1, "started_s": at_s, "requests": requests, "p50_us": 80.0, "p99_us": 300.0})


def guest(number: int, **changes: Any) -> dict[str, Any]:
    """As the module takes it; all its threads are this process."""
    me = os.getpid()
    return {
        "name": f"g{number}",
        "vm": f"vm{number}",
        "through": ["sh", "-c"],
        "nics": {
            nic: {
                "tap": f"{nic}{number}",
                "mac": f"52:54:00:C5:{net:02x}:{number:02x}",
                "address": f"198.19.{net}.{number}",
            }
            for net, nic in ((1, "plain"), (2, "poll"))
        },
        "threads": [
            {"role": role, "pid": me, "tid": me, "start": 0} for role in ("worker", "worker", "vcpu", "emulator")
        ],
        **changes,
    }


def trial(workload: str = "tcp_rr", guests: int = 1, policy: str = "baseline", number: int = 1) -> dict[str, Any]:
    """As the module takes it."""
    return {"policy": policy, "guests": guests, "workload": workload, "trial": number, "position": None}


def arguments(**changes: Any) -> dict[str, Any]:
    """All of the module's."""
    return {
        "guests": [guest(1), guest(2)],
        "trials": [trial()],
        "vm_cpus": "0-2",
        "io_cpus": "3",
        "load_cpus": "0-2",
        "addresses": {"plain": "198.19.1.254", "poll": "198.19.2.254"},
        "window_seconds": 0.2,
        "warmup_seconds": 0.05,
        "late_seconds": 0.1,
        "cgroup": "vhost-consolidated/workers",
        "connections": 4,
        "poll_us": 50,
        "seed": "r1",
        **changes,
    }


@dataclass
class FakeStation:
    """Programs that end when their time is over. ``says`` is what one prints, by the first word of its key; ``late_s``
    is how much later than asked they start, ``dies`` makes every request fail.
    """

    name: str = "here"
    says: dict[str, str] = field(default_factory=dict)
    errors: str = ""
    status: int = 0
    late_s: float = 0.0
    lasts_s: float = 0.5
    dies: str = ""
    started: list[tuple[str, list[str], float | None]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    answers: Callable[[Sequence[str]], str] = lambda _words: ""
    over: dict[str, Ended] = field(default_factory=dict)

    def _alive(self) -> None:
        if self.dies:
            raise VirtperfError(f"guest {self.name} does not answer (station)", found=self.dies)

    def start(self, key: str, words: Sequence[str], at_s: float | None = None) -> None:
        self._alive()
        self.started.append((key, list(words), at_s))

    def ended(self, key: str) -> Ended | None:
        return self.over.get(key)

    def finish(self, key: str, limit_s: float) -> Ended:
        self._alive()
        at_s = next(at for name, _words, at in reversed(self.started) if name == key)
        begun_s = (time.monotonic() if at_s is None else at_s) + self.late_s
        ended_s = begun_s + self.lasts_s
        time.sleep(max(0.0, ended_s - time.monotonic()))
        return Ended(self.status, self.says.get(key.split()[0], ""), self.errors, begun_s, ended_s)

    def stop(self, key: str) -> Ended:
        self.stopped.append(key)
        return Ended(-15, "", "", 0.0, 0.0)

    def look(self, macs_or_names: Sequence[str]) -> Look:
        raise NotImplementedError

    def command(self, words: Sequence[str], limit_s: float = 10.0) -> str:
        self._alive()
        self.commands.append(list(words))
        return self.answers(words)


_NET = "{}: {bytes} {packets} 0 0 0 0 0 0 {bytes} {packets} 0 0 0 0 0 0"


@dataclass
class FakeProc:
    """/proc/net/dev with the packets of each tap, /proc/stat with the ticks of each CPU, and threads."""

    root: Path
    taps: dict[str, int] = field(default_factory=dict)
    ticks: dict[int, list[int]] = field(default_factory=lambda: {cpu: [0] * 8 for cpu in range(4)})

    def write(self) -> None:
        """As they are now."""
        (self.root / "net").mkdir(parents=True, exist_ok=True)
        lines = [_NET.format(name, bytes=n * 1000, packets=n) for name, n in self.taps.items()]
        (self.root / "net" / "dev").write_text("\n".join(["h", "h", *lines]) + "\n")
        cpus = [f"cpu{cpu} {' '.join(map(str, ticks))} 0 0" for cpu, ticks in self.ticks.items()]
        (self.root / "stat").write_text("\n".join(["cpu 0 0", *cpus, "intr 1"]) + "\n")

    def thread(self, pid: int, tid: int, run_ns: int = 0, wait_ns: int = 0) -> None:
        """What the kernel tells of a thread."""
        base = self.root / str(pid) / "task" / str(tid)
        base.mkdir(parents=True, exist_ok=True)
        (base / "schedstat").write_text(f"{run_ns} {wait_ns} 1\n")
