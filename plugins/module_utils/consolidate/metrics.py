# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what each guest did to what all did together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class GuestFigures:
    """What one guest did in a trial; None is what cannot be known. ``goodput_mbps`` is what netperf itself counted,
    without headers and over its own run, beside ``mbps`` of the tap over the window.
    """

    name: str
    mbps: float | None = None
    transactions_per_s: float | None = None
    latency_p50_us: float | None = None
    latency_p99_us: float | None = None
    goodput_mbps: float | None = None
    started_late_s: float | None = None

    @property
    def rate(self) -> float | None:
        """The one that its workload is counted by."""
        return self.mbps if self.mbps is not None else self.transactions_per_s

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {key: _rounded(value) if key != "name" else value for key, value in self.__dict__.items()}


def fairness(rates: Sequence[float]) -> float | None:
    """Jain's index: 1 where all have the same, 1/n where one has it all; None where nobody has anything."""
    squares = sum(rate * rate for rate in rates)
    return sum(rates) ** 2 / (len(rates) * squares) if squares else None


def metrics(
    guests: Sequence[GuestFigures], cpu: Mapping[str, float | None], busy: Mapping[str, float | None]
) -> dict[str, float | None]:
    """``cpu`` are cores that the guests' threads used, by role; ``busy`` cores that were busy, of "io", "vm", "load".

    The median of the guests' medians and the worst of their 99th percentiles: a guest that waits is not outvoted. What
    there is per CPU counts the cores that vCPUs, workers and emulators used, and not what made the traffic.
    """
    mbps = _sum([guest.mbps for guest in guests])
    transactions = _sum([guest.transactions_per_s for guest in guests])
    rates = [guest.rate for guest in guests]
    used = _sum(list(cpu.values()))
    medians = [guest.latency_p50_us for guest in guests]
    worst = [guest.latency_p99_us for guest in guests]
    found = {
        "total_mbps": mbps,
        "transactions_per_s": transactions,
        "fairness": fairness(known) if (known := _all(rates)) else None,
        "latency_p50_us": median(known) if (known := _all(medians)) else None,
        "latency_p99_us": max(known) if (known := _all(worst)) else None,
        "io_cpu": busy.get("io"),
        "vm_cpu": busy.get("vm"),
        "load_cpu": busy.get("load"),
        "mbps_per_cpu": mbps / used if mbps is not None and used else None,
        "transactions_per_cpu": transactions / used if transactions is not None and used else None,
    }
    return {name: _rounded(value) for name, value in found.items()}


def _all(values: Sequence[float | None]) -> list[float]:
    """None of them where one is not known: what some did says nothing of all."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _sum(values: Sequence[float | None]) -> float | None:
    known = _all(values)
    return sum(known) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
