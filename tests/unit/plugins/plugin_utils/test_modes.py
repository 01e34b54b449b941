# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two modes are found where there are two, and only there."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils.modes import (
    GAP_TO_WIDTH,
    LONE_GAP,
    NOISE_FLOOR,
    find_two_modes,
)

RATES = st.lists(st.floats(0, 1e8, allow_nan=False), max_size=30)


def test_the_two_batch_patterns_of_a_small_machine() -> None:
    found = find_two_modes([15.2, 7.1, 15.4])
    assert found is not None
    assert (found.low, found.high) == ((7.1,), (15.2, 15.4))
    assert not found.is_proven


def test_each_mode_seen_twice_is_proof() -> None:
    found = find_two_modes([7.1, 15.2, 7.2, 15.4])
    assert found is not None
    assert found.is_proven


@pytest.mark.parametrize(
    "rates",
    [
        [],
        [1.0],
        [1.0, 100.0],
        [15.2, 15.3, 15.4],
        [5.0, 5.0, 5.0],
        [0.0, 0.0, 0.0],
        [10.0, 11.0, 12.0],
        # within the noise, however tight the groups are
        [10.0, 10.0, 10.4, 10.4],
        # a lone trial not far enough away
        [10.0, 10.0, 11.5],
        # one odd trial among many
        [15.0, 15.1, 15.2, 15.1, 15.0, 7.0],
        # three modes
        [5.0, 5.1, 10.0, 10.1, 15.0, 15.1],
    ],
)
def test_not_two_modes(rates: list[float]) -> None:
    assert find_two_modes(rates) is None


@given(st.lists(st.floats(0, 1e9), max_size=2))
def test_two_values_never_are_two_modes(rates: list[float]) -> None:
    assert find_two_modes(rates) is None


@given(st.floats(1, 1e8), st.lists(st.floats(0, 1), min_size=3, max_size=30))
def test_what_differs_by_noise_only_has_one_mode(base: float, offsets: list[float]) -> None:
    assert find_two_modes([base * (1 + 0.99 * NOISE_FLOOR * offset) for offset in offsets]) is None


@given(
    st.floats(1, 1e7),
    st.floats(1.5, 10),
    st.lists(st.floats(0, 0.02), min_size=2, max_size=15),
    st.lists(st.floats(0, 0.02), min_size=2, max_size=15),
    st.randoms(use_true_random=False),
)
def test_two_tight_groups_far_apart_are_always_found(
    base: float, factor: float, low: list[float], high: list[float], dice: random.Random
) -> None:
    lows = sorted(base * (1 + offset) for offset in low)
    highs = sorted(base * factor * (1 + offset) for offset in high)
    rates = [*lows, *highs]
    dice.shuffle(rates)
    found = find_two_modes(rates)
    assert found is not None
    assert found.is_proven
    # 2 % of the upper group is the wider of the two; three times that is below the gap from a factor of 1.5 on.
    assert (list(found.low), list(found.high)) == (lows, highs)


@given(RATES, st.randoms(use_true_random=False))
def test_order_does_not_matter(rates: list[float], dice: random.Random) -> None:
    shuffled = list(rates)
    dice.shuffle(shuffled)
    assert find_two_modes(shuffled) == find_two_modes(rates)


@given(st.lists(st.integers(0, 10**6), max_size=12), st.sampled_from([2, 16, 1024]))
def test_the_unit_does_not_matter(rates: list[int], factor: int) -> None:
    # Powers of two keep floats exact.
    found = find_two_modes([float(rate) for rate in rates])
    scaled = find_two_modes([float(rate * factor) for rate in rates])
    assert (found is None) == (scaled is None)


@given(RATES)
def test_what_is_found_holds_what_the_rule_says(rates: list[float]) -> None:
    found = find_two_modes(rates)
    if found is None:
        return
    assert sorted(rates) == [*found.low, *found.high]
    gap = found.high[0] - found.low[-1]
    assert gap >= GAP_TO_WIDTH * max(found.low[-1] - found.low[0], found.high[-1] - found.high[0])
    middle = sorted(rates)[len(rates) // 2]
    assert gap > (NOISE_FLOOR if found.is_proven else LONE_GAP) * middle * 0.5
    assert found.is_proven or len(rates) <= 4


@pytest.mark.parametrize(
    ("trials", "deviation", "at_most"),
    [(3, 0.03, 0.0), (4, 0.03, 0.03), (6, 0.03, 0.01), (10, 0.03, 0.001), (3, 0.1, 0.13)],
)
def test_one_bell_curve_seldom_fools_it(trials: int, deviation: float, at_most: float) -> None:
    """The figures that the documentation gives."""
    dice = random.Random(1)
    cells = 10_000
    fooled = sum(find_two_modes([dice.gauss(1, deviation) for _ in range(trials)]) is not None for _ in range(cells))
    assert fooled / cells <= at_most
