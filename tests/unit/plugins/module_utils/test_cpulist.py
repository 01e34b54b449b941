# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of CPUs: what is written is read back, and what is wrong is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

CPUS = st.integers(0, cpulist.LARGEST)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", ()),
        ("\n", ()),
        ("0", (0,)),
        ("0-3,8,10-11", (0, 1, 2, 3, 8, 10, 11)),
        ("0-8/2", (0, 2, 4, 6, 8)),
        ("1-8/3", (1, 4, 7)),
        ("0-15:2/4", (0, 1, 4, 5, 8, 9, 12, 13)),
        ("4,0-1, 1\n", (0, 1, 4)),
        ("8191", (8191,)),
    ],
)
def test_parse(text: str, numbers: tuple[int, ...]) -> None:
    assert cpulist.parse(text) == numbers


@pytest.mark.parametrize(
    ("text", "piece", "why"),
    [
        ("0-3,x,7", "x", "neither"),
        ("1,,2", "", "neither"),
        ("0-", "0-", "neither"),
        ("-1", "-1", "neither"),
        ("٣", "٣", "neither"),
        ("(null)", "(null)", "neither"),
        ("0,5-3", "5-3", "backwards"),
        ("0-8/0", "0-8/0", "selects nothing"),
        ("0-8:5/4", "0-8:5/4", "selects nothing"),
        ("0-99999999", "0-99999999", "larger than 8191"),
    ],
)
def test_parse_names_the_bad_piece(text: str, piece: str, why: str) -> None:
    with pytest.raises(VirtperfError) as caught:
        cpulist.parse(text)
    assert caught.value.facts == {"piece": piece}
    assert repr(piece) in str(caught.value)
    assert why in str(caught.value)
    assert "Way out" in str(caught.value)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([3], "3"), ([1, 0], "0-1"), ([0, 1, 2, 4, 6, 7], "0-2,4,6-7"), ([5, 5, 3], "3,5")],
)
def test_render(numbers: list[int], text: str) -> None:
    assert cpulist.render(numbers) == text


@given(st.sets(CPUS))
def test_what_is_rendered_is_parsed_back(numbers: set[int]) -> None:
    assert cpulist.parse(cpulist.render(numbers)) == tuple(sorted(numbers))


@given(st.lists(CPUS), st.randoms())
def test_order_and_repetition_do_not_matter(numbers: list[int], random: object) -> None:
    shuffled = [*numbers, *numbers]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert cpulist.parse(",".join(map(str, shuffled))) == tuple(sorted(set(numbers)))


@given(CPUS, CPUS, st.integers(1, 64))
def test_a_stride_is_a_range_of_python(one: int, other: int, step: int) -> None:
    first, last = sorted((one, other))
    assert cpulist.parse(f"{first}-{last}/{step}") == tuple(range(first, last + 1, step))


@given(st.text(alphabet="0123456789-,/: x\n", max_size=20))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        numbers = cpulist.parse(text)
    except VirtperfError as error:
        assert error.facts["piece"] in text  # noqa: PT017  # either outcome is right
    else:
        assert cpulist.parse(cpulist.render(numbers)) == numbers
