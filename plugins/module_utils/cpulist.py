# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of CPUs and NUMA nodes as the kernel writes them: ``0-3,8,10-11``, ``0-14/2``, ``0-15:2/4``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# What the kernel itself can count: CONFIG_NR_CPUS ends at 8192. It keeps "0-999999999" from eating all memory.
LARGEST = 8191

# From, to, and of every group the first so many: "0-15:2/4" is 0,1,4,5,8,9,12,13.
_PIECE = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9})/(\d{1,9})|/(\d{1,9}))?)?", re.ASCII)


def parse(text: str) -> tuple[int, ...]:
    """The numbers in a list, ascending, each once; VirtperfError names the piece that is not one."""
    if not text.strip():
        return ()
    numbers: set[int] = set()
    for piece in text.split(","):
        numbers.update(_parse_piece(piece.strip(), text))
    return tuple(sorted(numbers))


def _parse_piece(piece: str, text: str) -> Iterable[int]:
    match = _PIECE.fullmatch(piece)
    if not match:
        raise _bad(piece, text, "neither a number nor a range")
    first = int(match[1])
    last = int(match[2] or first)
    used = int(match[3] or 1)
    group = int(match[4] or match[5] or 1)
    if last < first:
        raise _bad(piece, text, "a range that runs backwards")
    if last > LARGEST:
        raise _bad(piece, text, f"larger than {LARGEST}, the largest CPU number there is")
    if not 1 <= used <= group:
        raise _bad(piece, text, "a stride that selects nothing")
    return (number for number in range(first, last + 1) if (number - first) % group < used)


def _bad(piece: str, text: str, why: str) -> VirtperfError:
    return VirtperfError(
        f"{text!r} is not a list of CPUs: {piece!r} is {why}",
        way_out='write numbers and ranges between commas, such as "0-3,8"',
        piece=piece,
    )


def render(numbers: Iterable[int]) -> str:
    """The shortest list without strides, as the kernel would write it."""
    pieces: list[str] = []
    ordered = sorted(set(numbers))
    start = 0
    for end, number in enumerate(ordered):
        if end + 1 == len(ordered) or ordered[end + 1] != number + 1:
            first = ordered[start]
            pieces.append(str(first) if first == number else f"{first}-{number}")
            start = end + 1
    return ",".join(pieces)
