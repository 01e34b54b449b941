# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study reflect in table.txt: driver and queues go down, packet sizes across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import UNSTABLE_SPREAD, CellSummary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, Row
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference import compare_with_reference
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference_table import reference_lines
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table_parts import (
    MISSING,
    SKIPPED,
    align,
    footnotes,
    header,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import (
    factor_name,
    level,
    mbits,
    mpps,
    percent,
)

WIDTH = 120
_UNITS = ("L1 Mbit/s", "Mpps")
_SPREAD, _MODES = "~", "2 modes"


def blocks(grid: Grid, manifest: Mapping[str, Any], reference: bool) -> list[list[str]]:
    """The lines of one host's grid; with ``reference``, below them those of the measurement that the study follows."""
    found = [_block(grid, manifest)]
    facts = manifest["facts"].get(grid.host, {})
    comparison = compare_with_reference(grid, facts) if reference else None
    if comparison:
        found.append(list(reference_lines(comparison, WIDTH)))
    return found


def _block(grid: Grid, manifest: Mapping[str, Any]) -> list[str]:
    meaning = f"medians of {grid.trials} a cell; L1 = packet size + 20 bytes"
    return [*header(grid, manifest, WIDTH, meaning), "", *_align(grid), "", *_footnotes(grid)]


def _align(grid: Grid) -> Iterator[str]:
    """The table itself: texts to the left, numbers to the right."""
    table = [[*(factor_name(name) for name in grid.factors), "", *map(str, grid.sizes)]]
    for row in grid.rows:
        table += _row(grid, row)
    texts = {0, len(grid.factors)} | {
        at for at, name in enumerate(grid.factors) if any(isinstance(row.factors.get(name), str) for row in grid.rows)
    }
    yield from align(table, texts, WIDTH)


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
        return (SKIPPED, "-") if cell.skipped else (MISSING, "-")
    missing = "" if cell.is_complete else f"{MISSING} "
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
    yield from footnotes(grid, WIDTH)
