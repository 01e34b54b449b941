# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about the study reflect on one host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils import figures, wording
from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import CellSummary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference import Comparison, compare_with_reference
from ansible_collections.virtperf.vhost.plugins.plugin_utils.section import Material, Section


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


def section(grid: Grid, material: Material) -> ReflectSection:
    """The section about a grid."""
    rows = {row.label: place for place, row in enumerate(figures.rows_drawn(grid))}
    facts = material.manifest["facts"].get(grid.host, {})
    return ReflectSection(
        grid=grid,
        figures=figures.draw(grid),
        series=rows,
        rows_left_out=len(grid.measured_rows) - len(rows),
        ends=figures.ends(grid),
        reference=compare_with_reference(grid, facts) if material.reference else None,
        **material.common,
    )


def outcome(record: Record) -> str:
    """15.20 Mpps."""
    return f"{wording.mpps(record.rx_pps)} Mpps"


def headline(grids: Sequence[Grid]) -> tuple[str, str]:
    """The result, and the cells that it speaks of."""
    return sentence(grids), sentence_cells(grids)


def sentence(grids: Sequence[Grid]) -> str:
    """The result in one sentence; "" without one."""
    best = _best(grids)
    if best is None:
        return ""
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


def sentence_cells(grids: Sequence[Grid]) -> str:
    """Which cells that sentence speaks of, and whether their trials agree."""
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


def _median(cell: CellSummary) -> float:
    return cell.rates.median if cell.rates else 0.0


def _l1(cell: CellSummary) -> float:
    return cell.l1_mbps or 0.0


def _doubt(cell: CellSummary) -> str:
    """What must be said beside a number that its trials do not agree on."""
    if cell.rates is None or not cell.rates.is_unstable:
        return ""
    return " (two modes)" if cell.rates.modes else f" (trials {wording.percent(cell.rates.spread)} apart)"
