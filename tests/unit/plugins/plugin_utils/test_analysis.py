# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of a cell say together."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import (
    UNSTABLE_SPREAD,
    CellSummary,
    analyse,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import NO_TRIAL, SKIPPED
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import WantedCell, wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def records_of(raws: list[dict[str, Any]]) -> list[Record]:
    """The records as they would be read from a file."""
    return [Record(raw, line) for line, raw in enumerate(raws, start=1)]


def summary(
    *raws: dict[str, Any], trials: int = 3, cell: Mapping[str, Any] | None = None, skipped: str = ""
) -> CellSummary:
    """Of one cell that was asked for."""
    wanted = WantedCell("localhost", "reflect", cell or make.cell(), trials, skipped)
    (found,) = analyse(records_of(list(raws)), [wanted])
    return found


def trials(*mpps: float, limits: tuple[str, ...] = (), **arguments: Any) -> list[dict[str, Any]]:
    """Valid records of one cell."""
    return [
        make.record(rate * 1e6, trial=number, limit=limits[number - 1] if limits else "vswitch-cpu", **arguments)
        for number, rate in enumerate(mpps, start=1)
    ]


def test_rates_of_a_steady_cell() -> None:
    cell = summary(*trials(15.2, 15.0, 15.4))
    assert cell.rates is not None
    assert (cell.rates.median, cell.rates.low, cell.rates.high) == (15.2e6, 15.0e6, 15.4e6)
    assert cell.rates.spread == pytest.approx(0.4 / 15.2)
    assert not cell.rates.is_unstable
    assert cell.is_complete
    assert cell.reasons == []
    assert cell.l1_mbps == pytest.approx(15.2 * 84 * 8)
    assert cell.verdict.limit == "vswitch-cpu"


def test_invalid_trials_never_count() -> None:
    fast = make.invalid("wrong ring", trial=3) | {"metrics": {"rx_pps": 99e6}}
    cell = summary(*trials(15.2, 15.0), fast)
    assert cell.rates is not None
    assert (cell.rates.trials, cell.rates.high) == (2, 15.2e6)
    assert not cell.is_complete
    assert cell.reasons == ["trial 3: wrong ring"]


def test_a_reason_is_told_once_with_its_trials_and_what_is_missing_besides() -> None:
    cell = summary(make.invalid("died", trial=1), make.invalid("died", trial=2))
    assert cell.reasons == ["trials 1, 2: died", "1 of 3 trials not measured"]
    assert cell.verdict.limit == NO_TRIAL


def test_a_cell_that_was_never_measured() -> None:
    cell = summary()
    assert cell.rates is None
    assert cell.l1_mbps is None
    assert cell.reasons == ["3 of 3 trials not measured"]


def test_a_skipped_cell_is_complete() -> None:
    cell = summary(skipped="too few CPUs")
    assert cell.is_complete
    assert (cell.verdict.limit, cell.verdict.evidence) == (SKIPPED, "too few CPUs")


def test_of_more_valid_trials_than_wanted_the_newest_count() -> None:
    old = [make.record(1e6, trial=n, started_at="2026-11-20T10:00:00Z") for n in (1, 2)]
    new = [make.record(2e6, trial=n, started_at="2026-11-20T11:00:00Z") for n in (1, 2, 3)]
    cell = summary(*new, *old)
    assert [record.rx_pps for record in cell.counted] == [2e6, 2e6, 2e6]
    assert [record.line for record in cell.superseded] == [4, 5]
    assert [record.line for record in cell.records] == [1, 2, 3, 4, 5]


def test_a_cell_completed_by_a_resumed_run_keeps_its_invalid_trials() -> None:
    resumed = make.record(15.1e6, trial=1, started_at="2026-11-20T11:00:00Z")
    cell = summary(*trials(15.2, 15.0), make.invalid("died", trial=3), resumed)
    assert cell.is_complete
    assert len(cell.invalid) == 1
    assert cell.reasons == []


def test_agreeing_trials_give_the_evidence_of_the_median_one() -> None:
    raws = trials(15.4, 15.2, 15.0)
    for raw in raws:
        raw["verdict"]["evidence"] = f"at {raw['metrics']['rx_pps'] / 1e6}"
    assert summary(*raws).verdict.evidence == "at 15.2"
    assert summary(*raws[:2]).verdict.evidence == "at 15.2"


def test_most_trials_speak_for_the_cell_and_the_others_are_told() -> None:
    verdict = summary(*trials(15.2, 15.0, 15.4, limits=("generator-cpu", "vswitch-cpu", "vswitch-cpu"))).verdict
    assert verdict.limit == "vswitch-cpu"
    assert "vswitch-cpu (2 of 3:" in verdict.evidence
    assert "generator-cpu (1 of 3:" in verdict.evidence


def test_without_a_majority_it_cannot_be_told() -> None:
    verdict = summary(*trials(15.2, 15.0, limits=("generator-cpu", "vswitch-cpu"))).verdict
    assert verdict.limit == "undetermined"
    assert "vswitch-cpu (1 of 2:" in verdict.evidence
    assert "generator-cpu (1 of 2:" in verdict.evidence


def test_two_modes_are_unstable_and_what_the_trials_said_is_kept() -> None:
    cell = summary(*trials(7.1, 15.2, 15.4))
    assert cell.rates is not None
    assert cell.rates.modes is not None
    assert cell.verdict.limit == "unstable"
    assert "1 trial at 7.10 Mpps, 2 at 15.20 to 15.40 Mpps" in cell.verdict.evidence
    assert "do not prove it" in cell.verdict.evidence
    assert "vswitch-cpu (3 of 3:" in cell.verdict.evidence


def test_a_wide_spread_is_unstable() -> None:
    cell = summary(*trials(13.0, 14.0, 15.0))
    assert cell.rates is not None
    assert cell.rates.modes is None
    assert cell.verdict.limit == "unstable"
    assert "13.00 to 15.00 Mpps, 14 % of the median apart" in cell.verdict.evidence


def test_a_rate_at_the_link_speed_is_the_link_s() -> None:
    observed = make.record()["observed"] | {"link_speed_mbps": 10000}
    at_speed = 9990e6 / 8 / 84 / 1e6
    capped = summary(*trials(at_speed, at_speed, at_speed, observed=observed))
    assert capped.verdict.limit == "link-speed-cap"
    assert "within 1 % of the link speed, 10,000 Mbit/s" in capped.verdict.evidence
    assert "vswitch-cpu (3 of 3" in capped.verdict.evidence
    below = summary(*trials(0.97 * at_speed, 0.97 * at_speed, 0.97 * at_speed, observed=observed))
    assert below.verdict.limit == "vswitch-cpu"


@pytest.mark.parametrize("speed", [None, "unknown", 0, [1]])
def test_a_link_speed_that_is_none_caps_nothing(speed: Any) -> None:
    observed = make.record()["observed"] | {"link_speed_mbps": speed}
    assert summary(*trials(15.2, observed=observed)).verdict.limit == "vswitch-cpu"


def test_trials_that_say_link_speed_keep_their_own_evidence() -> None:
    observed = make.record()["observed"] | {"link_speed_mbps": 10000}
    at_speed = 1e10 / 8 / 84 / 1e6
    raws = trials(at_speed, limits=("link-speed-cap",), observed=observed)
    assert summary(*raws, trials=1).verdict.evidence == raws[0]["verdict"]["evidence"]


def test_nothing_came_back_at_all() -> None:
    cell = summary(*trials(0.0, 0.0, 0.0))
    assert cell.rates is not None
    assert cell.rates.spread == 0
    mixed = summary(*trials(0.0, 0.0, 15.0))
    assert mixed.rates is not None
    assert mixed.rates.spread == float("inf")
    assert mixed.verdict.limit == "unstable"


def test_cells_come_in_the_order_asked_for_and_strangers_last() -> None:
    asked = wanted_cells({"reflect": make.definition([make.cell(queues=2), make.cell(queues=1)])}, ["a"])
    found = analyse(records_of([make.record(of=make.cell(queues=4), host="a"), make.record(host="a")]), asked)
    assert [cell.cell["queues"] for cell in found] == [2, 1, 4]
    assert found[2].wanted == 0
    assert found[2].is_complete


@given(st.lists(st.floats(1e5, 1e8), min_size=1, max_size=9), st.integers(1, 9))
def test_the_numbers_are_those_of_the_newest_valid_trials(rates: list[float], wanted: int) -> None:
    raws = [
        make.record(rate, trial=number, started_at=f"2026-11-20T10:{number:02d}:00Z")
        for number, rate in enumerate(rates, start=1)
    ]
    cell = summary(*reversed(raws), trials=wanted)
    newest = rates[-wanted:]
    assert cell.rates is not None
    assert cell.rates.median == pytest.approx(median(newest))
    assert (cell.rates.low, cell.rates.high) == (min(newest), max(newest))
    assert cell.rates.is_spread == (cell.rates.spread > UNSTABLE_SPREAD)
    assert cell.is_complete == (len(rates) >= wanted)
    assert len(cell.counted) + len(cell.superseded) == len(rates)


def test_ten_thousand_records_take_well_under_a_second() -> None:
    asked = make.cells([f"d{n}" for n in range(139)], (1, 2, 3, 4))
    records = records_of(make.sweep(asked))
    assert len(records) > 10_000
    wanted = wanted_cells({"reflect": make.definition(asked)}, ["localhost"])
    start = time.perf_counter()
    analyse(records, wanted)
    assert time.perf_counter() - start < 1
