# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The window that all guests share: counters of the hypervisor, read at its two ends by one clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.files import close_all, read_again
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.interfaces import Interfaces
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Column, Reading
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Threads, Watched

# Of a line of /proc/stat, from user on: idle and iowait. What a hypervisor below us took (steal) nobody here used.
_IDLE, _IOWAIT, _STEAL = 3, 4, 7
_TIMES = 8


@dataclass(frozen=True)
class Look:
    """All counters at one instant of CLOCK_MONOTONIC. ``cpus`` maps a CPU to its busy ticks and all of its ticks."""

    at_s: float
    readings: Mapping[Column, Reading] = field(default_factory=dict)
    cpus: Mapping[int, tuple[int, int]] = field(default_factory=dict)


class Counters:
    """Keeps the files open; a context manager."""

    def __init__(
        self,
        host: Host,
        interfaces: Sequence[str],
        threads: Sequence[Watched],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._interfaces = Interfaces(host, interfaces)
        self._stat: list[int] = []
        try:
            self._threads = Threads(host, threads)
            self._stat.append(os.open(f"{host.proc}/stat", os.O_RDONLY | os.O_CLOEXEC))
        except BaseException:
            self.close()
            raise

    def look(self) -> Look:
        """Read all. What has gone is None."""
        at_s = self._clock()
        readings: dict[Column, Reading] = dict(zip(self._interfaces.columns, self._interfaces.read()))
        readings.update(zip(self._threads.columns, self._threads.read()))
        return Look(at_s, readings, parse_stat(read_again(self._stat[0])))

    def ended(self) -> list[str]:
        """The threads that had ended at the last look."""
        return self._threads.ended()

    def close(self) -> None:
        """Let go of the files."""
        self._interfaces.close()
        if hasattr(self, "_threads"):
            self._threads.close()
        close_all(self._stat)

    def __enter__(self) -> Counters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def parse_stat(text: bytes) -> dict[int, tuple[int, int]]:
    """Of each CPU in /proc/stat the ticks that it was busy, and all."""
    found = {}
    for line in text.splitlines():
        name, *fields = line.split()
        if name.startswith(b"cpu") and name != b"cpu" and len(fields) >= _TIMES:
            ticks = [int(one) for one in fields[:_TIMES]]
            all_ticks = sum(ticks)
            found[int(name[3:])] = (all_ticks - ticks[_IDLE] - ticks[_IOWAIT] - ticks[_STEAL], all_ticks)
    return found


@dataclass(frozen=True)
class Window:
    """What happened between two looks."""

    begin: Look
    end: Look

    @property
    def seconds(self) -> float:
        """How long it really was."""
        return self.end.at_s - self.begin.at_s

    def grown(self, column: Column) -> int | None:
        """What a counter grew by; None where it could not be read at both ends, or was begun anew in between."""
        before, after = self.begin.readings.get(column), self.end.readings.get(column)
        return None if before is None or after is None or after < before else after - before

    def mbps(self, interface: str, counter: str) -> float | None:
        """The rate of a byte counter, headers included."""
        grown = self.grown(("net", interface, counter))
        return None if grown is None else grown * 8 / 1e6 / self.seconds

    def packets(self, interface: str) -> int | None:
        """Both ways."""
        ways = [self.grown(("net", interface, f"{way}_packets")) for way in ("rx", "tx")]
        return None if None in ways else sum(number or 0 for number in ways)

    def share(self, thread: str, counter: str) -> float | None:
        """A thread's time on a CPU (``run_ns``), or in wait of one (``wait_ns``), as a share of the window."""
        grown = self.grown(("thread", thread, counter))
        return None if grown is None else grown / 1e9 / self.seconds

    def busy(self, cpus: Sequence[int]) -> float | None:
        """How many of these CPUs were busy, in the sum; None where one does not tell."""
        total = 0.0
        for cpu in cpus:
            before, after = self.begin.cpus.get(cpu), self.end.cpus.get(cpu)
            if before is None or after is None or after[1] <= before[1]:
                return None
            # The kernel may take back a tick of idle time: busy ones are never more than all, and never less than none.
            total += min(1.0, max(0.0, (after[0] - before[0]) / (after[1] - before[1])))
        return total
