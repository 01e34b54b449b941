# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture: one colour all over, whose lowest bits tell which change it is.

Three bits of each of red, green and blue carry the number of the change, modulo 512. To the eye the colour stays what
it was. A client that has missed pictures sees by the number how many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_BITS = 3
_LOW = (1 << _BITS) - 1
_SHIFTS = (16, 8, 0)
NUMBERS = 1 << _BITS * len(_SHIFTS)
# Before the first change. A screen that nobody has drawn on is black.
_BEGINNING = 0xFFFFFF
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def colours(text: str) -> list[int]:
    """From ``#ff0000,#00ff00``; VirtperfError for what is none."""
    words = text.split(",")
    wrong = [word for word in words if not _COLOUR.fullmatch(word)]
    if wrong:
        raise VirtperfError("a colour is not known", found=", ".join(wrong), way_out="give #rrggbb, joined by commas")
    return [int(word[1:], 16) for word in words]


def picture(chosen: Sequence[int], number: int) -> int:
    """What the whole picture's pixels are after so many changes, as 0xRRGGBB."""
    pixel = chosen[(number - 1) % len(chosen)] if number else _BEGINNING
    for place, shift in enumerate(_SHIFTS):
        pixel = pixel & ~(_LOW << shift) | (number >> _BITS * place & _LOW) << shift
    return pixel


def shown(chosen: Sequence[int], pixel: int, last: int | None) -> int | None:
    """The change that a picture is of; None for what is no picture of ours.

    ``last`` is the one shown before. Without it, it is among the first 512.
    """
    low = sum((pixel >> shift & _LOW) << _BITS * place for place, shift in enumerate(_SHIFTS))
    number = low if last is None else last + (low - last) % NUMBERS
    return number if pixel == picture(chosen, number) else None
