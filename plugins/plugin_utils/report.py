# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one page that holds everything it shows, plotly.js included, and asks the network for nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.circumstances import accelerators, caution, warnings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.facts import flatten, is_command, versions
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference_table import LINES as REFERENCE_LINES
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.section import ReflectSection
from ansible_collections.virtperf.vhost.plugins.plugin_utils.samples import AllSeries
from ansible_collections.virtperf.vhost.plugins.plugin_utils.section import Material, Section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.setup import compare
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import STUDIES
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import NO_TRIAL

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


def render_report(
    results: Sequence[CellGroup],
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
    cells = [cell for result in results for cell in result.cells]
    anchors = {id(cell): f"cell-{number}" for number, cell in enumerate(cells, start=1)}
    show_records = len(records) <= RECORDS_AT_MOST
    sections = [_section(one, number, manifest, series or {}, reference) for number, one in enumerate(results, start=1)]
    grid_sections = [section for section in sections if isinstance(section, ReflectSection)]
    measured = [cell for section in grid_sections for cell in section.grid.cells]
    sketches = {anchors[id(cell)]: drawn for cell in measured if show_records and (drawn := sketch.sketch(cell))}
    environment = _environment()
    environment.filters["anchor"] = lambda cell: anchors[id(cell)]
    heads, told = zip(*(study.headline(_of(name, results)) for name, study in STUDIES.items()), strict=True)
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
        grid_sections=grid_sections,
        records=records,
        show_records=show_records,
        sketches=sketches,
        plots={name: plot for section in sections for name, plot in section.plots.items()},
        plotly=Markup(figures.plotly_script()),
        unstable=wording.percent(UNSTABLE_SPREAD),
        reference_lines=REFERENCE_LINES,
        sketch_box=f"0 0 {sketch.WIDTH} {sketch.HEIGHT}",
        **{name: study.words for name, study in STUDIES.items()},
    )


def _of(study: str, results: Sequence[CellGroup]) -> list[CellGroup]:
    return [result for result in results if result.study == study]


def limits_sentence(results: Sequence[CellGroup]) -> str:
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


def _section(
    result: CellGroup, number: int, manifest: Mapping[str, Any], series: AllSeries, reference: bool
) -> Section:
    facts = manifest["facts"].get(result.host, {})
    definition = manifest["studies"].get(result.study, {})
    records = [record for cell in result.cells for record in cell.records]
    common = {
        "anchor": f"result-{number}",
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
        "caution": caution(result, facts),
        "warnings": warnings(result),
    }
    return STUDIES[result.study].section(result, Material(common, manifest, series, reference))


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
    return STUDIES[record.study].outcome(record)


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
