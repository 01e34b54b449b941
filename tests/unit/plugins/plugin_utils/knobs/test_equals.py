# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline against itself."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Screening, lay_out_screenings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.equals import Equals, compare_equals
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.tests.unit import knobs_factory as make


def screening(raws: list[dict[str, Any]]) -> Screening:
    """Of one host."""
    (found,) = lay_out_screenings(gather([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))
    return found


@pytest.mark.parametrize("scatter", [0.02, 0.1, 0.3])
def test_19_of_20_comparisons_of_a_run_s_own_baselines_find_nothing(scatter: float) -> None:
    found = Equals(0, 0)
    for seed in range(8):
        one = compare_equals(screening(make.screening(scatter=scatter, seed=seed)))
        assert one == compare_equals(screening(make.screening(scatter=scatter, seed=seed)))
        found = Equals(found.comparisons + one.comparisons, found.found + one.found)
    # of nine workloads those with ten trials of the baseline or more, and five metrics each
    assert found.comparisons > 300
    assert found.found <= found.comparisons / 20


def test_variants_and_other_boots_and_workloads_are_no_part_of_it() -> None:
    asked = make.cells(["vhost", "gso"], ["tcp_rr"])
    raws = make.screening(asked, scatter=0.05)
    assert compare_equals(screening(raws)).comparisons == 5
    for raw in raws:
        raw["asked"]["boot"] = raw["trial"] % 2
    assert compare_equals(screening(raws)).comparisons == 0


def test_too_few_trials_say_nothing() -> None:
    assert compare_equals(screening([make.record(make.cell("vhost", "on"))])) == Equals(0, 0)
    raws = make.screening(make.cells(["vhost"], ["tcp_rr"]))
    for raw in raws:
        del raw["asked"]["arm"]
    assert compare_equals(screening(raws)) == Equals(0, 0)
