# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One timed window over two running testpmds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import output
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Telemetry
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import Edge


@dataclass(frozen=True)
class Window:
    """What was read around and inside a window.

    ``samples`` are (seconds since its start, received packets/s of the stretch that ends there). ``cpu`` is the share
    of its CPUs that each end's forwarding threads used. ``stats`` cover ``stats_s`` seconds that contain the window.
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


def measure(generator: Instance, reflector: Instance, seconds: float, sample_s: float) -> Window:
    """Read both ends at the edges of a window of ``seconds``, and the generator every ``sample_s`` (0: not) inside."""
    ends = (generator, reflector)
    for end in ends:
        end.converse("clear fwd stats all")
    cleared_s = time.monotonic()
    with generator.telemetry() as generator_counters, reflector.telemetry() as reflector_counters:
        used = {end.name: _cpu_seconds(end) for end in ends}
        first = _edge(generator_counters, reflector_counters)
        cpu_from_s = time.monotonic()
        samples = _sleep(generator_counters, first, seconds, sample_s)
        last = _edge(generator_counters, reflector_counters)
        cpu_s = time.monotonic() - cpu_from_s
        cpu = {end.name: _used_ratio(used[end.name], _cpu_seconds(end), cpu_s) for end in ends}
    stats = {end.name: output.forward_stats(end.converse("show fwd stats all")) for end in ends}
    return Window(first, last, samples, cpu, stats, time.monotonic() - cleared_s)


def _edge(generator: Telemetry, reflector: Telemetry) -> Edge:
    return Edge(generator.counters(), reflector.counters())


def _sleep(generator: Telemetry, first: Edge, seconds: float, sample_s: float) -> tuple[tuple[float, float], ...]:
    start_s = first.generator.at_s
    samples = []
    before = first.generator
    steps = int(seconds / sample_s) if sample_s else 0
    for step in range(1, steps):
        _sleep_until(start_s + step * sample_s)
        now = generator.counters()
        rate = (now.rx_packets - before.rx_packets) / (now.at_s - before.at_s)
        samples.append((round(now.at_s - start_s, 4), round(rate, 1)))
        before = now
    _sleep_until(start_s + seconds)
    return tuple(samples)


def _sleep_until(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.monotonic()))


def _cpu_seconds(end: Instance) -> dict[int, float]:
    return {thread.tid: thread.cpu_seconds for thread in end.workers()}


def _used_ratio(before: dict[int, float], after: dict[int, float], seconds: float) -> float:
    shares = [(after[tid] - used) / seconds for tid, used in before.items() if tid in after]
    return round(min(1.0, sum(shares) / len(shares)), 4) if shares else 0.0
