# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours that carry the number of their change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.picture import NUMBERS, colours, picture, shown

COLOURS = st.lists(st.integers(0, 0xFFFFFF), min_size=1, max_size=6)


@given(COLOURS, st.integers(0, 5000), st.integers(0, NUMBERS - 1))
def test_who_has_missed_fewer_than_512_knows_the_number(chosen: list[int], last: int, missed: int) -> None:
    assert shown(chosen, picture(chosen, last + missed), last) == last + missed


@given(COLOURS, st.integers(1, 5000))
def test_the_eye_sees_no_other_colour_and_neighbours_always_differ(chosen: list[int], number: int) -> None:
    wanted, pixel = chosen[(number - 1) % len(chosen)], picture(chosen, number)
    assert all(abs((wanted >> shift & 255) - (pixel >> shift & 255)) < 8 for shift in (0, 8, 16))
    assert pixel != picture(chosen, number + 1)


@pytest.mark.parametrize("pixel", [0x000000, 0xF6F5F4, 0xC6C6C6, 0xFFFFFF])
def test_a_screen_before_the_picture_is_none(pixel: int) -> None:
    assert shown([0xE6194B, 0x3CB44B, 0x000000], pixel, None) is None


def test_the_first_picture_is_none_of_the_colours() -> None:
    assert shown([0, 0], picture([0, 0], 0), None) == 0
    assert picture([0, 0], 0) == 0xF8F8F8


def test_colours_as_they_are_given() -> None:
    assert colours("#ff0000,#00FF0a") == [0xFF0000, 0x00FF0A]
    for wrong in ("", "red", "#fff", "#ff0000,", "ff0000", "#ff0000 "):
        with pytest.raises(VirtperfError, match="a colour is not known"):
            colours(wrong)
