# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of each cell of the study reflect say together: how fast, how steady, and what limits it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import median

from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import l1_mbps
from ansible_collections.virtperf.vhost.plugins.plugin_utils.modes import TwoModes, find_two_modes
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import (
    CellTrials,
    JudgedCell,
    Verdict,
    gather,
    said,
    spoken_for,
    without_trials,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import WantedCell
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import (
    count,
    mbits,
    mpps_range,
    percent,
)

# Trials of a cell that lie further apart than this, against their median, are not one number any more.
UNSTABLE_SPREAD = 0.10
# A rate this close to the speed of the link is the link's.
LINK_SPEED_TOLERANCE = 0.01
_LINK_CAP = "link-speed-cap"


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast the trials of a cell were, in packets per second."""

    trials: int
    median: float
    low: float
    high: float
    modes: TwoModes | None

    @property
    def spread(self) -> float:
        """From the slowest trial to the fastest, as a share of the median."""
        if self.high == self.low:
            return 0.0
        return (self.high - self.low) / self.median if self.median else float("inf")

    @property
    def is_spread(self) -> bool:
        """Whether the trials lie too far apart to be one number."""
        return self.spread > UNSTABLE_SPREAD

    @property
    def is_unstable(self) -> bool:
        """Whether the median alone would mislead."""
        return self.is_spread or self.modes is not None


@dataclass(frozen=True, slots=True)
class CellSummary(JudgedCell):
    """A cell on a host. ``rates`` are those of the trials ``counted``."""

    rates: Rates | None

    @property
    def packet_size(self) -> int:
        """Bytes, FCS included."""
        return self.cell["packet_size"]

    @property
    def l1_mbps(self) -> float | None:
        """The median rate in Mbit/s on layer 1."""
        return None if self.rates is None else l1_mbps(self.rates.median, self.packet_size)


def analyse(records: Iterable[Record], wanted: Iterable[WantedCell]) -> list[CellSummary]:
    """A summary of every cell that was asked for, in that order, then of cells which only have records."""
    return [summarise(cell) for cell in gather(records, wanted)]


def summarise(cell: CellTrials) -> CellSummary:
    """A cell's trials as rates and a verdict."""
    rates = _rates([record.rx_pps for record in cell.counted]) if cell.counted else None
    return CellSummary(
        host=cell.host,
        study=cell.study,
        cell=cell.cell,
        wanted=cell.wanted,
        skipped=cell.skipped,
        counted=cell.counted,
        superseded=cell.superseded,
        invalid=cell.invalid,
        verdict=_judge(cell, rates),
        rates=rates,
    )


def _rates(pps: Sequence[float]) -> Rates:
    return Rates(trials=len(pps), median=median(pps), low=min(pps), high=max(pps), modes=find_two_modes(pps))


def _judge(cell: CellTrials, rates: Rates | None) -> Verdict:
    """The cell's verdict out of its trials' own."""
    counted = cell.counted
    if rates is None:
        return without_trials(cell)
    if rates.is_unstable:
        return Verdict("unstable", f"{describe_spread(rates)}; {said(counted)}")
    # The trial that the table's number comes from, or the slower of the two in the middle.
    middle = sorted(counted, key=attrgetter("rx_pps"))[(len(counted) - 1) // 2]
    speed = _link_speed(counted)
    l1 = l1_mbps(rates.median, cell.cell["packet_size"])
    if speed and abs(l1 - speed) <= LINK_SPEED_TOLERANCE * speed and {one.limit for one in counted} != {_LINK_CAP}:
        return Verdict(
            _LINK_CAP,
            f"{mbits(l1)} Mbit/s L1 are within {percent(LINK_SPEED_TOLERANCE)} of the link speed, {mbits(speed)} "
            f"Mbit/s; {said(counted)}",
        )
    return spoken_for(counted, middle)


def describe_spread(rates: Rates) -> str:
    """How far apart the trials are, in words."""
    if rates.modes is None:
        trials = count(rates.trials, "trial")
        return f"{trials} from {mpps_range((rates.low, rates.high))}, {percent(rates.spread)} of the median apart"
    low, high = rates.modes.low, rates.modes.high
    words = f"two modes: {count(len(low), 'trial')} at {mpps_range(low)}, {len(high)} at {mpps_range(high)}"
    if not rates.modes.is_proven:
        words += f" ({rates.trials} trials hint at a second mode, they do not prove it)"
    return words


def _link_speed(counted: Sequence[Record]) -> float | None:
    """Mbit/s of the link, if the trials know it and agree."""
    speeds = [record.observed.get("link_speed_mbps") for record in counted]
    speed = speeds[0] if all(other == speeds[0] for other in speeds) else None
    return float(speed) if isinstance(speed, int | float) and speed > 0 else None
