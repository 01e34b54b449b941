# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trials of each cell, whatever its study: which of them count, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record, cell_key
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import WantedCell
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count

NO_TRIAL = "no valid trial"
SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CellTrials:
    """A cell on a host.

    ``counted`` are the valid trials that make up its numbers, oldest first. ``superseded`` are valid ones beyond the
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

    @property
    def is_complete(self) -> bool:
        """Whether the cell has the trials it was asked for, or a reason why it was skipped."""
        return bool(self.skipped) or len(self.counted) >= self.wanted

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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What limited a cell, and why that is known."""

    limit: str
    evidence: str


@dataclass(frozen=True, slots=True)
class JudgedCell(CellTrials):
    """A cell with its verdict."""

    verdict: Verdict


Judged = TypeVar("Judged", bound=JudgedCell)


@dataclass(slots=True)
class _Trials:
    """Records of a cell while they are being sorted."""

    valid: list[Record] = field(default_factory=list)
    invalid: list[Record] = field(default_factory=list)


def gather(records: Iterable[Record], wanted: Iterable[WantedCell]) -> list[CellTrials]:
    """The trials of every cell that was asked for, in that order, then of cells which only have records."""
    found: dict[tuple[str, str, str], _Trials] = {}
    strangers: dict[tuple[str, str, str], WantedCell] = {}
    for record in records:
        key = (record.host, record.study, cell_key(record.cell))
        trials = found.get(key)
        if trials is None:
            trials = found[key] = _Trials()
            strangers[key] = WantedCell(record.host, record.study, record.cell, trials=0)
        (trials.valid if record.valid else trials.invalid).append(record)
    cells = []
    for cell in wanted:
        key = (cell.host, cell.study, cell_key(cell.cell))
        strangers.pop(key, None)
        cells.append(_cell(cell, found.get(key) or _Trials()))
    return cells + [_cell(cell, found[key]) for key, cell in strangers.items()]


def _cell(wanted: WantedCell, trials: _Trials) -> CellTrials:
    valid = sorted(trials.valid, key=attrgetter("started_at", "line"))
    # A resumed run may have measured a cell once more: then the newest trials are the ones that belong together.
    surplus = max(len(valid) - wanted.trials, 0) if wanted.trials else 0
    return CellTrials(
        host=wanted.host,
        study=wanted.study,
        cell=wanted.cell,
        wanted=wanted.trials,
        skipped=wanted.skipped,
        counted=valid[surplus:],
        superseded=valid[:surplus],
        invalid=trials.invalid,
    )


def judged_by(kind: type[Judged], cell: CellTrials, metric: str) -> Judged:
    """The cell with the verdict of its trials: the one in the middle by a metric speaks for those that agree.

    Trials may lie far apart (what is left of a stream that is nearly stopped does) and agree on what limits them.
    """
    if cell.counted:
        ordered = sorted(cell.counted, key=lambda record: record.metric(metric) or 0.0)
        verdict = spoken_for(cell.counted, ordered[(len(ordered) - 1) // 2])
    else:
        verdict = without_trials(cell)
    return kind(**{part.name: getattr(cell, part.name) for part in fields(cell)}, verdict=verdict)


def without_trials(cell: CellTrials) -> Verdict:
    """The verdict on a cell that no trial speaks for."""
    return Verdict(SKIPPED, cell.skipped) if cell.skipped else Verdict(NO_TRIAL, "")


def spoken_for(counted: Sequence[Record], middle: Record) -> Verdict:
    """The verdict that the trials' own come to; the evidence is that of the trial in the middle where they agree."""
    limits = Counter(record.limit for record in counted)
    if len(limits) == 1:
        return Verdict(middle.limit, middle.evidence)
    # One trial that something disturbed does not speak for the cell; without a majority nobody does.
    (limit, trials), *_others = limits.most_common()
    return Verdict(limit if 2 * trials > len(counted) else "undetermined", said(counted))


def said(counted: Sequence[Record]) -> str:
    """What the trials say by themselves: each limit, how often, and the evidence of one of them."""
    voices: dict[str, list[Record]] = {}
    for record in counted:
        voices.setdefault(record.limit, []).append(record)
    ordered = sorted(voices.items(), key=lambda voice: -len(voice[1]))
    told = [f"{limit} ({len(who)} of {len(counted)}: {who[0].evidence})" for limit, who in ordered]
    return f"the {'trial says' if len(counted) == 1 else 'trials say'} {', '.join(told)}"
