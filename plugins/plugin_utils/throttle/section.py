# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about the study throttle on one host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.boxes import Box, Choice
from ansible_collections.virtperf.vhost.plugins.plugin_utils.figures import Figure
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.samples import AllSeries
from ansible_collections.virtperf.vhost.plugins.plugin_utils.section import Material, Section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import wording
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import (
    RATE,
    PhaseSummary,
    Timeline,
    TimelineRun,
    Timelines,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.figures import ladder, timeline
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count, percent, rate

# Trials of a timeline that the page carries: the newest.
TRIALS_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class Part:
    """A timeline with its boxes, as far as there is something to draw; ``left_out`` are its older trials."""

    timeline: Timeline
    has_picture: bool
    recovery: str
    course: Box | None
    ladder: Box | None
    left_out: int

    @property
    def plots(self) -> list[tuple[str, Figure]]:
        """Every plot with the name that the page has for it."""
        return [plot for box in (self.course, self.ladder) if box for plot in box.plots]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleSection(Section):
    """The timelines of the study throttle."""

    parts: Sequence[Part]

    @property
    def plots(self) -> Mapping[str, Mapping[str, Any]]:
        """One of each trial of a timeline, and the ladders."""
        return {name: figure.plot for part in self.parts for name, figure in part.plots}


def section(timelines: Timelines, material: Material) -> ThrottleSection:
    """The section about a host's timelines."""
    return ThrottleSection(parts=parts_of(timelines, material.series, material.anchor), **material.common)


def outcome(record: Record) -> str:
    """812 Mbit/s."""
    return f"{rate(record.metric(RATE) or 0.0)} Mbit/s"


def headline(all_timelines: Sequence[Timelines]) -> tuple[str, str]:
    """What throttling did, and in which timeline."""
    return sentence(all_timelines), sentence_cells(all_timelines)


def parts_of(timelines: Timelines, series: AllSeries, anchor: str) -> list[Part]:
    """The timelines of a host; ``anchor`` tells their boxes from those of others."""
    return [
        _part(one, timelines.host, series, f"{anchor}-{number}") for number, one in enumerate(timelines.timelines, 1)
    ]


def _part(one: Timeline, host: str, series: AllSeries, key: str) -> Part:
    drawable = [run for run in one.runs if (found := series.get((host, run.series))) and found.times_s]
    runs = drawable[-TRIALS_AT_MOST:]
    steps: dict[str, int] = {}
    figure = ladder(one, steps)
    dots = Choice("", figure) if figure else None
    return Part(
        timeline=one,
        has_picture=wording.has_picture(one),
        recovery=wording.recovery(one),
        course=_course(one, runs, {run.series: series[host, run.series] for run in runs}, key) if runs else None,
        ladder=Box(f"{key}-ladder", dots.plot.title, [dots], dots, steps) if dots else None,
        left_out=len(drawable) - len(runs),
    )


def _course(one: Timeline, runs: Sequence[TimelineRun], series: Mapping[str, Any], key: str) -> Box:
    names: dict[str, int] = {}
    labels = _labels(runs)
    choices = {run.series: Choice(labels[run.series], timeline(run, series[run.series], names)) for run in runs}
    middle = one.middle_run
    first = choices[middle.series if middle and middle.series in choices else runs[-1].series]
    title = f"{one.workload}, workers as {one.layout}: over time"
    return Box(f"{key}-course", title, list(choices.values()), first, names)


def _labels(runs: Sequence[TimelineRun]) -> dict[str, str]:
    """trial 2; with its time of day where a resumed run has another trial of that number."""
    numbers = Counter(run.trial for run in runs)
    labels = {}
    for run in runs:
        words = f"trial {run.trial}"
        if numbers[run.trial] > 1:
            words += f", {run.records[0].started_at[11:19]}"
        labels[run.series] = words if run.is_valid else f"{words}, not valid"
    return labels


def sentence(all_timelines: Sequence[Timelines]) -> str:
    """What throttling did, in one sentence: that of the timeline in which the stream fell furthest."""
    found = _furthest(all_timelines)
    if found is None:
        return ""
    host, one, baseline, hardest = found
    words = (
        f"On {host} the {one.workload} stream fell from {rate(_rate(baseline))} to {rate(_rate(hardest))} Mbit/s"
        f"{_times(_rate(baseline), _rate(hardest))} when its vhost workers got {hardest.quota}"
    )
    back = one.recovery
    known = [value for value in back.back_s if value is not None] if back else []
    if back and len(known) == len(back.back_s):
        words += f", and was back {wording.seconds(median(known))} after the limit was lifted"
    return f"{words}."


def sentence_cells(all_timelines: Sequence[Timelines]) -> str:
    """Which timeline that sentence speaks of, and what its numbers are."""
    found = _furthest(all_timelines)
    if found is None:
        return ""
    _host, one, baseline, hardest = found
    held = hardest.metric("throttled_ratio")
    share = f", throttled in {percent(held.median)} of the periods" if held else ""
    trials = count(len(hardest.counted), "trial")
    return f"That was {one.label}, {baseline.name} and {hardest.name}{share}, medians of {trials}."


def _furthest(
    all_timelines: Sequence[Timelines],
) -> tuple[str, Timeline, PhaseSummary, PhaseSummary] | None:
    found = [
        (timelines.host, one, one.baseline, one.hardest)
        for timelines in all_timelines
        for one in timelines.timelines
        if one.baseline and one.hardest
    ]
    return max(found, key=lambda each: _rate(each[2]) - _rate(each[3]), default=None)


def _rate(phase: PhaseSummary) -> float:
    return phase.mbps.median if phase.mbps else 0.0


def _times(before: float, after: float) -> str:
    return f" ({before / after:,.0f} times less)" if after and before >= 2 * after else ""
