# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots of the study consolidate against the number of guests, one line a policy. As in figures.py, no colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import isfinite
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate import wording as words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import P50, P99, Curves, Point
from ansible_collections.virtperf.vhost.plugins.plugin_utils.figures import Figure, load_plotly
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import Effect
from ansible_collections.virtperf.vhost.plugins.plugin_utils.numbers import Number
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import one_line

# The newest trials of a cell are drawn as dots; the line goes through the median of all of them.
DOTS_AT_MOST = 20
# Policies stand a little apart, so that their dots do not hide one another.
_APART = 0.06
_PLAIN = "plain"


def draw(curves: Curves, numbers: Mapping[str, int]) -> list[Figure]:
    """What there is of throughput, latency, and the ratios to the baseline. ``numbers`` are those of the policies."""
    unit = words.unit(curves.workload)
    found = [_lines(curves, numbers, "rate", f"{unit}, all guests together", unit, curves.rate_metric)]
    found += [
        _lines(curves, numbers, name, f"latency, {title}", "µs", name)
        for name, title in ((P50, "p50"), (P99, "p99 (worst guest)"))
    ]
    found.append(_ratios(curves, numbers, "ratio", f"{unit}, ratio to the baseline", lambda point: point.rate))
    return [figure for figure in found if figure]


def _lines(curves: Curves, numbers: Mapping[str, int], key: str, title: str, unit: str, metric: str) -> Figure | None:
    go = load_plotly()
    figure = go.Figure()
    for policy, points in curves.policies.items():
        number = numbers[policy]
        shift = _shift(number, len(numbers))
        known = [(point, found) for point in points if (found := point.cell.metric(metric))]
        if known:
            _draw_medians(figure, policy, number, shift, known)
            _draw_dots(figure, policy, number, shift, known, metric, unit)
    return _finished(figure, curves, key, title, "tozero") if figure.data else None


def _draw_medians(figure: Any, policy: str, number: int, shift: float, known: Sequence[tuple[Point, Number]]) -> None:
    """A line through the medians, with a bar from the lowest trial to the highest."""
    figure.add_scatter(
        x=[point.cell.guests + shift for point, _found in known],
        y=[found.median for _point, found in known],
        mode="lines",
        name=escape(one_line(policy)),
        meta={"series": number, "part": "median"},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [found.high - found.median for _point, found in known],
            "arrayminus": [found.median - found.low for _point, found in known],
            "thickness": 1,
            "width": 3,
        },
        hoverinfo="skip",
    )


def _draw_dots(
    figure: Any,
    policy: str,
    number: int,
    shift: float,
    known: Sequence[tuple[Point, Number]],
    metric: str,
    unit: str,
) -> None:
    dots = [
        (point, record, value)
        for point, _found in known
        for record in point.cell.counted[-DOTS_AT_MOST:]
        if (value := record.metric(metric)) is not None
    ]
    label = escape(one_line(policy))
    figure.add_scatter(
        x=[point.cell.guests + shift for point, _record, _value in dots],
        y=[value for _point, _record, value in dots],
        mode="markers",
        name=label,
        meta={"series": number, "part": "trials"},
        customdata=[
            [point.cell.guests, record.trial, record.line, escape(one_line(record.limit))]
            for point, record, _value in dots
        ],
        hovertemplate=(
            f"<b>{label}</b>, guests: %{{customdata[0]}}, trial %{{customdata[1]}}<br>%{{y:,.4~g}} {unit}<br>"
            "%{customdata[3]}<br>trials.jsonl, line %{customdata[2]}<extra></extra>"
        ),
    )


def _ratios(
    curves: Curves, numbers: Mapping[str, int], key: str, title: str, effect_of: Callable[[Point], Effect | None]
) -> Figure | None:
    go = load_plotly()
    figure = go.Figure()
    guests = [point.cell.guests for point in curves.points]
    for policy, points in curves.policies.items():
        number = numbers[policy]
        shift = _shift(number, len(numbers))
        known = [(point, found) for point in points if (found := effect_of(point)) and _is_drawable(found)]
        if known:
            _draw_ratios(figure, policy, number, shift, known)
    if not figure.data:
        return None
    figure.add_scatter(
        x=[min(guests) - 0.3, max(guests) + 0.3],
        y=[1, 1],
        mode="lines",
        meta={"series": _PLAIN, "part": "line"},
        hoverinfo="skip",
    )
    return _finished(figure, curves, key, title, "normal")


def _draw_ratios(figure: Any, policy: str, number: int, shift: float, known: Sequence[tuple[Point, Effect]]) -> None:
    label = escape(one_line(policy))
    figure.add_scatter(
        x=[point.cell.guests + shift for point, _effect in known],
        y=[effect.value for _point, effect in known],
        mode="markers",
        name=label,
        meta={"series": number, "part": "trials"},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [effect.high - effect.value for _point, effect in known],
            "arrayminus": [effect.value - effect.low for _point, effect in known],
            "thickness": 1.4,
            "width": 3,
        },
        customdata=[
            [point.cell.guests, words.value(effect), 0, words.interval(effect), words.verdict_in_full(effect)]
            for point, effect in known
        ],
        hovertemplate=(
            f"<b>{label}</b>, guests: %{{customdata[0]}}<br>× %{{customdata[1]}} (%{{customdata[3]}})<br>"
            "%{customdata[4]}<extra></extra>"
        ),
    )


def _is_drawable(effect: Effect) -> bool:
    return effect.is_ratio and isfinite(effect.high)


def _shift(number: int, of: int) -> float:
    return _APART * (number - (of - 1) / 2)


def _finished(figure: Any, curves: Curves, key: str, title: str, range_mode: str) -> Figure:
    guests = sorted({point.cell.guests for point in curves.points})
    figure.update_layout(
        template=None,
        showlegend=False,
        hovermode="closest",
        margin={"l": 60, "r": 8, "t": 12, "b": 44},
        xaxis={
            "title": {"text": "guests"},
            "tickmode": "array",
            "tickvals": guests,
            "ticktext": [str(number) for number in guests],
            "range": [guests[0] - 0.3, guests[-1] + 0.3],
            "fixedrange": True,
            "zeroline": False,
        },
        yaxis={"rangemode": range_mode, "fixedrange": True, "automargin": True},
    )
    alt = (
        f"{curves.workload}: {title} against the number of guests, one line for each of {len(curves.policies)} policies"
    )
    return Figure(key, title, alt, figure.to_plotly_json())
