# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of the study knobs say together: each level of a knob against its baseline, workload by workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import Contrast, Effect, Pair, judge
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import METRICS, Metric, absent, primary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.numbers import Number, number_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import (
    CellTrials,
    JudgedCell,
    judged_by,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import level

STUDY = "knobs"


@dataclass(frozen=True, slots=True)
class KnobCell(JudgedCell):
    """A level of a knob in a workload. Two knobs that are crossed are one: their names, and levels, with a comma."""

    @property
    def knob(self) -> str:
        """The knob's name."""
        return level(self.cell["knob"])

    @property
    def level(self) -> str:
        """What it was set to."""
        return level(self.cell["level"])

    @property
    def workload(self) -> str:
        """What went over it."""
        return level(self.cell["workload"])

    @property
    def primary(self) -> Number | None:
        """The metric that its workload is about."""
        return self.metric(primary(self.workload))

    def metric(self, name: str) -> Number | None:
        """A metric over the trials that have it; None where none does."""
        return number_of(METRICS[name].read(record) for record in self.counted)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A level of a knob against the baseline level, in one workload. ``effects`` are by metric."""

    baseline: KnobCell | None
    variant: KnobCell
    pairs: Sequence[tuple[Record, Record]]
    effects: Mapping[str, Effect | None]

    @property
    def primary(self) -> str:
        """The metric that the workload is about."""
        return primary(self.variant.workload)

    @property
    def effect(self) -> Effect | None:
        """What the level does to that one; None where no pair has it."""
        return self.effects.get(self.primary)

    @property
    def change(self) -> str:
        """on -> off."""
        return f"{self.baseline.level if self.baseline else '?'} -> {self.variant.level}"

    @property
    def records(self) -> list[Record]:
        """All trials of its pairs, in the order of their lines."""
        return sorted((record for pair in self.pairs for record in pair), key=_line)

    def absent(self, name: str) -> str:
        """Why there is no effect on a metric, "" where there is one."""
        if self.effects.get(name):
            return ""
        return _why_absent(self, METRICS[name])


@dataclass(frozen=True)
class Screening(CellGroup):
    """What the study knobs measured on one host. ``comparisons`` begin with the largest effect."""

    host: str
    study: str
    all_cells: Sequence[KnobCell]
    comparisons: Sequence[Comparison]

    @property
    def cells(self) -> Sequence[KnobCell]:
        """All cells, in the order asked for."""
        return self.all_cells

    @cached_property
    def by_knob(self) -> Mapping[str, Sequence[Comparison]]:
        """The comparisons of each knob, in the order in which cells first name it."""
        found: dict[str, list[Comparison]] = {cell.knob: [] for cell in self.all_cells}
        for comparison in self.comparisons:
            found[comparison.variant.knob].append(comparison)
        return found

    def cell(self, knob: str, at: str, workload: str) -> KnobCell | None:
        """One of the cells."""
        return self._by_place.get((knob, at, workload))

    @cached_property
    def _by_place(self) -> Mapping[tuple[str, str, str], KnobCell]:
        return {(cell.knob, cell.level, cell.workload): cell for cell in self.all_cells}


def lay_out_screenings(cells: Iterable[CellTrials]) -> list[Screening]:
    """The screening of each host, in the order in which hosts first appear."""
    hosts: dict[str, list[KnobCell]] = {}
    for cell in cells:
        hosts.setdefault(cell.host, []).append(_summarise(cell))
    return [Screening(host, STUDY, found, _compare(found)) for host, found in hosts.items()]


def baseline_level(knob: str, levels: Sequence[str]) -> str:
    """The level that the others are compared with: that of the catalogue or, of a stranger, the first."""
    parts = knob.split(",")
    if all(part in KNOBS for part in parts):
        known = ",".join(KNOBS[part].baseline for part in parts)
        if known in levels or len(levels) == 1:
            return known
    return levels[0]


def _summarise(cell: CellTrials) -> KnobCell:
    return judged_by(KnobCell, cell, primary(level(cell.cell["workload"])))


def _compare(cells: Sequence[KnobCell]) -> list[Comparison]:
    """All comparisons of a host, the largest effect first, those without one last."""
    places: dict[tuple[str, str], dict[str, KnobCell]] = {}
    for cell in cells:
        places.setdefault((cell.knob, cell.workload), {})[cell.level] = cell
    found: list[tuple[KnobCell | None, KnobCell, list[tuple[Record, Record]]]] = []
    for (knob, _workload), levels in places.items():
        baseline = levels.get(baseline_level(knob, list(levels)))
        found += [
            (baseline, cell, pairs_of(baseline, cell))
            for cell in levels.values()
            if cell is not baseline and not (cell.skipped and not cell.counted)
        ]
    effects = _effects([(variant.workload, pairs) for _baseline, variant, pairs in found])
    comparisons = [Comparison(*one, of_one) for one, of_one in zip(found, effects, strict=True)]
    return sorted(comparisons, key=lambda one: -one.effect.size if one.effect else 1.0)


def pairs_of(baseline: CellTrials | None, variant: CellTrials) -> list[tuple[Record, Record]]:
    """Trials of the same number, baseline first. Where a resumed run has a number twice, its newest trial counts."""
    if baseline is None:
        return []
    before = {record.trial: record for record in baseline.counted}
    after = {record.trial: record for record in variant.counted}
    return [(before[trial], after[trial]) for trial in sorted(before.keys() & after.keys())]


def _effects(found: Sequence[tuple[str, Sequence[tuple[Record, Record]]]]) -> list[dict[str, Effect | None]]:
    """For each workload with its pairs the effects by metric.

    What the workloads are about is one family, whichever metric that is; of every other metric the effects are another.
    """
    effects: list[dict[str, Effect | None]] = [{} for _one in found]
    about = [primary(workload) for workload, _pairs in found]
    families = [list(enumerate(about))]
    families += [[(at, name) for at, main in enumerate(about) if main != name] for name in METRICS]
    for family in families:
        contrasts = [contrast(found[at][1], METRICS[name]) for at, name in family]
        for (at, name), effect in zip(family, judge(contrasts), strict=True):
            effects[at][name] = effect
    return effects


def contrast(pairs: Iterable[tuple[Record, Record]], metric: Metric) -> Contrast:
    """A metric of these pairs."""
    return Contrast(readings(pairs, metric), metric.name, metric.is_count)


def readings(pairs: Iterable[tuple[Record, Record]], metric: Metric) -> list[Pair]:
    """What a metric was in each pair in which both trials know it."""
    both = ((metric.read(before), metric.read(after)) for before, after in pairs)
    return [(before, after) for before, after in both if before is not None and after is not None]


def _why_absent(comparison: Comparison, metric: Metric) -> str:
    reasons: dict[str, Any] = {}
    for pair in comparison.pairs:
        reasons.update(dict.fromkeys(reason for record in pair if (reason := absent(record, metric))))
    return "; ".join(reasons) if reasons else "no pair of valid trials"


def _line(record: Record) -> int:
    return record.line
