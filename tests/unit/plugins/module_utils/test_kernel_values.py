# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the kernel's files: what they say, and when two of them mean the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_values import (
    as_shown,
    choices,
    same,
    selected,
    text_of,
)

WORDS = st.text(st.characters(categories=["L", "N"], include_characters="_-+."), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("Y", "1", True),
        ("n", "0", True),
        ("Y", "N", False),
        ("16", "0x10", True),
        ("0x1F", "31", True),
        ("-1", "-1", True),
        ("-1", "1", False),
        ("1", "2", False),
        ("32768 60999", "32768\t60999", True),
        ("32768", "32768\t60999", False),
        ("performance", "powersave", False),
        ("007", "7", True),
        ("", "", True),
        ("", "0", False),
        ("²", "2", False),
    ],
)
def test_same(one: str, other: str, equal: bool) -> None:
    assert same(one, other) == same(other, one) == equal


@pytest.mark.parametrize(
    ("text", "says", "knows"),
    [
        ("always [madvise] never", "madvise", ["always", "madvise", "never"]),
        ("[performance] powersave\n", "performance", ["performance", "powersave"]),
        ("[none]", "none", ["none"]),
        ("none [mq-deadline] kyber bfq ", "mq-deadline", ["none", "mq-deadline", "kyber", "bfq"]),
        ("performance", "performance", []),
        ("[a] [b]", "[a] [b]", []),
        ("32768\t60999\n", "32768\t60999", []),
        ("core[1]", "core[1]", []),
        ("[]", "[]", []),
        ("", "", []),
    ],
)
def test_the_word_in_brackets(text: str, says: str, knows: list[str]) -> None:
    assert (selected(text), choices(text)) == (says, knows)


@given(st.lists(WORDS, min_size=1, max_size=5), st.data())
def test_any_word_of_any_list_is_found(words: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(words) - 1))
    text = " ".join(f"[{word}]" if index == at else word for index, word in enumerate(words))
    assert selected(text) == words[at]
    assert choices(text) == words


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    said = selected(text)
    assert said in text
    assert same(said, said)
    assert same(as_shown(text, text), text)


@given(st.integers(), st.integers())
def test_numbers_are_the_same_when_they_are(one: int, other: int) -> None:
    assert same(str(one), str(other)) == (one == other)
    assert same(hex(abs(one)), str(abs(one)))


@pytest.mark.parametrize(
    ("value", "text"), [(True, "1"), (False, "0"), (None, ""), (16, "16"), (" 1\t2 ", "1 2"), ("on", "on")]
)
def test_as_written(value: Any, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("asked", "like", "shown"),
    [
        ("0", "Y", "N"),
        ("y", "N", "Y"),
        ("0x10", "64", "16"),
        ("1 2", "3\t4", "1\t2"),
        ("performance", "powersave", "performance"),
        ("1 2", "3", "1 2"),
    ],
)
def test_as_the_kernel_is_going_to_show_it(asked: str, like: str, shown: str) -> None:
    assert as_shown(asked, like) == shown
    assert same(asked, shown)
