# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DES (FIPS 46-3), one block at a time: what VNC hides its passwords with, and Python has none of."""

from __future__ import annotations

from collections.abc import Sequence

# Bits are counted from 1, the highest first, as the standard counts them.
_INITIAL = tuple(start - 8 * column for start in (58, 60, 62, 64, 57, 59, 61, 63) for column in range(8))
_FINAL = tuple(_INITIAL.index(bit) + 1 for bit in range(1, 65))
_EXPANSION = tuple((4 * group + column - 1) % 32 + 1 for group in range(8) for column in range(6))
_KEY_CHOICE = (
    *(57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36),
    *(63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4),
)
_ROUND_KEY_CHOICE = (
    *(14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2),
    *(41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32),
)
_SHIFTS = (1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1)
_PERMUTATION = (
    *(16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10),
    *(2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25),
)
# A digit for each of the four rows of sixteen, of each of the eight boxes.
_BOXES = (
    "e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d",
    "f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9",
    "a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c",
    "7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e",
    "2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453",
    "c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d",
    "4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c",
    "d2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b",
)
_ROWS = tuple(tuple(row for row in box.split()) for box in _BOXES)


def encrypt(key: bytes, block: bytes) -> bytes:
    """Encrypt a block of 8 bytes with a key of 8 bytes, whose lowest bits are not used."""
    if len(key) != 8 or len(block) != 8:
        raise ValueError(f"key and block have 8 bytes, not {len(key)} and {len(block)}")
    bits = _chosen(_bits(block), _INITIAL)
    left, right = bits[:32], bits[32:]
    for round_key in _round_keys(key):
        left, right = right, _xor(left, _mixed(right, round_key))
    whole = "".join(str(bit) for bit in _chosen([*right, *left], _FINAL))
    return int(whole, 2).to_bytes(8, "big")


def _bits(data: bytes) -> list[int]:
    return [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]


def _chosen(bits: Sequence[int], table: Sequence[int]) -> list[int]:
    return [bits[place - 1] for place in table]


def _xor(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [a ^ b for a, b in zip(one, other)]


def _round_keys(key: bytes) -> list[list[int]]:
    bits = _chosen(_bits(key), _KEY_CHOICE)
    left, right, keys = bits[:28], bits[28:], []
    for shift in _SHIFTS:
        left, right = left[shift:] + left[:shift], right[shift:] + right[:shift]
        keys.append(_chosen(left + right, _ROUND_KEY_CHOICE))
    return keys


def _mixed(half: Sequence[int], round_key: Sequence[int]) -> list[int]:
    bits = _xor(_chosen(half, _EXPANSION), round_key)
    found: list[int] = []
    for box, rows in enumerate(_ROWS):
        first, *middle, last = bits[6 * box : 6 * box + 6]
        digit = int(rows[2 * first + last][int("".join(str(bit) for bit in middle), 2)], 16)
        found += [digit >> shift & 1 for shift in (3, 2, 1, 0)]
    return _chosen(found, _PERMUTATION)
