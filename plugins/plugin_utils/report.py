# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one page that holds everything it shows, plotly.js included, and asks the network for nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ansible_collections.virtperf.vhost.plugins.plugin_utils import figures, sketch, wording
from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import NO_TRIAL, UNSTABLE_SPREAD, CellSummary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.circumstances import accelerators, warnings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.facts import flatten, is_command, versions
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference import Comparison, compare_with_reference
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference_table import LINES as REFERENCE_LINES
from ansible_collections.virtperf.vhost.plugins.plugin_utils.setup import Setting, compare

# A page with more records than this names their lines only.
RECORDS_AT_MOST = 300
# The same for invalid trials told one by one, and for cells that are told at the top of the page.
_INVALID_AT_MOST = 200
_INCOMPLETE_AT_MOST = 40

# What has more rows than this gets a box of its own to scroll in, or it would push everything else out of sight.
_ROWS_IN_FULL = 24
_FACTS_IN_FULL = 60
# Verdicts that do not name what limits a cell, and how a sentence says them.
_NOT_A_LIMIT = {"undetermined": "undetermined", "unstable": "unstable", NO_TRIAL: "without a valid trial"}

_UNKNOWN = "–"

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Section:
    """What the page says about one grid."""

    anchor: str
    grid: Grid
    figures: Sequence[figures.Figure]
    # Row labels to the place of the row among those drawn, and how many rows with a rate are not drawn.
    series: Mapping[str, int]
    rows_left_out: int
    # Reasons for skipping, with the cells each holds for.
    skipped: Mapping[str, Sequence[CellSummary]]
    ends: Sequence[str]
    settings: Sequence[Setting]
    facts: Sequence[tuple[str, str]]
    definition: Sequence[tuple[str, str]]
    versions: Sequence[str]
    invalid: Sequence[Record]
    # What ran the guests, and what came with the trials as a warning.
    accelerators: str
    warnings: Sequence[str]
    reference: Comparison | None


def render_report(
    grids: Sequence[Grid],
    records: Sequence[Record],
    manifest: Mapping[str, Any],
    notes: Sequence[str],
    *,
    reference: bool = False,
) -> str:
    """The page. Raises PlotlyError where plotly is missing.

    ``records`` are all lines of trials.jsonl in their order, ``notes`` what was forgiven while they were read.
    ``reference`` adds the figures of the measurement that a study follows.
    """
    cells = [cell for grid in grids for cell in grid.cells]
    anchors = {id(cell): f"cell-{number}" for number, cell in enumerate(cells, start=1)}
    show_records = len(records) <= RECORDS_AT_MOST
    sections = [_section(grid, number, manifest, reference) for number, grid in enumerate(grids, start=1)]
    plots = {f"{section.anchor}-{figure.key}": figure.plot for section in sections for figure in section.figures}
    sketches = {anchors[id(cell)]: drawn for cell in cells if show_records and (drawn := sketch.sketch(cell))}
    environment = _environment()
    environment.filters["anchor"] = lambda cell: anchors[id(cell)]
    return environment.get_template("report.html.j2").render(
        manifest=manifest,
        headline=headline(grids),
        headline_cells=headline_cells(grids),
        limits=limits_sentence(grids),
        created=_date(manifest["created_at"]),
        notes=notes,
        incomplete=[cell for cell in cells if not cell.is_complete],
        incomplete_at_most=_INCOMPLETE_AT_MOST,
        invalid_at_most=_INVALID_AT_MOST,
        rows_in_full=_ROWS_IN_FULL,
        facts_in_full=_FACTS_IN_FULL,
        sections=sections,
        records=records,
        show_records=show_records,
        sketches=sketches,
        plots=plots,
        plotly=Markup(figures.plotly_script()),
        unstable=wording.percent(UNSTABLE_SPREAD),
        reference_lines=REFERENCE_LINES,
        sketch_box=f"0 0 {sketch.WIDTH} {sketch.HEIGHT}",
    )


def headline(grids: Sequence[Grid]) -> str:
    """The result in one sentence."""
    best = _best(grids)
    if best is None:
        return "No cell has a valid trial."
    fastest, widest = best
    several = len({grid.host for grid in grids}) > 1
    sentence = (
        f"{fastest.host}{', the fastest,' if several else ''} carried up to {wording.mpps(_median(fastest))} million"
        f" {fastest.packet_size}-byte packets a second"
    )
    if widest is fastest:
        return f"{sentence}."
    elsewhere = f" on {widest.host}" if widest.host != fastest.host else ""
    return f"{sentence}, and up to {_l1(widest) / 1000:.1f} Gbit/s at {widest.packet_size} bytes{elsewhere}."


def headline_cells(grids: Sequence[Grid]) -> str:
    """Which cells the headline speaks of, and whether their trials agree."""
    best = _best(grids)
    if best is None:
        return ""
    fastest, widest = (f"{wording.row_label(cell.cell)}{_doubt(cell)}" for cell in best)
    if best[0] is best[1]:
        return f"That was {fastest}."
    return f"Both were {fastest}." if fastest == widest else f"The first was {fastest}; the second was {widest}."


def _best(grids: Sequence[Grid]) -> tuple[CellSummary, CellSummary] | None:
    """The cells with the most packets and with the most bits a second."""
    measured = [cell for grid in grids for cell in grid.cells if cell.rates]
    return (max(measured, key=_median), max(measured, key=_l1)) if measured else None


def limits_sentence(grids: Sequence[Grid]) -> str:
    """What limited the cells, in one sentence."""
    counts: Counter[str] = Counter()
    for grid in grids:
        counts.update(dict(grid.limits()))
    if not counts:
        return ""
    named = {limit: number for limit, number in counts.most_common() if limit not in _NOT_A_LIMIT}
    words = [f"{number}{'' if at else ' limited'} by {limit}" for at, (limit, number) in enumerate(named.items())]
    parts = [wording.listed(words)] if words else []
    parts += [f"{counts[verdict]} {words}" for verdict, words in _NOT_A_LIMIT.items() if counts[verdict]]
    return f"Of {wording.count(counts.total(), 'cell')}, {'; '.join(parts)}."


def _median(cell: CellSummary) -> float:
    return cell.rates.median if cell.rates else 0.0


def _l1(cell: CellSummary) -> float:
    return cell.l1_mbps or 0.0


def _doubt(cell: CellSummary) -> str:
    """What must be said beside a number that its trials do not agree on."""
    if cell.rates is None or not cell.rates.is_unstable:
        return ""
    return " (two modes)" if cell.rates.modes else f" (trials {wording.percent(cell.rates.spread)} apart)"


def _section(grid: Grid, number: int, manifest: Mapping[str, Any], reference: bool) -> Section:
    facts = manifest["facts"].get(grid.host, {})
    definition = manifest["studies"].get(grid.study, {})
    records = [record for cell in grid.cells for record in cell.records]
    series = {row.label: series for series, row in enumerate(figures.rows_drawn(grid))}
    return Section(
        anchor=f"result-{number}",
        grid=grid,
        figures=figures.draw(grid),
        series=series,
        rows_left_out=len(grid.measured_rows) - len(series),
        skipped=grid.skipped(),
        ends=figures.ends(grid),
        settings=compare(records),
        facts=list(flatten(facts)),
        definition=[
            item for key, value in definition.items() if key not in ("cells", "skipped") for item in flatten(value, key)
        ],
        versions=versions(facts),
        invalid=[record for record in records if not record.valid],
        accelerators=accelerators(grid),
        warnings=warnings(grid),
        reference=compare_with_reference(grid, facts) if reference else None,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Callable[..., Any]] = {
        "cell_label": wording.cell_label,
        "cells_label": wording.cells_label,
        "count": wording.count,
        "load": load,
        "factor_name": wording.factor_name,
        "is_command": is_command,
        "is_listed": is_listed,
        "level": wording.level,
        "line_ranges": line_ranges,
        "mbits": wording.mbits,
        "metric_share": metric_share,
        "mpps": wording.mpps,
        "percent": wording.percent,
        "pretty": pretty,
        "rest_label": wording.rest_label,
    }
    environment.filters.update(filters)
    return environment


def is_listed(cell: CellSummary) -> bool:
    """Whether there is more to say about a cell than that it was skipped."""
    return not cell.skipped or bool(cell.records)


def metric_share(cell: CellSummary, metric: str) -> str:
    """The median over a cell's valid trials of a metric that is a share (0 to 1), as per cent."""
    return _share(record.metric(metric) for record in cell.counted)


def load(cell: CellSummary, end: str) -> list[str]:
    """97 % busy, 99 % CPU: how busy an end was, and how much of its cores it took; what is not known is left out."""
    shares = {
        "busy": _share(record.busy(end) for record in cell.counted),
        "CPU": _share(record.cpu.get(end) for record in cell.counted),
    }
    return [f"{share} {name}" for name, share in shares.items() if share != _UNKNOWN]


def _share(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return wording.percent(median(known)) if known else _UNKNOWN


def pretty(record: Record) -> str:
    """The record as JSON that a person can read; its samples, which are many, in one line."""
    text = json.dumps({key: value for key, value in record.raw.items() if key != "samples"}, indent=2)
    if not record.samples:
        return text
    return f'{text[:-2]},\n  "samples": {json.dumps(record.samples)}\n}}'


def line_ranges(records: Sequence[Record]) -> str:
    """12 to 14, 20: the lines of records, which are in ascending order."""
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in _ranges(records))


def _ranges(records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    low = high = 0
    for record in records:
        if low and record.line == high + 1:
            high = record.line
        else:
            if low:
                yield low, high
            low = high = record.line
    if low:
        yield low, high


def _date(time: str) -> str:
    """2026-11-20 10:00 UTC."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M} UTC"
