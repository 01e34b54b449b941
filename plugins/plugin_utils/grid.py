# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells laid out the way they are read: the factors go down, the packet sizes go across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import CellSummary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import cell_key
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import row_factors, row_label


@dataclass(frozen=True, slots=True)
class Row:
    """All cells that differ in their packet size only, by that size."""

    factors: Mapping[str, Any]
    cells: Mapping[int, CellSummary]

    @property
    def label(self) -> str:
        """virtio_user_packed, 2 queues."""
        return row_label(self.factors)


@dataclass(frozen=True, slots=True)
class Grid(CellGroup):
    """What the study reflect measured on one host. ``factors`` names what goes down, ``sizes`` what goes across."""

    host: str
    study: str
    factors: Sequence[str]
    sizes: Sequence[int]
    rows: Sequence[Row]

    @property
    def cells(self) -> list[CellSummary]:
        """All cells, row by row."""
        return [row.cells[size] for row in self.rows for size in self.sizes if size in row.cells]

    @property
    def measured_rows(self) -> list[Row]:
        """The rows with a rate in at least one cell."""
        return [row for row in self.rows if any(cell.rates for cell in row.cells.values())]


def lay_out(summaries: Sequence[CellSummary]) -> list[Grid]:
    """A grid for each study on each host, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[CellSummary]] = {}
    for summary in summaries:
        groups.setdefault((summary.study, summary.host), []).append(summary)
    return [_grid(study, host, cells) for (study, host), cells in groups.items()]


def _grid(study: str, host: str, cells: Sequence[CellSummary]) -> Grid:
    rows: dict[str, tuple[dict[str, Any], dict[int, CellSummary]]] = {}
    for cell in cells:
        factors = {name: level for name, level in cell.cell.items() if name != "packet_size"}
        rows.setdefault(cell_key(factors), (factors, {}))[1][cell.packet_size] = cell
    names = row_factors({name: None for factors, _cells in rows.values() for name in factors})
    # Drivers keep the order they were asked for in; below a driver the levels ascend.
    drivers = list(dict.fromkeys(factors["driver"] for factors, _cells in rows.values()))
    ordered = sorted(
        rows.values(),
        key=lambda row: (
            drivers.index(row[0]["driver"]),
            [_ascending(row[0].get(name)) for name in names if name != "driver"],
        ),
    )
    return Grid(
        host=host,
        study=study,
        factors=names,
        sizes=sorted({cell.packet_size for cell in cells}),
        rows=[Row(factors, by_size) for factors, by_size in ordered],
    )


def _ascending(level: Any) -> tuple[int, float, str]:
    """Numbers by their value, before everything else by its text."""
    if isinstance(level, int | float):
        return (0, float(level), "")
    return (1, 0.0, str(level))
