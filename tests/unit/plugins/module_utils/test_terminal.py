# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages hold words, whatever a program did to its terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.terminal import plain


def test_colours_and_cursor_movements_are_gone_and_lines_stay() -> None:
    assert plain("\x1b[2J\x1b[10;1H\x1b[1;32mready\x1b[m\x07\r\n\x1b7\tPort 0\n") == "ready\r\n\tPort 0\n"


@given(st.text(alphabet="\x1b[;m1\x07 a\n"))
def test_nothing_is_left_that_moves_a_cursor(text: str) -> None:
    assert "\x1b" not in plain(f"{text}a")
