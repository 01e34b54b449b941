# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One timed window over two running ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import output
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.end import End
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import Edge

# When they were read in s, and the packets that came back to the generator until then.
Reading = Callable[[], tuple[float, int]]


@dataclass(frozen=True)
class Ends:
    """The two ends by place and by part. The vswitch is always on the machine that measures."""

    vswitch: End
    far_end: End
    vswitch_reflects: bool

    @property
    def generator(self) -> End:
        """The end that makes packets."""
        return self.far_end if self.vswitch_reflects else self.vswitch

    @property
    def reflector(self) -> End:
        """The end that sends them back."""
        return self.vswitch if self.vswitch_reflects else self.far_end

    @property
    def both(self) -> tuple[End, End]:
        """The one that a death is looked for in first comes first: a generator falls silent when its reflector dies."""
        return self.reflector, self.generator

    def came_back(self) -> tuple[float, int]:
        """A reading of the vswitch, which sends back or gets back. That does not disturb a guest."""
        counters = self.vswitch.counters()
        return counters.at_s, counters.tx_packets if self.vswitch_reflects else counters.rx_packets


@dataclass(frozen=True)
class Window:
    """What was read around and inside a window.

    ``samples`` are (seconds since its start, returned packets/s of the stretch that ends there). ``cpu`` is the share
    of its CPUs that each end's forwarding threads used. ``stats`` contain the window: the reflector's cover ``stats_s``
    seconds, the generator's all since its traffic started.
    """

    first: Edge
    last: Edge
    samples: tuple[tuple[float, float], ...]
    cpu: dict[str, float]
    stats: dict[str, output.ForwardStats | None]
    stats_s: float

    @property
    def duration_s(self) -> float:
        """By the generator's own two readings."""
        return self.last.generator.at_s - self.first.generator.at_s

    @property
    def sample_pps(self) -> tuple[float, ...]:
        """The rates alone."""
        return tuple(rate for _at, rate in self.samples)


def measure(ends: Ends, seconds: float, sample_s: float) -> Window:
    """Read both ends at the edges of a window of ``seconds``, and the vswitch every ``sample_s`` (0: not) inside."""
    ends.reflector.clear()
    cleared_s = time.monotonic()
    used = {end.name: end.cpu_seconds() for end in ends.both}
    first = _edge(ends)
    cpu_from_s = time.monotonic()
    samples = _sleep(ends.came_back, first.generator.at_s, seconds, sample_s)
    last = _edge(ends)
    cpu_s = time.monotonic() - cpu_from_s
    cpu = {end.name: _used_ratio(used[end.name], end.cpu_seconds(), cpu_s) for end in ends.both}
    stats = {end.name: end.statistics() for end in (ends.generator, ends.reflector)}
    return Window(first, last, samples, cpu, stats, time.monotonic() - cleared_s)


def _edge(ends: Ends) -> Edge:
    return Edge(ends.generator.counters(), ends.reflector.counters())


def _sleep(read: Reading, start_s: float, seconds: float, sample_s: float) -> tuple[tuple[float, float], ...]:
    samples = []
    steps = int(seconds / sample_s) if sample_s else 0
    before_s, before = read() if steps > 1 else (start_s, 0)
    for step in range(1, steps):
        _sleep_until(start_s + step * sample_s)
        now_s, now = read()
        samples.append((round(now_s - start_s, 4), round((now - before) / (now_s - before_s), 1)))
        before_s, before = now_s, now
    _sleep_until(start_s + seconds)
    return tuple(samples)


def _sleep_until(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.monotonic()))


def _used_ratio(before: dict[int, float], after: dict[int, float], seconds: float) -> float:
    shares = [(after[tid] - used) / seconds for tid, used in before.items() if tid in after]
    return round(min(1.0, sum(shares) / len(shares)), 4) if shares else 0.0
