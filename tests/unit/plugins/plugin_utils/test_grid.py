# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which cells are read."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def test_drivers_keep_their_order_and_levels_ascend() -> None:
    asked = [
        make.cell(driver, queues, size, ring_size=ring)
        for queues in (10, 2)
        for driver in ("split", "packed")
        for ring in (1024, 256)
        for size in (128, 64)
    ]
    (grid,) = lay_out(analyse([], wanted_cells({"reflect": make.definition(asked)}, ["a"])))
    assert grid.factors == ["driver", "queues", "ring_size"]
    assert grid.sizes == [64, 128]
    assert [row.label for row in grid.rows] == [
        f"{driver}, {queues} queues, ring size {ring}"
        for driver in ("split", "packed")
        for queues in (2, 10)
        for ring in (256, 1024)
    ]
    assert len(grid.cells) == len(asked)
    assert grid.measured_rows == []
    assert grid.trials == "0 trials"


def test_a_grid_for_each_host() -> None:
    grids = lay_out(analyse([], wanted_cells({"reflect": make.definition([make.cell()])}, ["b", "a"])))
    assert [grid.host for grid in grids] == ["b", "a"]


def test_what_is_skipped_is_not_counted_among_what_was_asked() -> None:
    skipped = [{"cell": make.cell(queues=4, packet_size=size), "reason": "few CPUs"} for size in (64, 128)]
    studies = {"reflect": make.definition([make.cell()], skipped=skipped)}
    (grid,) = lay_out(analyse([Record(make.record(), 1)], wanted_cells(studies, ["localhost"])))
    assert len(grid.asked) == 1
    assert grid.limits() == [("vswitch-cpu", 1)]
    assert [len(cells) for cells in grid.skipped().values()] == [2]
    assert [cell.cell for cell in grid.incomplete] == [make.cell()]
    assert grid.trials == "1 trial"


def test_cells_with_different_numbers_of_trials() -> None:
    raws = [make.record(trial=1), make.record(trial=2), make.record(of=make.cell(queues=2))]
    (grid,) = lay_out(analyse([Record(raw, n) for n, raw in enumerate(raws, 1)], []))
    assert grid.trials == "1 to 2 trials"


def test_factors_that_only_some_cells_have() -> None:
    raws = [make.record(of=make.cell(burst=burst)) for burst in (64, "all")] + [make.record()]
    (grid,) = lay_out(analyse([Record(raw, n) for n, raw in enumerate(raws, 1)], []))
    assert grid.factors == ["driver", "queues", "burst"]
    assert [row.factors.get("burst") for row in grid.rows] == [64, None, "all"]
