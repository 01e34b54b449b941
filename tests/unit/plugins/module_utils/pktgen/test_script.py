# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that pktgen runs, the orders in Lua, and what it answers."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen import script


@given(st.text())
def test_a_quoted_text_is_one_string_of_the_same_bytes(text: str) -> None:
    word = script.quoted(text)
    assert re.fullmatch(r'"(?:[ !#-\[\]-~]|\\[0-9]{3})*"', word)
    read = re.sub(rb"\\([0-9]{3})", lambda found: bytes([int(found[1])]), word[1:-1].encode())
    assert read == text.encode("utf-8", "surrogateescape")


def test_the_script_has_its_own_paths() -> None:
    text = script.script("/run/a/orders", '/run/a/"answers')
    assert 'io.open("/run/a/orders", "r")' in text
    assert r'io.open("/run/a/\034answers", "a")' in text


def test_what_ends_the_script_is_no_order() -> None:
    assert not re.match(r"\d+ ", script.QUIT)


def test_packets_are_made_anew_with_their_fcs_counted() -> None:
    assert script.send(64) == 'pktgen.stop("all") pktgen.set("all", "size", 64) pktgen.start("all")'


def test_links_are_asked_for_one_by_one() -> None:
    assert "for port = 0, 1 do" in script.links(2)
    assert script.link_speeds("<UP-10000-FD> <UP-100000-HD>") == [10000, 100000]
    assert script.link_speeds("<--Down--> <UP-25000-FD> <UP-4294967295-FD>") == [None, 25000, None]


@given(st.text())
def test_whatever_is_said_of_links_is_read_without_a_failure(text: str) -> None:
    assert all(speed is None or speed > 0 for speed in script.link_speeds(text))
