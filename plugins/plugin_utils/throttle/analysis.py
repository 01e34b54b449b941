# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of the study throttle say together: its timelines, phase by phase, on one host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from statistics import mean

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.numbers import Number, number_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import (
    CellTrials,
    JudgedCell,
    judged_by,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import level, timeline_label

STUDY = "throttle"
RATE = "received_mbps"


@dataclass(frozen=True, slots=True)
class PhaseSummary(JudgedCell):
    """A phase: a cell of this study."""

    @property
    def name(self) -> str:
        """What the phase is called."""
        return level(self.cell["phase"])

    @property
    def cpu_max(self) -> str:
        """Quota and period in microseconds, or max; "" where no trial says."""
        return next((level(record.asked["cpu_max"]) for record in self.records if record.asked.get("cpu_max")), "")

    @property
    def quota(self) -> str:
        """The same for a person: no period where there is no quota."""
        return "max" if self.is_free else self.cpu_max

    @property
    def is_free(self) -> bool:
        """Whether the workers may use all they want."""
        return self.cpu_max.startswith("max")

    @property
    def mbps(self) -> Number | None:
        """The rate at which the stream arrived."""
        return self.metric(RATE)

    def metric(self, name: str) -> Number | None:
        """A metric over the trials that have it; None where none does."""
        return number_of(record.metric(name) for record in self.counted)

    def cpu(self, role: str) -> Number | None:
        """The CPU time of the busiest thread of a role, as a share of a CPU."""
        return number_of(record.cpu.get(role) for record in self.counted)

    @property
    def back_s(self) -> list[float | None]:
        """Seconds from the reset until 90 % of the baseline were back, for each trial; None where they never were."""
        return [record.metric("back_s") for record in self.counted]


@dataclass(frozen=True, slots=True)
class TimelineRun:
    """One trial of a timeline: the records of the phases that were run, in order. ``series`` names its samples."""

    series: str
    records: Sequence[Record]

    @property
    def trial(self) -> int:
        """Its number; a resumed run begins to count anew."""
        return self.records[0].trial

    @property
    def is_valid(self) -> bool:
        """Whether all of its phases are what was asked for."""
        return all(record.valid for record in self.records)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that was measured with one workload and one layout of the workers, by phase and by trial."""

    phases: Sequence[PhaseSummary]
    runs: Sequence[TimelineRun]

    @property
    def label(self) -> str:
        """iperf3, kthread."""
        return timeline_label(self.phases[0].cell)

    @property
    def workload(self) -> str:
        """What the ends ran."""
        return level(self.phases[0].cell["workload"])

    @property
    def layout(self) -> str:
        """How the workers ran."""
        return level(self.phases[0].cell["layout"])

    @property
    def baseline(self) -> PhaseSummary | None:
        """The first phase without a limit, where it was measured: what the others are compared with."""
        return next((phase for phase in self.phases if phase.is_free and phase.mbps), None)

    @property
    def recovery(self) -> PhaseSummary | None:
        """The first phase that shows how the stream came back: without a limit, right after one with a limit."""
        for before, phase in pairwise(self.phases):
            if phase.is_free and before.cpu_max and not before.is_free and phase.metric("baseline_ratio"):
                return phase
        return None

    @property
    def hardest(self) -> PhaseSummary | None:
        """Of the phases with a limit the one in which least arrived; of those before the recovery, if there is one."""
        before = self.phases[: self.phases.index(self.recovery)] if self.recovery else self.phases
        limited = [phase for phase in before if phase.mbps and not phase.is_free]
        return min(limited, key=_median_mbps, default=None)

    @property
    def middle_run(self) -> TimelineRun | None:
        """The trial in the middle by its mean rate, of those that are valid if there are any."""
        ordered = sorted((run for run in self.runs if run.is_valid), key=_mean_mbps) or list(self.runs)
        return ordered[(len(ordered) - 1) // 2] if ordered else None


@dataclass(frozen=True, slots=True)
class Timelines(CellGroup):
    """What the study throttle measured on one host."""

    host: str
    study: str
    timelines: Sequence[Timeline]

    @property
    def cells(self) -> list[PhaseSummary]:
        """All phases, timeline by timeline."""
        return [phase for timeline in self.timelines for phase in timeline.phases]


def lay_out_timelines(cells: Iterable[CellTrials]) -> list[Timelines]:
    """The timelines of each host; hosts, timelines and phases in the order in which they first appear."""
    hosts: dict[str, dict[str, list[PhaseSummary]]] = {}
    for cell in cells:
        timelines = hosts.setdefault(cell.host, {})
        timelines.setdefault(timeline_label(cell.cell), []).append(_summarise(cell))
    return [
        Timelines(host, STUDY, [Timeline(phases, _runs(phases)) for phases in timelines.values()])
        for host, timelines in hosts.items()
    ]


def _summarise(cell: CellTrials) -> PhaseSummary:
    return judged_by(PhaseSummary, cell, RATE)


def _runs(phases: Sequence[PhaseSummary]) -> list[TimelineRun]:
    """The trials that left samples, oldest first."""
    runs: dict[str, list[Record]] = {}
    for record in sorted((record for phase in phases for record in phase.records), key=attrgetter("started_at")):
        if record.series:
            runs.setdefault(record.series, []).append(record)
    return [TimelineRun(series, records) for series, records in runs.items()]


def _median_mbps(phase: PhaseSummary) -> float:
    return phase.mbps.median if phase.mbps else 0.0


def _mean_mbps(run: TimelineRun) -> float:
    return mean(record.metric(RATE) or 0.0 for record in run.records)
