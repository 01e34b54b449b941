# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the kernel's files as it writes them and as people do: ``Y`` and 1, 0x10 and 16, ``[this] that``."""

from __future__ import annotations

import re
from typing import Any

_TRUTH = {"y": True, "1": True, "n": False, "0": False}
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)", re.ASCII)
_BRACKETS = re.compile(r"\[([^\[\]\s]+)\]")


def text_of(value: Any) -> str:
    """A value of a playbook as it is written to the kernel. A boolean is 1 or 0, which it takes everywhere."""
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else " ".join(str(value).split())


def selected(text: str) -> str:
    """What a file of the kernel's says: the word in brackets where it lists the words that it knows, else its text."""
    marked = [match[1] for match in map(_BRACKETS.fullmatch, text.split()) if match]
    return marked[0] if len(marked) == 1 else text.strip()


def choices(text: str) -> list[str]:
    """The words that a file lists, where it marks the one that is selected."""
    words = text.split()
    marked = [word for word in words if _BRACKETS.fullmatch(word)]
    return [word[1:-1] if word in marked else word for word in words] if len(marked) == 1 else []


def same(asked: str, found: str) -> bool:
    """Whether both mean the same, word by word."""
    left, right = asked.split(), found.split()
    return len(left) == len(right) and all(map(_same_word, left, right))


def _same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    if _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other):
        return _number(one) == _number(other)
    truth = _TRUTH.get(one.lower())
    return truth is not None and truth == _TRUTH.get(other.lower())


def _number(word: str) -> int:
    # The kernel takes a leading zero for octal in some files and not in others; as a decimal it is the same or refused.
    return int(word, 16) if "x" in word.lower() else int(word)


def as_shown(asked: str, like: str) -> str:
    """How the kernel is going to show a value where it shows ``like`` now: Y or N, plain numbers, tabs between them."""
    if like in ("Y", "N") and asked.lower() in _TRUTH:
        return "Y" if _TRUTH[asked.lower()] else "N"
    words, likes = asked.split(), like.split()
    if len(words) == len(likes) and all(map(_NUMBER.fullmatch, [*words, *likes])):
        return ("\t" if "\t" in like else " ").join(str(_number(word)) for word in words)
    return asked
