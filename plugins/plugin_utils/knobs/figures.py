# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plot of the study knobs: effects with their intervals, sorted. In the way of figures.py, without colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite, log10
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.figures import Figure, load_plotly
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import wording as words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Comparison
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import TOLERANCE, Effect
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import METRICS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import one_line

_LABEL_AT_MOST = 34
# An interval beyond these ends at the edge of the plot.
_LEAST, _MOST = 1e-3, 1e3
_PLAIN = "plain"
_ROUND = [digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 3, 5)] + [0.7, 0.8, 0.9, 1.1, 1.2, 1.5]
# What a tick needs of the axis.
_ROOM = 0.06


def drawable(comparisons: Sequence[Comparison], metric: str) -> list[tuple[Comparison, Effect]]:
    """Those whose effect on a metric is a ratio with an interval, the largest first."""
    found = [(one, effect) for one in comparisons if (effect := one.effects.get(metric)) and _is_drawable(effect)]
    return sorted(found, key=lambda each: -each[1].size)[: words.ROWS_AT_MOST]


def _is_drawable(effect: Effect) -> bool:
    return effect.is_ratio and effect.low > 0 and isfinite(effect.high)


def effects(key: str, title: str, rows: Sequence[tuple[Comparison, Effect]], metric: str, *, named: bool) -> Figure:
    """The rows from the top to the bottom; ``named``: each says its workload as well."""
    go = load_plotly()
    figure = go.Figure()
    bottom, top = -0.6, len(rows) - 0.4
    for at in (1 - TOLERANCE, 1.0, 1 + TOLERANCE):
        figure.add_scatter(
            x=[at, at],
            y=[bottom, top],
            mode="lines",
            meta={"series": _PLAIN, "part": "line"},
            line={"dash": "solid" if at == 1 else "dot"},
            hoverinfo="skip",
        )
    places = list(enumerate(rows))
    for verdict, number in words.VERDICTS.items():
        dots = [(len(rows) - 1 - place, *row) for place, row in places if row[1].verdict == verdict]
        if dots:
            _draw(figure, dots, verdict, number, METRICS[metric].title)
    labels = [_label(comparison, named) for comparison, _effect in rows]
    edges = [edge for _comparison, effect in rows for edge in _edges(effect)]
    low, high = min([0.9, *edges]), max([1.1, *edges])
    ticks = _ticks(low, high)
    figure.update_layout(
        template=None,
        showlegend=False,
        hovermode="closest",
        margin={"l": 10, "r": 12, "t": 12, "b": 44},
        xaxis={
            "type": "log",
            "title": {"text": f"{METRICS[metric].title}, ratio to the baseline"},
            "range": [log10(low) - 0.03, log10(high) + 0.03],
            "tickmode": "array",
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
            "tickangle": 0,
            "fixedrange": True,
        },
        yaxis={
            "range": [bottom, top],
            "tickmode": "array",
            "tickvals": [len(rows) - 1 - place for place, _row in places],
            "ticktext": labels,
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
        },
    )
    alt = f"{title}: {len(rows)} effects as ratios to the baseline with their 95 % intervals, the largest at the top"
    return Figure(key, title, alt, figure.to_plotly_json())


def _ticks(low: float, high: float) -> list[float]:
    """Round ratios on a logarithmic axis, from 1 on to either side, with room for their digits."""
    room = (log10(high) - log10(low)) * _ROOM
    ticks = [1.0]
    for tick in sorted((tick for tick in _ROUND if low <= tick <= high), key=lambda tick: abs(log10(tick))):
        if all(abs(log10(tick) - log10(other)) >= room for other in ticks):
            ticks.append(tick)
    return sorted(ticks)


def _edges(effect: Effect) -> tuple[float, float]:
    return max(effect.low, _LEAST), min(effect.high, _MOST)


def _label(comparison: Comparison, named: bool) -> str:
    words_of = f"{comparison.variant.knob} {comparison.change}"
    if named:
        words_of += f", {comparison.variant.workload}"
    return escape(one_line(words_of, 2 * _LABEL_AT_MOST if named else _LABEL_AT_MOST))


def _draw(figure: Any, dots: Sequence[tuple[int, Comparison, Effect]], verdict: str, number: int, unit: str) -> None:
    """The effects with one verdict. A dot leads to the record of a trial of its variant."""
    figure.add_scatter(
        x=[effect.value for _place, _comparison, effect in dots],
        y=[place for place, _comparison, _effect in dots],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [_edges(effect)[1] - effect.value for _place, _comparison, effect in dots],
            "arrayminus": [effect.value - _edges(effect)[0] for _place, _comparison, effect in dots],
            "thickness": 1.4,
            "width": 3,
        },
        mode="markers",
        name=verdict,
        meta={"series": number, "part": "trials"},
        customdata=[
            [
                _label(comparison, True),
                words.value(effect),
                comparison.pairs[0][1].line,
                words.interval(effect),
                f"{effect.verdict}, {effect.pairs} pairs",
            ]
            for _place, comparison, effect in dots
        ],
        hovertemplate=(
            f"<b>%{{customdata[0]}}</b><br>{unit} × %{{customdata[1]}} (%{{customdata[3]}})<br>%{{customdata[4]}}"
            "<extra></extra>"
        ),
    )
