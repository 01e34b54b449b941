# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots of the study throttle: a timeline, and the ladder of quotas. In the way of figures.py, without colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import median
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import Series
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import rates
from ansible_collections.virtperf.vhost.plugins.plugin_utils.figures import Figure, load_plotly
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import one_line

# Over how long throttled periods are counted: the longest period that there is.
_WINDOW_S = 1.0
# From the bottom to the top: drops, throttled share, rate, which is what one looks at first.
_DOMAINS = {"y3": (0.0, 0.2), "y2": (0.26, 0.48), "y": (0.54, 1.0)}
# Where a phase without a limit stands on the ladder's axis: so much to the right of the largest quota.
_BEYOND = 2.0


def timeline(records: Sequence[Record], series: Series) -> Figure:
    """One trial: rate, throttled share and drops on one time axis, with its phases. ``records`` are those phases."""
    go = load_plotly()
    figure = go.Figure()
    interfaces: Mapping[str, Any] = next(
        (record.observed["interfaces"] for record in records if "interfaces" in record.observed), {}
    )
    sender = next(str(record.asked["sender"]) for record in records)
    receiver = "client" if sender == "server" else "server"
    lines = [
        ("received", "y", _rates(series, interfaces.get(receiver, ()), "tx_bytes", 8 / 1e6), "Mbit/s"),
        ("sent", "y", _rates(series, interfaces.get(sender, ()), "rx_bytes", 8 / 1e6), "Mbit/s"),
        *((f"{label} throttled", "y2", _throttled(series, label), "% of periods") for label in series.names("cgroup")),
        *(
            (f"{tap} drops", "y3", _rates(series, [tap], "tx_dropped", 1.0), "packets/s")
            for taps in interfaces.values()
            for tap in taps
        ),
    ]
    for number, (name, axis, points, unit) in enumerate(lines):
        _draw_line(figure, number, name, axis, points, unit)
    titles = {"y": "Mbit/s", "y2": "throttled, %", "y3": "drops/s"}
    figure.update_layout(
        template=None,
        showlegend=False,
        hovermode="x unified",
        margin={"l": 60, "r": 8, "t": 24, "b": 44},
        xaxis={"title": {"text": "seconds"}, "anchor": "y3", "fixedrange": True},
        **{
            axis.replace("y", "yaxis"): {
                "domain": list(domain),
                "title": {"text": titles[axis]},
                "rangemode": "tozero",
                "fixedrange": True,
            }
            for axis, domain in _DOMAINS.items()
        },
    )
    for record in records:
        _mark_phase(figure, record)
    cell = records[0].cell
    title = f"{cell['workload']}, workers as {cell['layout']}, trial {records[0].trial}"
    phases = ", ".join(str(record.cell["phase"]) for record in records)
    return Figure(
        f"timeline-{cell['workload']}-{cell['layout']}-{records[0].trial}",
        title,
        f"Rate, throttled share and drops over time, through the phases {phases}",
        figure.to_plotly_json(),
    )


def ladder(records: Sequence[Record]) -> Figure | None:
    """Throughput against quota, all trials; None without a step of the ladder.

    The first phase without a limit is its top: it stands at the right end.
    """
    steps: dict[float, list[Record]] = {}
    for record in records:
        percent = record.asked.get("ladder_percent")
        if record.valid and percent is not None:
            steps.setdefault(float(percent), []).append(record)
    if not steps:
        return None
    top = max(steps) * _BEYOND
    free = [record for record in records if record.valid and str(record.asked["cpu_max"]).startswith("max")]
    first = [record for record in free if record.cell["phase"] == free[0].cell["phase"]]
    points = {**dict(sorted(steps.items())), **({top: first} if first else {})}
    go = load_plotly()
    figure = go.Figure()
    figure.add_scatter(
        x=list(points),
        y=[median(_mbps(record) for record in trials) for trials in points.values()],
        mode="lines",
        name="median",
        meta={"series": 0, "part": "median"},
        hoverinfo="skip",
    )
    dots = [(percent, record) for percent, trials in points.items() for record in trials]
    figure.add_scatter(
        x=[percent for percent, _record in dots],
        y=[_mbps(record) for _percent, record in dots],
        mode="markers",
        name="trials",
        meta={"series": 0, "part": "trials"},
        customdata=[
            [escape(str(record.cell["phase"])), record.trial, record.line, escape(one_line(record.limit))]
            for _percent, record in dots
        ],
        hovertemplate=(
            "<b>%{customdata[0]}</b>, trial %{customdata[1]}<br>%{y:,.2f} Mbit/s<br>%{customdata[3]}"
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
            "ticktext": ["no limit" if first and percent == top else f"{percent:g}" for percent in points],
            "fixedrange": True,
        },
        yaxis={"title": {"text": "Mbit/s"}, "rangemode": "tozero", "fixedrange": True},
    )
    cell = records[0].cell
    return Figure(
        f"ladder-{cell['workload']}-{cell['layout']}",
        f"{cell['workload']}, workers as {cell['layout']}: throughput against quota",
        f"Mbit/s against the workers' quota in percent of a CPU, {len(points)} points",
        figure.to_plotly_json(),
    )


def _mbps(record: Record) -> float:
    return record.metric("received_mbps") or 0.0


def _draw_line(
    figure: Any, number: int, name: str, axis: str, points: Sequence[tuple[float, float]], unit: str
) -> None:
    if not points:
        return
    figure.add_scatter(
        x=[at_s for at_s, _value in points],
        y=[value for _at_s, value in points],
        yaxis=axis,
        mode="lines",
        name=escape(one_line(name)),
        meta={"series": number, "part": "median"},
        hovertemplate=f"%{{y:,.1f}} {unit}",
    )


def _mark_phase(figure: Any, record: Record) -> None:
    """A line at its first instant, and its name beside it."""
    at: Mapping[str, Any] | None = record.raw.get("timeline")
    if at is None:  # it was not run
        return
    figure.add_shape(
        type="line", xref="x", yref="paper", x0=at["set_to_s"], x1=at["set_to_s"], y0=0, y1=1, line={"width": 1}
    )
    figure.add_annotation(
        x=at["set_to_s"],
        y=1,
        xref="x",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        text=escape(one_line(str(record.cell["phase"]))),
    )


def _rates(series: Series, names: Sequence[str], counter: str, factor: float) -> list[tuple[float, float]]:
    """The rate of each step, over all these interfaces, at the step's end."""
    columns = [series.column("net", name, counter) for name in names]
    sums = [None if None in readings else sum(map(int, readings)) for readings in zip(*columns, strict=True)]
    return [(round(step.to_s, 3), step.rate * factor) for step in rates.steps(series.times_s, sums)]


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
        points.append((round(at_s, 3), 100 * (held - held_before) / (of - of_before) if of > of_before else 0.0))
        begin = end
    return points
