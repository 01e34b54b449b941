# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers of changes made and shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import Offset
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.vnc import Marker, frames, parse

KNOWN, UNKNOWN = Offset(0.0, 0.001), Offset(None, None)


def markers(event: str, *instants: tuple[int, float], ahead_s: float = 0.0) -> list[Marker]:
    """Markers (number, instant on our clock) of a guest whose clock is ahead; each line comes 0.01 s after."""
    return [Marker(event, number, at_s + ahead_s, at_s + 0.01) for number, at_s in instants]


def test_lines_that_are_none_are_left_out() -> None:
    lines = [
        json.dumps({"event": "change", "number": 3, "at": 17.5, "colour": "#ff0000"}),
        "Xlib: extension missing",
        json.dumps({"event": "click", "number": 3, "at": 17.5}),
        json.dumps({"event": "shown"}),
        "[]",
    ]
    assert parse((9.0, line) for line in lines) == [Marker("change", 3, 17.5, 9.0)]


def test_made_shown_skipped_and_late() -> None:
    server = markers("change", (0, 0.0), (1, 4.0), (2, 8.0), (3, 12.0), (4, 16.0), ahead_s=500.0)
    client = markers("shown", (1, 4.2), (1, 5.0), (3, 19.0), (4, 16.1), ahead_s=-70.0)
    found = frames(server, client, 3.0, 15.0, (Offset(500.0, 0.001), Offset(-70.0, 0.001)))
    assert (found.made, found.shown, found.skipped, found.pending) == (3, 2, 1, 0)
    assert found.delay_s == pytest.approx((0.2 + 7.0) / 2)
    assert found.longest_delay_s == pytest.approx(7.0)


@pytest.mark.parametrize("clocks", [(UNKNOWN, KNOWN), (KNOWN, Offset(0.0, 0.5))])
def test_no_delay_between_clocks_that_are_not_known(clocks: tuple[Offset, Offset]) -> None:
    found = frames(markers("change", (1, 4.0)), markers("shown", (1, 4.2)), 0.0, 9.0, clocks)
    assert (found.shown, found.delay_s, found.longest_delay_s) == (1, None, None)


def test_nothing_shown() -> None:
    found = frames(markers("change", (1, 4.0), (2, 5.0)), [], 0.0, 9.0, (KNOWN, KNOWN))
    assert (found.made, found.skipped, found.pending, found.delay_s) == (2, 0, 2, None)


def test_what_comes_after_the_last_that_was_shown_is_on_its_way() -> None:
    server = markers("change", (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0))
    found = frames(server, markers("shown", (2, 2.5), (3, 4.5)), 0.0, 9.0, (KNOWN, KNOWN))
    assert (found.made, found.shown, found.skipped, found.pending) == (4, 2, 1, 1)


@given(st.text(max_size=60))
def test_any_text_is_taken(text: str) -> None:
    parse([(0.0, text)])
