# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks of guests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import Offset, Round, offset


def asked(at_s: float, ahead_s: float, there_s: float = 0.001, back_s: float = 0.001) -> Round:
    """A question at at_s to a guest that is ahead, with the two ways taking their time."""
    return Round(at_s, at_s + there_s + ahead_s, at_s + there_s + back_s)


@given(
    ahead_s=st.floats(-1e4, 1e4),
    ways=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8),
)
def test_the_truth_lies_within_the_uncertainty(ahead_s: float, ways: list[tuple[float, float]]) -> None:
    found = offset([asked(100.0 * number, ahead_s, *way) for number, way in enumerate(ways)])
    assert found.offset_s is not None
    assert found.uncertainty_s is not None
    assert abs(found.offset_s - ahead_s) <= found.uncertainty_s + 1e-6
    assert found.uncertainty_s <= min(sum(way) for way in ways) / 2 + 1e-6


def test_the_fastest_answer_counts() -> None:
    found = offset([asked(0, 5.0, 0.4, 0.0), asked(1, 5.0, 0.001, 0.001)])
    assert found.offset_s == pytest.approx(5.0)
    assert found.is_known
    assert found.ours(1005.0) == pytest.approx(1000.0)
    assert found.note == ""


def test_minutes_off_is_said_and_taken_into_account() -> None:
    found = offset([asked(0, -300.0)], [asked(90, -300.0)])
    assert found.note == "the guest's clock is 5.0 minutes behind"
    assert found.is_known
    assert offset([asked(0, 300.0)]).note == "the guest's clock is 5.0 minutes ahead"


def test_a_clock_that_was_stepped_is_not_known() -> None:
    found = offset([asked(0, 0.0)], [asked(90, 2.0)])
    assert not found.is_known
    assert found.uncertainty_s == pytest.approx(1.001)
    assert found.note == "it moved by 2.000 s against ours while we measured"


def test_a_guest_that_does_not_answer() -> None:
    assert offset([]) == Offset(None, None, "the guest did not tell its time")
    assert not offset([]).is_known
    assert offset([]).as_dict()["offset_s"] is None
