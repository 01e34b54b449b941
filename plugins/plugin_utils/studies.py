# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The studies of a run, each laid out in its own way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import summarise
from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate import section as consolidate_section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate import table as consolidate_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate import wording as consolidate_wording
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import lay_out_consolidations
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import section as knobs_section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import table as knobs_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import wording as knobs_wording
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import lay_out_screenings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect import section as reflect_section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect import table as reflect_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.study import Study
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import section as throttle_section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import table as throttle_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import wording as throttle_wording
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import lay_out_timelines
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import CellTrials, gather
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import WantedCell

# By their names. The page's first sentence tells of them in this order.
STUDIES: Mapping[str, Study[Any]] = {
    "reflect": Study(
        lay_out=lambda cells: lay_out([summarise(cell) for cell in cells]),
        blocks=reflect_table.blocks,
        section=reflect_section.section,
        headline=reflect_section.headline,
        outcome=reflect_section.outcome,
    ),
    "throttle": Study(
        lay_out=lay_out_timelines,
        blocks=throttle_table.blocks,
        section=throttle_section.section,
        headline=throttle_section.headline,
        outcome=throttle_section.outcome,
        words=throttle_wording,
    ),
    "knobs": Study(
        lay_out=lay_out_screenings,
        blocks=knobs_table.blocks,
        section=knobs_section.section,
        headline=knobs_section.headline,
        outcome=knobs_section.outcome,
        words=knobs_wording,
    ),
    "consolidate": Study(
        lay_out=lay_out_consolidations,
        blocks=consolidate_table.blocks,
        section=consolidate_section.section,
        headline=consolidate_section.headline,
        outcome=consolidate_section.outcome,
        words=consolidate_wording,
    ),
}


def results_of(records: Iterable[Record], wanted: Iterable[WantedCell]) -> list[CellGroup]:
    """What each study measured on each host, in the order in which they were asked for; strangers last."""
    by_study: dict[str, list[CellTrials]] = {}
    for cell in gather(records, wanted):
        by_study.setdefault(cell.study, []).append(cell)
    return [result for study, cells in by_study.items() for result in STUDIES[study].lay_out(cells)]
