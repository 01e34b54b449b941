# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cells a definition asks for, of which hosts."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make

ONE, TWO = make.cell(queues=1), make.cell(queues=2)


def test_every_cell_on_every_host_in_order() -> None:
    wanted = wanted_cells({"reflect": make.definition([ONE, TWO], trials=5)}, ["b", "a"])
    assert [(cell.host, cell.cell["queues"], cell.trials) for cell in wanted] == [
        ("b", 1, 5),
        ("b", 2, 5),
        ("a", 1, 5),
        ("a", 2, 5),
    ]
    assert not any(cell.skipped for cell in wanted)


def test_a_study_may_name_its_own_hosts() -> None:
    wanted = wanted_cells({"reflect": make.definition([ONE], hosts=["a"])}, ["a", "b"])
    assert [cell.host for cell in wanted] == ["a"]


def test_a_skipped_cell_needs_a_reason() -> None:
    skipped = [{"cell": TWO, "reason": "too few CPUs"}, {"cell": ONE, "reason": ""}]
    wanted = wanted_cells({"reflect": make.definition([ONE, TWO], skipped=skipped)}, ["a"])
    assert [cell.skipped for cell in wanted] == ["", "too few CPUs"]


def test_a_skipped_cell_need_not_be_in_the_list() -> None:
    wanted = wanted_cells({"reflect": make.definition([ONE], skipped=[{"cell": TWO, "reason": "r"}])}, ["a"])
    assert [(cell.cell, cell.skipped) for cell in wanted] == [(ONE, ""), (TWO, "r")]


def test_a_cell_may_be_skipped_on_one_host_only() -> None:
    skipped = [{"cell": ONE, "reason": "no 1 GiB pages", "host": "b"}]
    wanted = wanted_cells({"reflect": make.definition([ONE], skipped=skipped)}, ["a", "b"])
    assert [(cell.host, cell.skipped) for cell in wanted] == [("a", ""), ("b", "no 1 GiB pages")]
