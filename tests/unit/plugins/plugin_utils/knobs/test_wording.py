# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Effects in words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import wording
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import Contrast, Effect, Pair, judge
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.equals import Equals


def effect(pairs: Sequence[Pair], *, is_count: bool = False) -> Effect | None:
    """Without a family."""
    (found,) = judge([Contrast(pairs, is_count=is_count)])
    return found


HALVED = effect([(100, 50), (100, 51), (100, 49)])
DROPPED = effect([(0, 120), (0, 121), (0, 119), (0, 120)], is_count=True)
ONCE = effect([(100, 50)])
UNSURE = effect([(100, 112), (100, 104), (100, 121), (100, 99), (100, 109)])
HOPELESS = effect([(100, 150), (100, 66), (100, 130), (100, 77)])


def test_a_ratio_and_a_difference() -> None:
    assert (wording.value(HALVED), wording.interval(HALVED)) == ("0.50", "0.48 to 0.53")
    assert (wording.value(DROPPED), wording.interval(DROPPED)) == ("+120", "+103 to +137")
    assert (wording.value(ONCE), wording.interval(ONCE)) == ("0.50", "-")
    assert (wording.value(None), wording.interval(None), wording.verdict(None)) == ("-", "-", "cannot tell yet")


def test_how_many_more() -> None:
    assert (wording.more(HALVED), wording.more_pairs(HALVED)) == ("", "")
    assert wording.more_pairs(ONCE) == "2 more pairs"
    assert wording.more_pairs(effect([(100, 50), (100, 51)])) == "1 more pair"
    assert wording.more(UNSURE).isdigit()
    assert (wording.more(HOPELESS), wording.more_pairs(HOPELESS)) == ("> 100", "> 100 more pairs")
    assert wording.more(None) == ""


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(0.0312, "0.031"), (0.1, "0.10"), (0.623, "0.62"), (1, "1.00"), (12.36, "12.4"), (1204, "1,204")],
)
def test_ratios(ratio: float, words: str) -> None:
    assert wording.ratio(ratio) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "0"),
        (0.00523, "0.0052"),
        (0.43, "0.43"),
        (9.414, "9.41"),
        (81.26, "81.3"),
        (20_000, "20,000"),
        (-0.5, "-0.50"),
    ],
)
def test_amounts(amount: float, words: str) -> None:
    assert wording.amount(amount) == words


def test_the_sign_of_a_difference() -> None:
    assert [wording.difference(of) for of in (0.0, 12.0, -0.5, 1234.0)] == ["0", "+12.0", "-0.50", "+1,234"]


def test_equal_trials() -> None:
    assert wording.equals(Equals(0, 0)) == ""
    assert wording.equals(Equals(58, 1)).startswith("Of 58 comparisons of this run's baseline trials")
    assert wording.equals(Equals(58, 1)).endswith("1 came out as matters.")
