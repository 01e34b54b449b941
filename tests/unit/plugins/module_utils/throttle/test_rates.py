# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers out of samples."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import rates

FRAME = 1280 * 800 * 4


def at(count: int) -> list[float]:
    """So many instants, 0.1 s apart."""
    return [number / 10 for number in range(count)]


def counter(grown: list[int], start: int = 7) -> list[int | None]:
    return list(accumulate(grown, initial=start))


def test_mean_peak_and_growth() -> None:
    values = counter([0, 1_000_000, 3_000_000, 0])
    assert rates.growth(at(5), values) == 4_000_000
    assert rates.per_second(at(5), values) == pytest.approx(10_000_000)
    assert rates.mbps(at(5), values) == pytest.approx(80)
    assert rates.peak_mibps(at(5), values) == pytest.approx(3_000_000 * 8 * 10 / 2**20)


def test_a_short_step_after_a_late_sample_is_no_peak() -> None:
    times_s, values = [0.0, 0.1, 0.27, 0.3, 0.4], counter([1_000_000, 1_700_000, 900_000, 100_000])
    # 1.7 and 0.9 MB in 0.2 s, not 0.9 MB in 0.03 s.
    assert rates.peak_mibps(times_s, values) == pytest.approx(13_000_000 * 8 / 2**20)


def test_samples_that_are_rarer_are_the_peak_s_own_steps() -> None:
    assert rates.peak_mibps([0.0, 1.0, 2.0], counter([1_000_000, 3_000_000])) == pytest.approx(24_000_000 / 2**20)


def test_what_a_counter_grew_by_between_two_samples() -> None:
    assert rates.between(at(4), [1, None, 5, 9], 0.0, 0.2) == 4
    assert rates.between(at(4), [1, None, 5, 9], 0.1, 0.3) is None


def test_a_sample_that_is_missing_joins_two_steps() -> None:
    assert [step.grown for step in rates.steps(at(4), [1, None, 5, 9])] == [4, 4]
    assert rates.steps(at(4), [1, None, 5, 9])[0].rate == pytest.approx(20)


def test_a_counter_that_begins_anew_is_no_traffic() -> None:
    assert rates.growth(at(4), [100, 200, 3, 10]) == 107
    assert rates.per_second(at(4), [100, 200, 3, 10]) == pytest.approx(107 / 0.2)


@pytest.mark.parametrize("values", [[], [5], [None, 5, None]])
def test_fewer_than_two_samples_are_no_rate(values: list[int | None]) -> None:
    times_s = at(len(values))
    assert rates.growth(times_s, values) is None
    assert rates.mbps(times_s, values) is None
    assert rates.peak_mibps(times_s, values) is None
    assert rates.bursts(times_s, values) == []


def colours(changes: int, *, lead: int = 10, background: int = 500) -> list[int]:
    """A change every 4 s, its frame spread over three samples, small talk in between."""
    grown = [background] * lead
    for _change in range(changes):
        grown += [FRAME // 4, FRAME // 2, FRAME // 4 + 5000] + [background] * 37
    return grown


def test_each_change_of_colour_is_a_burst_of_a_frame() -> None:
    grown = colours(10)
    found = rates.bursts(at(len(grown) + 1), counter(grown))
    assert [burst.bytes for burst in found] == [FRAME + 5000] * 10
    assert found[1].from_s - found[0].from_s == pytest.approx(4.0)
    assert found[0].to_s - found[0].from_s == pytest.approx(0.3)


def test_bursts_that_are_cut_are_left_out() -> None:
    grown = [FRAME, *colours(2), FRAME]
    assert len(rates.bursts(at(len(grown) + 1), counter(grown))) == 2


def test_small_talk_alone_is_no_burst() -> None:
    assert rates.bursts(at(101), counter([0, 500] * 50)) == []


def test_when_a_stream_is_back() -> None:
    # 1 s of nothing, then 80 Mbit/s.
    values = counter([0] * 10 + [1_000_000] * 20)
    assert rates.reached_s(at(31), values, 72) == pytest.approx(1.5)
    assert rates.reached_s(at(31), values, 40) == pytest.approx(1.3)
    assert rates.reached_s(at(31), values, 81) is None
    assert rates.reached_s(at(2), counter([10**9]), 1) is None  # half a second has not been seen yet


@given(st.lists(st.none() | st.integers(0, 2**50), max_size=60), st.floats(0, 1e6))
def test_any_counter_is_taken(values: list[int | None], wanted: float) -> None:
    times_s = at(len(values))
    found = rates.bursts(times_s, values)
    assert sum(burst.bytes for burst in found) <= (rates.growth(times_s, values) or 0)
    back_s = rates.reached_s(times_s, values, wanted)
    assert back_s is None or 0.4 <= back_s <= times_s[-1]


def test_payload_is_without_the_headers() -> None:
    assert rates.payload_bytes(10 * (1448 + 66), 10) == 14480
    assert rates.payload_bytes(60, 1) == 0


def test_ratios() -> None:
    assert rates.ratio(1.0, 4.0) == 0.25
    assert [rates.ratio(*pair) for pair in ((None, 1.0), (1.0, None), (1.0, 0.0))] == [None] * 3
