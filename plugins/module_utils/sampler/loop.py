# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads all sources at a fixed pace on the monotonic clock, and knows how late it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import SeriesWriter
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Reading, Source

# Waits until an instant of the monotonic clock.
Wait = Callable[[float], None]


def sleep_until(instant_s: float) -> None:
    """Do nothing until then."""
    time.sleep(max(0.0, instant_s - time.monotonic()))


@dataclass(frozen=True)
class Pace:
    """How well the pace was kept. ``missed`` ticks came while the sample before was still being taken.

    ``cpu_share`` is the sampler's own CPU time as a share of one CPU.
    """

    samples: int
    missed: int
    worst_late_s: float
    cpu_share: float

    def as_dict(self) -> dict[str, Any]:
        """For records and results."""
        return {
            "samples": self.samples,
            "missed": self.missed,
            "worst_late_ms": round(self.worst_late_s * 1e3, 3),
            "cpu_share": round(self.cpu_share, 5),
        }


class Sampler:
    """Takes sample k at ``start + k * period``. Ticks that were missed are left out, the others keep their places.

    ``start`` is the monotonic clock at construction, in seconds.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        path: str,
        period_s: float,
        *,
        wait: Wait = sleep_until,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._sources = sources
        self._period_s = period_s
        self._wait = wait
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._cpu_from_s = cpu_clock()
        self._tick = 0
        self._samples = 0
        self._missed = 0
        self._worst_late_s = 0.0
        self.start_s = clock()
        started_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        columns = [column for source in sources for column in source.columns]
        self._writer = SeriesWriter(path, columns, {"period_s": period_s, "started_at": started_at})

    def run_until(self, instant_s: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Take all samples up to that instant and the one at it, or return after one of them when ``stop`` says so."""
        # A boundary that is a multiple of the period must not lose its sample to rounding.
        last_s = instant_s + self._period_s / 1000
        while (planned_s := self.start_s + self._tick * self._period_s) <= last_s:
            self._wait(planned_s)
            self._sample(planned_s)
            if stop():
                return
        self._wait(instant_s)

    def _sample(self, planned_s: float) -> None:
        now_s = self._clock()
        readings: list[Reading] = []
        for source in self._sources:
            readings += source.read()
        late_s = now_s - planned_s
        self._writer.append(round((now_s - self.start_s) * 1e6), round(late_s * 1e6), readings)
        self._samples += 1
        self._worst_late_s = max(self._worst_late_s, late_s)
        # The next tick is the first that is still to come: two samples right after one another show no rate.
        following = int((self._clock() - self.start_s) / self._period_s) + 1
        self._missed += max(0, following - self._tick - 1)
        self._tick = max(self._tick + 1, following)

    def pace(self) -> Pace:
        """How well it went so far."""
        seconds = self._clock() - self.start_s
        used_s = self._cpu_clock() - self._cpu_from_s
        return Pace(self._samples, self._missed, self._worst_late_s, used_s / seconds if seconds else 0.0)

    def __enter__(self) -> Sampler:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._writer.__exit__(*exception)
        for source in self._sources:
            source.close()
