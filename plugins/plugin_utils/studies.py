# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The studies of a run, each laid out in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import summarise
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import Timelines, lay_out_timelines
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import CellTrials, gather
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import WantedCell

# What one study measured on one host.
Result = Grid | Timelines

_LAY_OUT: Mapping[str, Callable[[list[CellTrials]], Sequence[Result]]] = {
    "reflect": lambda cells: lay_out([summarise(cell) for cell in cells]),
    "throttle": lay_out_timelines,
}


def results_of(records: Iterable[Record], wanted: Iterable[WantedCell]) -> list[Result]:
    """What each study measured on each host, in the order in which they were asked for; strangers last."""
    by_study: dict[str, list[CellTrials]] = {}
    for cell in gather(records, wanted):
        by_study.setdefault(cell.study, []).append(cell)
    return [result for study, cells in by_study.items() for result in _LAY_OUT[study](cells)]
