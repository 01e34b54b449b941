# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each study laid out in its own way, and no cell lost between them."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import Consolidation
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Screening
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import STUDIES as STUDIES_KNOWN
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import results_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import Timelines
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import (
    consolidate_factory,
    knobs_factory,
    record_factory,
    throttle_factory,
)

PHASES = throttle_factory.timeline_phases()
STUDIES: dict[str, Any] = {
    "throttle": throttle_factory.definition([("iperf3", "kthread")], PHASES),
    "reflect": record_factory.definition([record_factory.cell()]),
}


def results(raws: list[dict[str, Any]], studies: dict[str, Any], *hosts: str) -> list[CellGroup]:
    """Of these records."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    return results_of(records, wanted_cells(studies, hosts))


def test_in_the_order_asked_for_host_by_host() -> None:
    found = results([], STUDIES, "a", "b")
    assert [(type(one), one.study, one.host) for one in found] == [
        (Timelines, "throttle", "a"),
        (Timelines, "throttle", "b"),
        (Grid, "reflect", "a"),
        (Grid, "reflect", "b"),
    ]
    assert [len(one.incomplete) for one in found] == [9, 9, 1, 1]
    assert [one.limits() for one in found[1:3]] == [[("no valid trial", 9)], [("no valid trial", 1)]]


def test_a_cell_of_a_study_that_was_not_asked_for_is_kept() -> None:
    (asked, stranger) = results([record_factory.record(host="hv")], {"throttle": STUDIES["throttle"]}, "hv")
    assert (asked.study, stranger.study) == ("throttle", "reflect")
    assert stranger.trials == "1 trial"
    assert stranger.incomplete == []


def test_skipped_cells_by_their_reason() -> None:
    definition = STUDIES["throttle"] | {"skipped": [{"cell": cell, "reason": "no kthreads"} for cell in _cells()[:2]]}
    (found,) = results([], {"throttle": definition}, "hv")
    assert {reason: len(cells) for reason, cells in found.skipped().items()} == {"no kthreads": 2}
    assert (len(found.asked), len(found.incomplete)) == (7, 7)


def _cells() -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = STUDIES["throttle"]["cells"]
    return cells


def test_every_study_that_has_records_is_laid_out_and_reported() -> None:
    assert set(STUDIES_KNOWN) == {"reflect", "throttle", "knobs", "consolidate"}
    raws = [
        record_factory.record(),
        *knobs_factory.screening(knobs_factory.cells(["vhost"])),
        *consolidate_factory.curves(consolidate_factory.cells(workloads=("nginx",))),
    ]
    found = results(raws, {})
    assert [(type(one), one.study) for one in found] == [
        (Grid, "reflect"),
        (Screening, "knobs"),
        (Consolidation, "consolidate"),
    ]
    assert sum(len(cell.records) for one in found for cell in one.cells) == len(raws)
    records = {raw["study"]: Record(raw, 1) for raw in raws}
    assert {study: STUDIES_KNOWN[study].outcome(record) for study, record in records.items()} == {
        "reflect": "15.20 Mpps",
        "knobs": STUDIES_KNOWN["knobs"].outcome(records["knobs"]),
        "consolidate": STUDIES_KNOWN["consolidate"].outcome(records["consolidate"]),
    }
    # nothing to report is no headline
    assert {study.headline([]) for study in STUDIES_KNOWN.values()} == {("", "")}
