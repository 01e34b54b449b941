# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of each cell say together: how fast, how steady, what limits it, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import l1_mbps
from ansible_collections.virtperf.vhost.plugins.plugin_utils.modes import TwoModes, find_two_modes
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record, cell_key
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

NO_TRIAL = "no valid trial"
SKIPPED = "skipped"


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
class Verdict:
    """What limited a cell, and why that is known."""

    limit: str
    evidence: str


@dataclass(frozen=True, slots=True)
class CellSummary:
    """A cell on a host.

    ``counted`` are the valid trials that make up ``rates``, oldest first. ``superseded`` are valid ones beyond the
    number wanted, of which the newest count. ``invalid`` ones never count.
    """

    host: str
    study: str
    cell: Mapping[str, Any]
    wanted: int
    skipped: str
    counted: Sequence[Record]
    superseded: Sequence[Record]
    invalid: Sequence[Record]
    rates: Rates | None
    verdict: Verdict

    @property
    def packet_size(self) -> int:
        """Bytes, FCS included."""
        return self.cell["packet_size"]

    @property
    def is_complete(self) -> bool:
        """Whether the cell has the trials it was asked for, or a reason why it was skipped."""
        return bool(self.skipped) or len(self.counted) >= self.wanted

    @property
    def l1_mbps(self) -> float | None:
        """The median rate in Mbit/s on layer 1."""
        return None if self.rates is None else l1_mbps(self.rates.median, self.packet_size)

    @property
    def records(self) -> Sequence[Record]:
        """All trials of the cell, in the order of their lines."""
        return sorted((*self.counted, *self.superseded, *self.invalid), key=attrgetter("line"))

    @property
    def reasons(self) -> list[str]:
        """Why trials are missing, each reason once, with the trials it holds for."""
        if self.is_complete:
            return []
        by_reason: dict[str, list[int]] = {}
        for record in self.invalid:
            for reason in record.reasons:
                trials = by_reason.setdefault(reason, [])
                if record.trial not in trials:
                    trials.append(record.trial)
        reasons = [
            f"{'trial' if len(trials) == 1 else 'trials'} {', '.join(map(str, trials))}: {reason}"
            for reason, trials in by_reason.items()
        ]
        unmeasured = self.wanted - len(self.counted) - len(self.invalid)
        if unmeasured > 0:
            reasons.append(f"{unmeasured} of {count(self.wanted, 'trial')} not measured")
        return reasons


@dataclass(slots=True)
class _Trials:
    """Records of a cell while they are being sorted."""

    valid: list[Record] = field(default_factory=list)
    invalid: list[Record] = field(default_factory=list)


def analyse(records: Iterable[Record], wanted: Iterable[WantedCell]) -> list[CellSummary]:
    """A summary of every cell that was asked for, in that order, then of cells which only have records."""
    found: dict[tuple[str, str, str], _Trials] = {}
    strangers: dict[tuple[str, str, str], WantedCell] = {}
    for record in records:
        key = (record.host, record.study, cell_key(record.cell))
        trials = found.get(key)
        if trials is None:
            trials = found[key] = _Trials()
            strangers[key] = WantedCell(record.host, record.study, record.cell, trials=0)
        (trials.valid if record.valid else trials.invalid).append(record)
    summaries = []
    for cell in wanted:
        key = (cell.host, cell.study, cell_key(cell.cell))
        strangers.pop(key, None)
        summaries.append(_summarise(cell, found.get(key) or _Trials()))
    return summaries + [_summarise(cell, found[key]) for key, cell in strangers.items()]


def _summarise(wanted: WantedCell, trials: _Trials) -> CellSummary:
    valid = sorted(trials.valid, key=attrgetter("started_at", "line"))
    # A resumed run may have measured a cell once more: then the newest trials are the ones that belong together.
    surplus = max(len(valid) - wanted.trials, 0) if wanted.trials else 0
    counted = valid[surplus:]
    rates = _rates([record.rx_pps for record in counted]) if counted else None
    return CellSummary(
        host=wanted.host,
        study=wanted.study,
        cell=wanted.cell,
        wanted=wanted.trials,
        skipped=wanted.skipped,
        counted=counted,
        superseded=valid[:surplus],
        invalid=trials.invalid,
        rates=rates,
        verdict=_judge(counted, rates, wanted),
    )


def _rates(pps: Sequence[float]) -> Rates:
    return Rates(trials=len(pps), median=median(pps), low=min(pps), high=max(pps), modes=find_two_modes(pps))


def _judge(counted: Sequence[Record], rates: Rates | None, wanted: WantedCell) -> Verdict:
    """The cell's verdict out of its trials' own."""
    if rates is None:
        return Verdict(SKIPPED, wanted.skipped) if wanted.skipped else Verdict(NO_TRIAL, "")
    if rates.is_unstable:
        return Verdict("unstable", f"{describe_spread(rates)}; {_said(counted)}")
    limits = Counter(record.limit for record in counted)
    # The trial that the table's number comes from, or the slower of the two in the middle.
    middle = sorted(counted, key=attrgetter("rx_pps"))[(len(counted) - 1) // 2]
    speed = _link_speed(counted)
    l1 = l1_mbps(rates.median, wanted.cell["packet_size"])
    if speed and abs(l1 - speed) <= LINK_SPEED_TOLERANCE * speed and set(limits) != {"link-speed-cap"}:
        return Verdict(
            "link-speed-cap",
            f"{mbits(l1)} Mbit/s L1 are within {percent(LINK_SPEED_TOLERANCE)} of the link speed, {mbits(speed)} "
            f"Mbit/s; {_said(counted)}",
        )
    if len(limits) == 1:
        return Verdict(middle.limit, middle.evidence)
    # One trial that something disturbed does not speak for the cell; without a majority nobody does.
    (limit, trials), *_others = limits.most_common()
    return Verdict(limit if 2 * trials > len(counted) else "undetermined", _said(counted))


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


def _said(counted: Sequence[Record]) -> str:
    """What the trials say by themselves: each limit, how often, and the evidence of one of them."""
    voices: dict[str, list[Record]] = {}
    for record in counted:
        voices.setdefault(record.limit, []).append(record)
    ordered = sorted(voices.items(), key=lambda voice: -len(voice[1]))
    said = [f"{limit} ({len(who)} of {len(counted)}: {who[0].evidence})" for limit, who in ordered]
    return f"the {'trial says' if len(counted) == 1 else 'trials say'} {', '.join(said)}"


def _link_speed(counted: Sequence[Record]) -> float | None:
    """Mbit/s of the link, if the trials know it and agree."""
    speeds = [record.observed.get("link_speed_mbps") for record in counted]
    speed = speeds[0] if all(other == speeds[0] for other in speeds) else None
    return float(speed) if isinstance(speed, int | float) and speed > 0 else None
