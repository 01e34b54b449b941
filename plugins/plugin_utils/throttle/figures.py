# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots of the study throttle: a timeline, and the ladder of quotas. In the way of figures.py, without colours.

Lines and verdicts are numbered in ``numbers`` as they first come, so that plots of several trials look alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from statistics import median
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import Series
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import rates
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import ENDS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.figures import Figure, load_plotly
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import (
    RATE,
    PhaseSummary,
    Timeline,
    TimelineRun,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import one_line, rate

Points = Sequence[tuple[float, float]]

# Over how long throttled periods are counted: the longest period that there is.
_WINDOW_S = 1.0
# A line has no more points than this: some for each pixel of a narrow window.
POINTS_AT_MOST = 600
# From the bottom to the top: drops, throttled share, rate, which is what one looks at first.
_DOMAINS = {"y3": (0.0, 0.18), "y2": (0.25, 0.45), "y": (0.52, 1.0)}
_TITLES = {"y": "Mbit/s", "y2": "throttled, %", "y3": "drops/s"}
# Where a phase without a limit stands on the ladder's axis: so much to the right of the largest quota.
_BEYOND = 4.0
# The line through the medians has no colour of its own, for each verdict has one.
_PLAIN = "plain"


def timeline(run: TimelineRun, series: Series, numbers: dict[str, int]) -> Figure:
    """One trial: rate, throttled share and drops on one time axis, with its phases as bands."""
    go = load_plotly()
    figure = go.Figure()
    records = run.records
    for name, axis, points, unit in _lines(records, series):
        if points:
            _draw_line(figure, numbers.setdefault(name, len(numbers)), name, axis, thin(points), unit)
    figure.update_layout(
        template=None,
        showlegend=False,
        hovermode="x unified",
        hoversubplots="axis",
        margin={"l": 60, "r": 8, "t": 40, "b": 44},
        xaxis={
            "title": {"text": "seconds"},
            "anchor": "y3",
            "fixedrange": True,
            "range": [series.times_s[0], series.times_s[-1]] if series.times_s else None,
            "unifiedhovertitle": {"text": "%{x:.1f} s"},
        },
        **{
            axis.replace("y", "yaxis"): {
                "domain": list(domain),
                "title": {"text": _TITLES[axis]},
                "rangemode": "tozero",
                "fixedrange": True,
                "nticks": 6 if axis == "y" else 3,
            }
            for axis, domain in _DOMAINS.items()
        },
    )
    for record in records:
        _mark_phase(figure, record)
    cell = records[0].cell
    phases = ", ".join(str(record.cell["phase"]) for record in records)
    return Figure(
        f"timeline-{records[0].line}",
        f"{cell['workload']}, workers as {cell['layout']}, trial {run.trial}",
        f"Rate, throttled share and drops over time in trial {run.trial}, through the phases {phases}",
        figure.to_plotly_json(),
    )


def _lines(records: Sequence[Record], series: Series) -> Iterator[tuple[str, str, Points, str]]:
    """Each line with its name, axis, points and unit."""
    known = (one.observed.get("interfaces") for one in records)
    taps: Mapping[str, Any] = next((taps for taps in known if isinstance(taps, dict)), {})
    sender = next((str(it) for one in records if (it := one.asked.get("sender"))), "server")
    receiver = "client" if sender == "server" else "server"
    yield "received", "y", _rates(series, taps.get(receiver, ()), "tx_bytes", 8 / 1e6), "Mbit/s"
    yield "sent", "y", _rates(series, taps.get(sender, ()), "rx_bytes", 8 / 1e6), "Mbit/s"
    for label in series.names("cgroup"):
        yield f"{label} throttled", "y2", _throttled(series, label), "% of periods"
    for end in ENDS:
        yield f"dropped towards the {end}", "y3", _rates(series, taps.get(end, ()), "tx_dropped", 1.0), "packets/s"


def ladder(of: Timeline, numbers: dict[str, int]) -> Figure | None:
    """Throughput against quota, all trials, each with its verdict; None without a step of the ladder.

    The baseline is its top: it stands at the right end.
    """
    steps = {_percent(phase): phase for phase in of.phases if phase.counted and _percent(phase) > 0}
    if not steps:
        return None
    top = max(steps) * _BEYOND
    points = {**dict(sorted(steps.items())), **({top: of.baseline} if of.baseline else {})}
    go = load_plotly()
    figure = go.Figure()
    figure.add_scatter(
        x=list(points),
        y=[median(_mbps(record) for record in phase.counted) for phase in points.values()],
        mode="lines",
        name="median",
        meta={"series": _PLAIN, "part": "median"},
        hoverinfo="skip",
    )
    by_limit: dict[str, list[tuple[float, Record]]] = {}
    for percent, phase in reversed(points.items()):
        for record in phase.counted:
            by_limit.setdefault(record.limit, []).append((percent, record))
    for limit, dots in by_limit.items():
        figure.add_scatter(
            x=[percent for percent, _record in dots],
            y=[_mbps(record) for _percent, record in dots],
            mode="markers",
            cliponaxis=False,
            name=escape(one_line(limit)),
            meta={"series": numbers.setdefault(limit, len(numbers)), "part": "trials"},
            customdata=[
                [
                    escape(one_line(str(record.cell["phase"]))),
                    record.trial,
                    record.line,
                    escape(one_line(limit)),
                    rate(_mbps(record)),
                ]
                for _percent, record in dots
            ],
            hovertemplate=(
                "<b>%{customdata[0]}</b>, trial %{customdata[1]}<br>%{customdata[4]} Mbit/s<br>%{customdata[3]}"
                "<br>trials.jsonl, line %{customdata[2]}<extra></extra>"
            ),
        )
    figure.update_layout(
        template=None,
        showlegend=False,
        hovermode="closest",
        margin={"l": 60, "r": 8, "t": 12, "b": 44},
        xaxis={
            "type": "log",
            "title": {"text": "quota of the workers, % of a CPU"},
            "tickmode": "array",
            "tickvals": list(points),
            "ticktext": ["no limit" if of.baseline and percent == top else f"{percent:g}" for percent in points],
            "tickangle": 0,
            "fixedrange": True,
        },
        yaxis={"title": {"text": "Mbit/s"}, "rangemode": "tozero", "fixedrange": True},
    )
    return Figure(
        f"ladder-{of.phases[0].cell['workload']}-{of.phases[0].cell['layout']}",
        f"{of.workload}, workers as {of.layout}: throughput against quota",
        f"Mbit/s against the workers' quota in percent of a CPU, {len(points)} points",
        figure.to_plotly_json(),
    )


def _percent(phase: PhaseSummary) -> float:
    """The step of the ladder that a phase is, in percent of a CPU; 0 where it is none."""
    return next((float(it) for one in phase.counted if (it := one.asked.get("ladder_percent"))), 0.0)


def _mbps(record: Record) -> float:
    return record.metric(RATE) or 0.0


def _draw_line(figure: Any, number: int, name: str, axis: str, points: Points, unit: str) -> None:
    figure.add_scatter(
        x=[at_s for at_s, _value in points],
        y=[value for _at_s, value in points],
        yaxis=axis,
        mode="lines",
        name=escape(one_line(name)),
        meta={"series": number, "part": "line"},
        hovertemplate=f"%{{y:,.1f}} {unit}",
    )


def _mark_phase(figure: Any, record: Record) -> None:
    """A band as long as it lasted, with its name and limit above. Named after what it is, for the page to dress it."""
    at = record.timeline
    if at is None:  # it was not run
        return
    cpu_max = str(record.asked.get("cpu_max", ""))
    is_free = cpu_max.startswith("max")
    figure.add_shape(
        type="rect",
        name="free" if is_free else "limited",
        layer="below",
        xref="x",
        yref="paper",
        x0=at["set_to_s"],
        x1=at["end_s"],
        y0=0,
        y1=1,
        line={"width": 0},
    )
    figure.add_annotation(
        name="phase",
        x=(at["set_to_s"] + at["end_s"]) / 2,
        y=1,
        xref="x",
        yref="paper",
        xanchor="center",
        yanchor="bottom",
        showarrow=False,
        text=f"{escape(one_line(str(record.cell['phase'])))}<br>{'max' if is_free else escape(one_line(cpu_max))}",
    )


def thin(points: Points) -> list[tuple[float, float]]:
    """At most 601 points: of each stretch the lowest and the highest, so that no dip and no peak is lost.

    What lies between equal neighbours says nothing and is left out too.
    """
    # Two a stretch, and the last of all.
    length = -(-2 * len(points) // POINTS_AT_MOST) if len(points) > POINTS_AT_MOST else 1
    kept: list[tuple[float, float]] = []
    for begin in range(0, len(points), length):
        stretch = points[begin : begin + length]
        edges = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        edges |= {points[-1]} if begin + length >= len(points) else set()
        for point in sorted(edges):
            if len(kept) > 1 and kept[-2][1] == kept[-1][1] == point[1]:
                kept.pop()
            kept.append(point)
    return kept


def _rates(series: Series, names: Sequence[str], counter: str, factor: float) -> list[tuple[float, float]]:
    """The rate of each step, over all these interfaces, at the step's end."""
    columns = [series.column("net", name, counter) for name in names]
    sums = [None if None in readings else sum(map(int, readings)) for readings in zip(*columns, strict=True)]
    return [(round(step.to_s, 2), round(step.rate * factor, 2)) for step in rates.steps(series.times_s, sums)]


def _throttled(series: Series, label: str) -> list[tuple[float, float]]:
    """The share of its periods in which a cgroup was throttled, second by second, in percent."""
    periods = series.column("cgroup", label, "nr_periods")
    throttled = series.column("cgroup", label, "nr_throttled")
    known = [
        (at_s, of, held)
        for at_s, of, held in zip(series.times_s, periods, throttled, strict=True)
        if of is not None and held is not None
    ]
    points: list[tuple[float, float]] = []
    begin = 0
    for end, (at_s, of, held) in enumerate(known):
        from_s, of_before, held_before = known[begin]
        if at_s - from_s < _WINDOW_S - 0.05:
            continue
        share = 100 * (held - held_before) / (of - of_before) if of > of_before else 0.0
        points.append((round(at_s, 2), round(share, 1)))
        begin = end
    return points
