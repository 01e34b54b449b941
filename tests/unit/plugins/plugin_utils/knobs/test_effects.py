# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pairs of trials say, how sure that is, and that equal trials are not told apart."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import (
    MATTERS,
    MORE_PAIRS_AT_MOST,
    SAME,
    UNKNOWN,
    Contrast,
    Effect,
    Pair,
    judge,
)

RECORDED = json.loads((Path(__file__).parent / "recorded_equals.json").read_text())


def only(pairs: Sequence[Pair], *, is_count: bool = False) -> Effect:
    """The effect of a comparison that has no family."""
    (effect,) = judge([Contrast(pairs, "received_mbps", is_count)])
    assert effect is not None
    return effect


def drawn(dice: random.Random, scatter: float, factor: float = 1.0, pairs: int = 5) -> list[Pair]:
    """Pairs whose sides scatter by themselves."""
    return [
        (100 * math.exp(dice.gauss(0, scatter)), 100 * factor * math.exp(dice.gauss(0, scatter)))
        for _pair in range(pairs)
    ]


# -- the effect --------------------------------------------------------------------------------------------------------


def test_a_ratio_is_the_mean_of_logarithms_with_student_s_interval() -> None:
    effect = only([(100, 200), (100, 220), (100, 180), (110, 220)])
    logs = [math.log(2), math.log(2.2), math.log(1.8), math.log(2)]
    mean = sum(logs) / 4
    error = math.sqrt(sum((one - mean) ** 2 for one in logs) / 3) / 2
    # the 97.5 % point of Student's t with 3 degrees of freedom
    assert effect.value == pytest.approx(math.exp(mean))
    assert effect.low == pytest.approx(math.exp(mean - 3.18245 * error), rel=1e-4)
    assert effect.high == pytest.approx(math.exp(mean + 3.18245 * error), rel=1e-4)
    assert (effect.baseline, effect.variant) == (102.5, 205.0)
    assert (effect.is_ratio, effect.pairs, effect.verdict, effect.more) == (True, 4, MATTERS, None)


def test_drift_that_both_trials_of_a_pair_see_cancels_out() -> None:
    effect = only([(100 * drift, 130 * drift * noise) for drift, noise in ((1, 1), (3, 1.01), (0.4, 0.99), (9, 1))])
    assert effect.value == pytest.approx(1.3, rel=0.01)
    assert effect.verdict == MATTERS


def test_a_small_change_known_well_does_not_matter() -> None:
    effect = only([(100, 101), (100, 101.5), (100, 100.8), (100, 101.2), (100, 101.1)])
    # the interval excludes no change, and lies within 3 % of it all the same
    assert effect.low > 1
    assert (effect.verdict, effect.more) == (SAME, None)
    assert only([(7, 7)] * 3).verdict == SAME


def test_one_pair_and_none() -> None:
    assert judge([Contrast([])]) == [None]
    one = only([(100, 200)])
    assert (one.low, one.high, one.verdict, one.more) == (0.0, math.inf, UNKNOWN, 2)
    two = only([(100, 200), (100, 200.1)])
    assert math.isfinite(two.high)
    assert (two.verdict, two.more) == (UNKNOWN, 1)
    assert only([(100, 200), (100, 200.1), (100, 200)]).verdict == MATTERS


def test_wild_pairs_have_an_interval_without_end() -> None:
    effect = only([(1e-300, 1e300), (1e300, 1e-300)])
    assert (effect.low, effect.high) == (0.0, math.inf)


# -- differences -------------------------------------------------------------------------------------------------------


def test_where_something_was_0_it_is_a_difference() -> None:
    effect = only([(0.5, 0.0), (0.52, 0.0), (0.48, 0.0), (0.5, 0.01), (0.5, 0.0)])
    assert not effect.is_ratio
    assert effect.value == pytest.approx(-0.498)
    assert effect.verdict == MATTERS
    assert effect.size == pytest.approx(0.996)
    # within 3 % of the baseline's mean
    assert only([(0.0, 0.0)] * 3).verdict == SAME
    assert only([(0.0, 0.01), (100.0, 100.2), (100.0, 99.9), (50.0, 50.1)]).verdict == SAME
    assert only([(0.0, 0.0)] * 3).size == 0.0


def test_rare_events_are_not_taken_for_steadier_than_chance() -> None:
    effect = only([(0, 1)] * 3, is_count=True)
    assert (effect.value, effect.verdict) == (1.0, UNKNOWN)
    assert effect.low < 0 < effect.high
    assert only([(0, 300), (0, 310), (1, 290), (0, 305)], is_count=True).verdict == MATTERS
    assert only([(0, 0)] * 5, is_count=True).verdict == SAME
    assert only([(0, 300)] * 3, is_count=True).size == math.inf


# -- how many more -----------------------------------------------------------------------------------------------------


def test_more_pairs_of_the_same_kind_would_tell() -> None:
    pairs: list[Pair] = [(100, 112), (100, 104), (100, 121), (100, 99), (100, 109)]
    effect = only(pairs)
    assert effect.verdict == UNKNOWN
    assert effect.more is not None
    assert 0 < effect.more < 30
    # as many of the same mean and spread, and then it is known
    assert only(pairs * (1 + effect.more // 5 + 1)).verdict == MATTERS


def test_beyond_the_cap_it_is_only_said_that_it_is_more() -> None:
    effect = only([(100, 150), (100, 66), (100, 130), (100, 77)])
    assert (effect.verdict, effect.more) == (UNKNOWN, None)
    assert MORE_PAIRS_AT_MOST == 100


def test_what_will_not_matter_needs_more_pairs_too() -> None:
    effect = only([(100, 104), (100, 96.5), (100, 102), (100, 98)])
    assert effect.verdict == UNKNOWN
    assert effect.more is not None
    assert effect.more > 3


# -- equal trials ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scatter", [0.01, 0.03, 0.1, 0.3])
def test_of_equal_trials_19_of_20_analyses_find_nothing(scatter: float) -> None:
    dice = random.Random(1)
    found = [only(drawn(dice, scatter)).verdict == MATTERS for _analysis in range(600)]
    # 19 of 20 at least; 99 of 100 are meant
    assert sum(found) <= 0.02 * len(found)


def heavy(dice: random.Random) -> float:
    """Mostly steady, and now and then halved: as where something else takes the CPU."""
    return dice.gauss(100, 3) * (0.5 if dice.random() < 0.15 else 1.0)


def two_modes(dice: random.Random) -> float:
    """One of two batch patterns."""
    return dice.gauss(100, 1) * dice.choice((1.0, 2.0))


def skewed(dice: random.Random) -> float:
    """As latencies are."""
    return math.exp(dice.gauss(0, 0.2)) + dice.expovariate(2)


@pytest.mark.parametrize("reading", [heavy, two_modes, skewed])
def test_nor_where_readings_are_no_bell_curve(reading: Callable[[random.Random], float]) -> None:
    dice = random.Random(2)
    found = [
        only([(reading(dice), reading(dice)) for _pair in range(5)]).verdict == MATTERS for _analysis in range(600)
    ]
    assert sum(found) <= 0.02 * len(found)


@pytest.mark.parametrize("metric", ["received_mbps", "transactions_per_s"])
@pytest.mark.parametrize("pairs", [3, 5, 10])
def test_nor_in_permutations_of_recorded_trials(metric: str, pairs: int) -> None:
    recorded = RECORDED[metric]
    dice = random.Random(3)
    found = []
    for _analysis in range(1500):
        trials = dice.sample(recorded, 2 * pairs)
        found.append(only(list(zip(trials[:pairs], trials[pairs:], strict=True))).verdict == MATTERS)
    # 19 of 20 at least; 99 of 100 are meant
    assert sum(found) <= 0.02 * len(found)


@pytest.mark.parametrize("metric", ["received_mbps", "transactions_per_s"])
def test_nor_of_neighbours_as_they_were_recorded(metric: str) -> None:
    recorded = RECORDED[metric]
    dice = random.Random(4)
    found = []
    for begin in range(len(recorded) - 9):
        trials = recorded[begin : begin + 10]
        pairs = [tuple(dice.sample(trials[at : at + 2], 2)) for at in range(0, 10, 2)]
        found.append(only([(before, after) for before, after in pairs]).verdict == MATTERS)
    assert sum(found) <= 0.05 * len(found)


def family(dice: random.Random, scatters: Sequence[float], factors: Sequence[float] = ()) -> list[Effect | None]:
    """Comparisons of one metric that are judged together."""
    changes = [*factors, *[1.0] * (len(scatters) - len(factors))]
    pairs = [drawn(dice, scatter, factor) for scatter, factor in zip(scatters, changes, strict=True)]
    return judge([Contrast(each, "interrupts_per_packet") for each in pairs])


@pytest.mark.parametrize(
    "scatters", [[0.05] * 60, [0.2] * 60, [0.02] * 40 + [0.1] * 10 + [0.4] * 10], ids=["steady", "noisy", "mixed"]
)
def test_whole_screenings_of_equal_trials_find_nothing_19_times_of_20(scatters: list[float]) -> None:
    dice = random.Random(5)
    found = [
        any(effect and effect.verdict == MATTERS for effect in family(dice, scatters)) for _screening in range(100)
    ]
    assert sum(found) <= 5


def test_a_factor_of_two_is_not_hidden_by_the_guard() -> None:
    dice = random.Random(6)
    found = [effect for _screening in range(40) for effect in family(dice, [0.15] * 60, [2.0] * 3)[:3]]
    told = [effect for effect in found if effect and effect.verdict == MATTERS and effect.value > 1.4]
    assert len(told) >= 0.97 * len(found)
    # nor without a family, which knows less about the spread
    alone = [only(drawn(dice, 0.1, 2.4)).verdict == MATTERS for _analysis in range(100)]
    assert sum(alone) >= 97


def test_a_family_asks_for_more_than_a_comparison_alone() -> None:
    pairs: list[Pair] = [(100, 131), (100, 118), (100, 138), (100, 112), (100, 127)]
    alone = only(pairs)
    assert alone.verdict == MATTERS
    dice = random.Random(8)
    noisy = [Contrast(drawn(dice, 0.3), "received_mbps") for _comparison in range(99)]
    first, *_others = judge([Contrast(pairs, "received_mbps"), *noisy])
    assert first is not None
    assert (first.value, first.low, first.high) == (alone.value, alone.low, alone.high)
    assert first.verdict == UNKNOWN
    assert first.more is not None


# -- whatever the readings ---------------------------------------------------------------------------------------------

readings = st.floats(min_value=0, max_value=1e9, allow_nan=False)


@given(st.lists(st.lists(st.tuples(readings, readings), max_size=7), max_size=6), st.booleans())
def test_any_readings_have_a_verdict(families: list[list[Pair]], is_count: bool) -> None:
    effects = judge([Contrast(pairs, "tap_drops", is_count) for pairs in families])
    for pairs, effect in zip(families, effects, strict=True):
        if not pairs:
            assert effect is None
            continue
        assert effect is not None
        assert effect.pairs == len(pairs)
        assert effect.low <= effect.value * (1 + 1e-9) + 1e-9
        assert effect.verdict in (MATTERS, SAME, UNKNOWN)
        assert effect.size >= 0
        if effect.pairs < 3:
            assert effect.verdict == UNKNOWN
        if effect.verdict != UNKNOWN:
            assert effect.more is None


@given(st.lists(st.tuples(st.floats(1, 1e3), st.floats(1, 1e3)), min_size=3, max_size=8))
def test_the_other_way_round_it_is_the_reciprocal(pairs: list[Pair]) -> None:
    effect, other = only(pairs), only([(after, before) for before, after in pairs])
    assert other.value == pytest.approx(1 / effect.value)
    assert other.low == pytest.approx(1 / effect.high)
    assert other.size == pytest.approx(effect.size, abs=1e-9)
