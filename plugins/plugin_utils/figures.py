# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's plots, as plotly figures without colours: the page gives them those of its light or dark scheme.

Each trace carries ``meta.series``, the place of its row among those drawn, and ``meta.part``, what of the row it shows.
plotly is imported where it is used, so that everything but the report works without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from typing import TYPE_CHECKING, Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import l1_mbps
from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import CellSummary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, Row
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import one_line

if TYPE_CHECKING:
    from types import ModuleType

PLOTLY_VERSION = "7.1.0"
# More lines in one plot than this cannot be told apart.
ROWS_AT_MOST = 8
# Rows are moved apart by this factor along the logarithmic axis, so that their dots do not hide one another.
_APART = 1.035

# One trial's value for a plot, or None where it has none.
Value = Callable[[Record], float | None]


class PlotlyError(VirtperfError):
    """plotly is missing."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot: what it is called, what it shows (for those who cannot see it), and plotly's description of it."""

    key: str
    title: str
    alt: str
    plot: Mapping[str, Any]


def load_plotly() -> ModuleType:
    """plotly.graph_objects; PlotlyError says how to install it."""
    try:
        import plotly.graph_objects
    except ImportError as error:
        raise PlotlyError(
            "the report needs the Python package plotly, which the controller's Python lacks",
            found=str(error),
            way_out=f"pip install plotly=={PLOTLY_VERSION}, into the environment that ansible-playbook runs from",
        ) from error
    return plotly.graph_objects


def plotly_script() -> str:
    """plotly.js, all of it."""
    load_plotly()
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def rows_drawn(grid: Grid) -> list[Row]:
    """The rows that the plots show: all that have a rate or, where those are too many, the fastest."""
    rows = grid.measured_rows
    fastest = {id(row) for row in sorted(rows, key=_best_rate, reverse=True)[:ROWS_AT_MOST]}
    return [row for row in rows if id(row) in fastest]


def _best_rate(row: Row) -> float:
    return max(cell.rates.median for cell in row.cells.values() if cell.rates)


def draw(grid: Grid) -> list[Figure]:
    """The plots of a grid: the rate, in packets and in bits, and how busy each end was."""
    rows = rows_drawn(grid)
    if not rows:
        return []
    return [
        _figure(grid, rows, "mpps", "Mpps", "Mpps", lambda record: record.rx_pps / 1e6),
        _figure(
            grid,
            rows,
            "l1",
            "Mbit/s on layer 1",
            "L1 Mbit/s",
            lambda record: l1_mbps(record.rx_pps, record.cell["packet_size"]),
        ),
        *(_load_figure(grid, rows, end) for end in ends(grid)),
    ]


def _load_figure(grid: Grid, rows: Sequence[Row], end: str) -> Figure:
    """How busy an end was; where nobody knows that, how much CPU time it took, which of a poll loop is nearly all."""

    def busy(record: Record) -> float | None:
        return _percent(record.busy(end))

    def cpu(record: Record) -> float | None:
        return _percent(record.cpu.get(end))

    if any(busy(record) is not None for cell in grid.cells for record in cell.counted):
        return _figure(grid, rows, f"load-{end}", f"{end}: % of its cores' time spent on packets", "%", busy, top=100)
    return _figure(grid, rows, f"load-{end}", f"{end}: % of its cores in use, polling included", "%", cpu, top=100)


def ends(grid: Grid) -> list[str]:
    """The roles of the processes measured: vswitch first, then generator or reflector, whichever there is."""
    found = dict.fromkeys(end for cell in grid.cells for record in cell.counted for end in record.cpu)
    return sorted(found, key=lambda end: end != "vswitch")


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio


def _figure(
    grid: Grid, rows: Sequence[Row], key: str, title: str, unit: str, value: Value, *, top: float | None = None
) -> Figure:
    go = load_plotly()
    figure = go.Figure()
    for series, row in enumerate(rows):
        shift = _APART ** (series - (len(rows) - 1) / 2)
        _draw_row(figure, row, series, shift, unit, value)
    figure.update_layout(
        template=None,
        showlegend=False,
        hovermode="closest",
        margin={"l": 52, "r": 8, "t": 12, "b": 44},
        xaxis={
            "type": "log",
            "title": {"text": "packet size in bytes"},
            "tickmode": "array",
            "tickvals": list(grid.sizes),
            "ticktext": [str(size) for size in grid.sizes],
            "tickangle": 0,
            "tickfont": {"size": 11},
            "fixedrange": True,
        },
        yaxis={
            "range": [0, top * 1.04] if top else None,
            "rangemode": "tozero",
            "tickformat": ",",
            "fixedrange": True,
        },
    )
    alt = f"{title} against packet size on {grid.host}, one line for each of {len(rows)} rows of the table above"
    return Figure(key, title, alt, figure.to_plotly_json())


def _draw_row(figure: Any, row: Row, series: int, shift: float, unit: str, value: Value) -> None:
    """A line through the medians, a bar from the slowest trial to the fastest, and a dot for each trial."""
    label = escape(one_line(row.label))
    values = {size: _values(cell, value) for size, cell in sorted(row.cells.items())}
    if not any(values.values()):
        return
    # A size without a value interrupts the line.
    middles = {size: median(y for _record, y in pairs) if pairs else None for size, pairs in values.items()}
    figure.add_scatter(
        x=[size * shift for size in values],
        y=list(middles.values()),
        mode="lines",
        name=label,
        meta={"series": series, "part": "median"},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [_beyond(pairs, middles[size], max) for size, pairs in values.items()],
            "arrayminus": [_beyond(pairs, middles[size], min) for size, pairs in values.items()],
            "thickness": 1,
            "width": 3,
        },
        hoverinfo="skip",
    )
    dots = [(size, record, y) for size, pairs in values.items() for record, y in pairs]
    figure.add_scatter(
        x=[size * shift for size, _record, _y in dots],
        y=[y for _size, _record, y in dots],
        mode="markers",
        name=label,
        meta={"series": series, "part": "trials"},
        customdata=[[size, record.trial, record.line, escape(one_line(record.limit))] for size, record, _y in dots],
        hovertemplate=(
            f"<b>{label}</b><br>%{{customdata[0]}} bytes, trial %{{customdata[1]}}<br>%{{y:,.2f}} {unit}<br>"
            "%{customdata[3]}<br>trials.jsonl, line %{customdata[2]}<extra></extra>"
        ),
    )


def _beyond(pairs: Sequence[tuple[Record, float]], middle: float | None, edge: Callable[..., float]) -> float | None:
    """How far the fastest (``max``) or slowest (``min``) trial lies from the middle."""
    return None if middle is None else abs(edge(y for _record, y in pairs) - middle)


def _values(cell: CellSummary, value: Value) -> list[tuple[Record, float]]:
    pairs = ((record, value(record)) for record in cell.counted)
    return [(record, y) for record, y in pairs if y is not None]
