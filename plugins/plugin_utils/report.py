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

from ansible_collections.virtperf.vhost.plugins.plugin_utils import (
    figures,
    sketch,
    wording,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import UNSTABLE_SPREAD, CellSummary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.circumstances import accelerators, warnings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.facts import flatten, is_command, versions
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference import Comparison, compare_with_reference
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference_table import LINES as REFERENCE_LINES
from ansible_collections.virtperf.vhost.plugins.plugin_utils.samples import AllSeries
from ansible_collections.virtperf.vhost.plugins.plugin_utils.setup import Setting, compare
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import Result
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import analysis as throttle_analysis
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import section as throttle_section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import wording as throttle_wording
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import NO_TRIAL, JudgedCell

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
_NOTHING_MEASURED = "No cell has a valid trial."

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What the page says about one study on one host, whatever the study."""

    anchor: str
    result: Result
    # Reasons for skipping, with the cells each holds for.
    skipped: Mapping[str, Sequence[JudgedCell]]
    settings: Sequence[Setting]
    facts: Sequence[tuple[str, str]]
    definition: Sequence[tuple[str, str]]
    versions: Sequence[str]
    invalid: Sequence[Record]
    # What ran the guests, and what came with the trials as a warning.
    accelerators: str
    warnings: Sequence[str]

    @property
    def study(self) -> str:
        """The study's name; the template of its part of the page is called after it."""
        return self.result.study

    @property
    def host(self) -> str:
        """The host's name in the inventory."""
        return self.result.host

    @property
    def plots(self) -> Mapping[str, Mapping[str, Any]]:
        """All its plots by the names that the page has for them."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectSection(Section):
    """A grid of the study reflect."""

    grid: Grid
    figures: Sequence[figures.Figure]
    # Row labels to the place of the row among those drawn, and how many rows with a rate are not drawn.
    series: Mapping[str, int]
    rows_left_out: int
    ends: Sequence[str]
    reference: Comparison | None

    @property
    def plots(self) -> Mapping[str, Mapping[str, Any]]:
        """One of each figure."""
        return {f"{self.anchor}-{figure.key}": figure.plot for figure in self.figures}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleSection(Section):
    """The timelines of the study throttle."""

    parts: Sequence[throttle_section.Part]

    @property
    def plots(self) -> Mapping[str, Mapping[str, Any]]:
        """One of each trial of a timeline, and the ladders."""
        return {name: figure.plot for part in self.parts for name, figure in part.plots}


def render_report(
    results: Sequence[Result],
    records: Sequence[Record],
    manifest: Mapping[str, Any],
    notes: Sequence[str],
    *,
    series: AllSeries | None = None,
    reference: bool = False,
) -> str:
    """The page. Raises PlotlyError where plotly is missing.

    ``records`` are all lines of trials.jsonl in their order, ``notes`` what was forgiven while they were read,
    ``series`` the samples that came with them. ``reference`` adds the figures of the measurement that a study follows.
    """
    grids = [result for result in results if isinstance(result, Grid)]
    timelines = [result for result in results if not isinstance(result, Grid)]
    cells = [cell for result in results for cell in result.cells]
    anchors = {id(cell): f"cell-{number}" for number, cell in enumerate(cells, start=1)}
    show_records = len(records) <= RECORDS_AT_MOST
    sections = [_section(one, number, manifest, series or {}, reference) for number, one in enumerate(results, start=1)]
    measured = [cell for grid in grids for cell in grid.cells]
    sketches = {anchors[id(cell)]: drawn for cell in measured if show_records and (drawn := sketch.sketch(cell))}
    environment = _environment()
    environment.filters["anchor"] = lambda cell: anchors[id(cell)]
    heads = [headline(grids) if grids else "", throttle_section.sentence(timelines)]
    told = [headline_cells(grids), throttle_section.sentence_cells(timelines)]
    return environment.get_template("report.html.j2").render(
        manifest=manifest,
        headline=" ".join(filter(None, heads)) or _NOTHING_MEASURED,
        headline_cells=" ".join(filter(None, told)),
        limits=limits_sentence(results),
        created=_date(manifest["created_at"]),
        notes=notes,
        incomplete=[cell for cell in cells if not cell.is_complete],
        incomplete_at_most=_INCOMPLETE_AT_MOST,
        invalid_at_most=_INVALID_AT_MOST,
        rows_in_full=_ROWS_IN_FULL,
        facts_in_full=_FACTS_IN_FULL,
        sections=sections,
        grid_sections=[section for section in sections if isinstance(section, ReflectSection)],
        records=records,
        show_records=show_records,
        sketches=sketches,
        plots={name: plot for section in sections for name, plot in section.plots.items()},
        plotly=Markup(figures.plotly_script()),
        unstable=wording.percent(UNSTABLE_SPREAD),
        reference_lines=REFERENCE_LINES,
        sketch_box=f"0 0 {sketch.WIDTH} {sketch.HEIGHT}",
        throttle=throttle_wording,
    )


def headline(grids: Sequence[Grid]) -> str:
    """The result in one sentence."""
    best = _best(grids)
    if best is None:
        return _NOTHING_MEASURED
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


def limits_sentence(results: Sequence[Result]) -> str:
    """What limited the cells, in one sentence."""
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(dict(result.limits()))
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


def _section(result: Result, number: int, manifest: Mapping[str, Any], series: AllSeries, reference: bool) -> Section:
    facts = manifest["facts"].get(result.host, {})
    definition = manifest["studies"].get(result.study, {})
    records = [record for cell in result.cells for record in cell.records]
    anchor = f"result-{number}"
    common: dict[str, Any] = {
        "anchor": anchor,
        "result": result,
        "skipped": result.skipped(),
        "settings": compare(records),
        "facts": list(flatten(facts)),
        "definition": [
            item for key, value in definition.items() if key not in ("cells", "skipped") for item in flatten(value, key)
        ],
        "versions": versions(facts),
        "invalid": [record for record in records if not record.valid],
        "accelerators": accelerators(result),
        "warnings": warnings(result),
    }
    if not isinstance(result, Grid):
        return ThrottleSection(parts=throttle_section.parts_of(result, series, anchor), **common)
    rows = {row.label: place for place, row in enumerate(figures.rows_drawn(result))}
    return ReflectSection(
        grid=result,
        figures=figures.draw(result),
        series=rows,
        rows_left_out=len(result.measured_rows) - len(rows),
        ends=figures.ends(result),
        reference=compare_with_reference(result, facts) if reference else None,
        **common,
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
        "outcome": outcome,
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


def outcome(record: Record) -> str:
    """15.20 Mpps, or 812 Mbit/s: a valid record in a word."""
    if record.study == throttle_analysis.STUDY:
        return f"{wording.rate(record.metric(throttle_analysis.RATE) or 0.0)} Mbit/s"
    return f"{wording.mpps(record.rx_pps)} Mpps"


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
