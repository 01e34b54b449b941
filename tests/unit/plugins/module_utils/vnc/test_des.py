# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DES against vectors that others published."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.des import encrypt


@pytest.mark.parametrize(
    ("key", "block", "expected"),
    [
        # NBS Special Publication 500-20: variable plaintext, variable key, permutation and substitution tables.
        ("0101010101010101", "8000000000000000", "95f8a5e5dd31d900"),
        ("0101010101010101", "0000000000000001", "166b40b44aba4bd6"),
        ("8001010101010101", "0000000000000000", "95a8d72813daa94d"),
        ("0101010101010102", "0000000000000000", "869efd7f9f265a09"),
        ("1046913489980131", "0000000000000000", "88d55e54f54c97b4"),
        ("7ca110454a1a6e57", "01a1d6d039776742", "690f5b0d9a26939b"),
        ("0131d9619dc1376e", "5cd54ca83def57da", "7a389d10354bd271"),
        ("07a1133e4a0b2686", "0248d43806f67172", "868ebb51cab4599a"),
        ("3849674c2602319e", "51454b582ddf440a", "7178876e01f19b2a"),
        ("04b915ba43feb5b6", "42fd443059577fa2", "af37fb421f8c4095"),
        ("0113b970fd34f2ce", "059b5e0851cf143a", "86a560f10ec6d85b"),
        ("0170f175468fb5e6", "0756d8e0774761d2", "0cd3da020021dc09"),
        ("43297fad38e373fe", "762514b829bf486a", "ea676b2cb7db2b7a"),
        ("133457799bbcdff1", "0123456789abcdef", "85e813540f0ab405"),
    ],
)
def test_published_vectors(key: str, block: str, expected: str) -> None:
    assert encrypt(bytes.fromhex(key), bytes.fromhex(block)).hex() == expected


@pytest.mark.parametrize(("key", "block"), [(b"1234567", b"12345678"), (b"12345678", b"123456789")])
def test_other_lengths_are_refused(key: bytes, block: bytes) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        encrypt(key, block)
