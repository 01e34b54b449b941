# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of the study consolidate say together: for each workload, policies against the number of guests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import WORKLOADS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import Contrast, Effect, Pair, judge
from ansible_collections.virtperf.vhost.plugins.plugin_utils.numbers import Number, number_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import (
    CellTrials,
    JudgedCell,
    judged_by,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import level

STUDY = "consolidate"
# What the other policies are compared with.
BASELINE = "baseline"
MBPS, TRANSACTIONS = "total_mbps", "transactions_per_s"
P50, P99 = "latency_p50_us", "latency_p99_us"
_PER_CPU = {MBPS: "mbps_per_cpu", TRANSACTIONS: "transactions_per_cpu"}
# What one guest did, in the list of a record's guests.
_OF_A_GUEST = {MBPS: "mbps", TRANSACTIONS: TRANSACTIONS}


def rate_metric(workload: str) -> str:
    """What a workload is counted by: Mbit/s of a stream, transactions of all else."""
    known = WORKLOADS.get(workload)
    is_stream = known.is_stream if known else "stream" in workload or "maerts" in workload
    return MBPS if is_stream else TRANSACTIONS


@dataclass(frozen=True, slots=True)
class PolicyCell(JudgedCell):
    """A policy with so many guests, all of which ran the same workload."""

    @property
    def policy(self) -> str:
        """Its name."""
        return level(self.cell["policy"])

    @property
    def guests(self) -> int:
        """How many there were."""
        return self.cell["guests"]

    @property
    def workload(self) -> str:
        """What they ran."""
        return level(self.cell["workload"])

    @property
    def rate_metric(self) -> str:
        """What that is counted by."""
        return rate_metric(self.workload)

    @property
    def rate(self) -> Number | None:
        """What all guests did together."""
        return self.metric(self.rate_metric)

    @property
    def per_cpu(self) -> Number | None:
        """The same per core that it took."""
        return self.metric(_PER_CPU[self.rate_metric])

    @property
    def of_a_guest(self) -> Number | None:
        """What single guests did, over all trials: from the slowest to the fastest."""
        name = _OF_A_GUEST[self.rate_metric]
        return number_of(guest.get(name) for record in self.counted for guest in record.raw.get("guests") or ())

    def metric(self, name: str) -> Number | None:
        """A metric over the trials that have it; None where none does."""
        return number_of(record.metric(name) for record in self.counted)


@dataclass(frozen=True, slots=True)
class Point:
    """A cell, and how it compares with the baseline policy with as many guests. None: with nothing, or not at all."""

    cell: PolicyCell
    rate: Effect | None
    latency: Effect | None
    per_cpu: Effect | None


@dataclass(frozen=True, slots=True)
class Curves:
    """All that was measured with one workload: by policy, over the number of guests."""

    workload: str
    points: Sequence[Point]

    @property
    def rate_metric(self) -> str:
        """What the workload is counted by."""
        return rate_metric(self.workload)

    @property
    def policies(self) -> Mapping[str, Sequence[Point]]:
        """The points of each policy, from few guests to many."""
        found: dict[str, list[Point]] = {}
        for point in sorted(self.points, key=lambda point: point.cell.guests):
            found.setdefault(point.cell.policy, []).append(point)
        return found


@dataclass(frozen=True)
class Consolidation(CellGroup):
    """What the study consolidate measured on one host."""

    host: str
    study: str
    curves: Sequence[Curves]

    @property
    def cells(self) -> list[PolicyCell]:
        """All cells, workload by workload."""
        return [point.cell for curves in self.curves for point in curves.points]


def lay_out_consolidations(cells: Iterable[CellTrials]) -> list[Consolidation]:
    """The curves of each host; hosts, workloads and policies in the order in which they first appear."""
    hosts: dict[str, list[PolicyCell]] = {}
    for cell in cells:
        hosts.setdefault(cell.host, []).append(_summarise(cell))
    return [Consolidation(host, STUDY, _curves(found)) for host, found in hosts.items()]


def _summarise(cell: CellTrials) -> PolicyCell:
    return judged_by(PolicyCell, cell, rate_metric(level(cell.cell["workload"])))


def _curves(cells: Sequence[PolicyCell]) -> list[Curves]:
    by_place = {(cell.workload, cell.guests, cell.policy): cell for cell in cells}
    pairs = [_pairs(by_place.get((cell.workload, cell.guests, BASELINE)), cell) for cell in cells]
    # Three families: each of them is a column that somebody goes through.
    rates, latencies, per_cpu = (
        judge([Contrast(_readings(of, name(cell)), name(cell)) for of, cell in zip(pairs, cells, strict=True)])
        for name in (lambda cell: cell.rate_metric, lambda _cell: P99, lambda cell: _PER_CPU[cell.rate_metric])
    )
    points: dict[str, list[Point]] = {}
    for number, cell in enumerate(cells):
        point = Point(cell, rates[number], latencies[number], per_cpu[number])
        points.setdefault(cell.workload, []).append(point)
    policies = list(dict.fromkeys(cell.policy for cell in cells))
    return [
        Curves(workload, sorted(of_it, key=lambda point: _place(point, policies))) for workload, of_it in points.items()
    ]


def _place(point: Point, policies: Sequence[str]) -> tuple[int, int]:
    return point.cell.guests, policies.index(point.cell.policy)


def _pairs(baseline: PolicyCell | None, cell: PolicyCell) -> list[tuple[Record, Record]]:
    """Trials of the same number, the baseline's first. Where a resumed run has a number twice, the newest counts."""
    if baseline is None or baseline is cell:
        return []
    before = {record.trial: record for record in baseline.counted}
    after = {record.trial: record for record in cell.counted}
    return [(before[trial], after[trial]) for trial in sorted(before.keys() & after.keys())]


def _readings(pairs: Iterable[tuple[Record, Record]], name: str) -> list[Pair]:
    both = ((before.metric(name), after.metric(name)) for before, after in pairs)
    return [(before, after) for before, after in both if before is not None and after is not None]
