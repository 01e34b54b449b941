# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""table.txt: what is printed after a run. Driver and queues go down, packet sizes across, two lines a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import UNSTABLE_SPREAD, CellSummary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.circumstances import accelerators, warnings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.facts import versions
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, Row
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference import compare_with_reference
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference_table import reference_lines
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import (
    cell_label,
    cells_label,
    count,
    factor_name,
    level,
    mbits,
    mpps,
    one_line,
    percent,
)

WIDTH = 120
# Reasons are told in full in the report; a page of them would push the table off the screen.
_REASONS_AT_MOST = 30
_UNITS = ("L1 Mbit/s", "Mpps")
_SPREAD, _MODES, _MISSING, _SKIPPED = "~", "2 modes", "!", "skipped"


def render_table(
    grids: Sequence[Grid], manifest: Mapping[str, Any], notes: Sequence[str], *, reference: bool = False
) -> str:
    """The tables of all grids, one below the other; ends in a newline. ``notes`` tell of lines that were left out.

    ``reference`` adds the figures of the measurement that a study follows.
    """
    blocks = []
    for grid in grids:
        blocks.append(_block(grid, manifest))
        comparison = compare_with_reference(grid, manifest["facts"].get(grid.host, {})) if reference else None
        if comparison:
            blocks.append(list(reference_lines(comparison, WIDTH)))
    troubles = [("FAILED", failure) for failure in manifest["failures"]] + [("NOTE", note) for note in notes]
    if troubles:
        blocks.insert(0, [line for kind, words in troubles for line in _trouble(kind, words)])
    return "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks) + "\n"


def _trouble(kind: str, words: str) -> list[str]:
    """Told in full: this is what a person needs first."""
    return wrap(one_line(words), WIDTH, initial_indent=f"{kind:8}", subsequent_indent=" " * 8)


def _block(grid: Grid, manifest: Mapping[str, Any]) -> list[str]:
    return [*_header(grid, manifest), "", *_align(grid), "", *_footnotes(grid)]


def _header(grid: Grid, manifest: Mapping[str, Any]) -> Iterator[str]:
    yield one_line(f"{grid.study}, run {manifest['run_id']}, host {grid.host}", WIDTH)
    date = manifest["created_at"].replace("T", " ").replace("Z", " UTC")
    tool = manifest["tool"]
    words = [f"{tool['name']} {tool['version']}", *versions(manifest["facts"].get(grid.host, {})), date]
    yield one_line(", ".join(words), WIDTH)
    yield f"medians of {grid.trials} a cell; L1 = packet size + 20 bytes"
    if accel := accelerators(grid):
        yield one_line(f"guests run by {accel}", WIDTH)


def _align(grid: Grid) -> Iterator[str]:
    """The table itself: texts to the left, numbers to the right."""
    table = [[*(factor_name(name) for name in grid.factors), "", *map(str, grid.sizes)]]
    for row in grid.rows:
        table += _row(grid, row)
    texts = {0, len(grid.factors)} | {
        at for at, name in enumerate(grid.factors) if any(isinstance(row.factors.get(name), str) for row in grid.rows)
    }
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    gap = "  " if sum(widths) + 2 * len(widths) - 2 <= WIDTH else " "
    for line in table:
        yield gap.join(
            word.ljust(width) if column in texts else word.rjust(width)
            for column, (word, width) in enumerate(zip(line, widths, strict=True))
        )


def _row(grid: Grid, row: Row) -> list[list[str]]:
    labels = [level(row.factors[name]) if name in row.factors else "-" for name in grid.factors]
    cells = [_cell(row.cells[size]) if size in row.cells else ("", "") for size in grid.sizes]
    return [
        [*labels, _UNITS[0], *(above for above, _below in cells)],
        [*([""] * len(labels)), _UNITS[1], *(below for _above, below in cells)],
    ]


def _cell(cell: CellSummary) -> tuple[str, str]:
    """Both lines of a cell. Marks stand before the number, so that numbers stay below one another."""
    if cell.rates is None or cell.l1_mbps is None:
        return (_SKIPPED, "-") if cell.skipped else (_MISSING, "-")
    missing = "" if cell.is_complete else f"{_MISSING} "
    unsteady = f"{_MODES} " if cell.rates.modes else f"{_SPREAD} " if cell.rates.is_spread else ""
    return missing + mbits(cell.l1_mbps), unsteady + mpps(cell.rates.median)


def _footnotes(grid: Grid) -> Iterator[str]:
    """What the marks in this table mean, why cells failed or were skipped, and what limited the others."""
    rates = [cell.rates for cell in grid.cells if cell.rates is not None]
    if any(rate.is_spread and not rate.modes for rate in rates):
        yield f"{_SPREAD}        trials lie more than {percent(UNSTABLE_SPREAD)} of their median apart"
    if any(rate.modes for rate in rates):
        yield f"{_MODES}  trials fall into two groups with a gap between; the median shows but one of them, or neither"
        if any(rate.modes and not rate.modes.is_proven for rate in rates):
            yield "         (where one group is a single trial, that is a hint and no proof: measure more trials)"
    if grid.incomplete:
        few = f"{len(grid.incomplete)} of {count(len(grid.asked), 'cell')}"
        yield f"{_MISSING}        fewer valid trials than asked for, in {few}:"
        yield from _short_list(
            f"{cell_label(cell.cell)}: {len(cell.counted)} of {cell.wanted} valid; {'; '.join(cell.reasons)}"
            for cell in grid.incomplete
        )
    if skipped := grid.skipped():
        yield f"{_SKIPPED}  not measured, and not asked to be:"
        yield from _short_list(
            f"{cells_label([cell.cell for cell in cells])}: {reason}" for reason, cells in skipped.items()
        )
    for warning in warnings(grid):
        yield from _trouble("WARNING", warning)
    if grid.asked:
        yield "verdicts"
        cells = count(len(grid.asked), "cell")
        yield from (f"  {one_line(limit, WIDTH // 2)}: {number} of {cells}" for limit, number in grid.limits())


def _short_list(lines: Iterable[str]) -> Iterator[str]:
    all_lines = list(lines)
    indent = " " * 9
    for line in all_lines[:_REASONS_AT_MOST]:
        yield indent + one_line(line, WIDTH - len(indent))
    if len(all_lines) > _REASONS_AT_MOST:
        yield f"{indent}and {len(all_lines) - _REASONS_AT_MOST} more: see report.html"
