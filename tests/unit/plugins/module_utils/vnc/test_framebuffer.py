# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Xvfb's screen in a file."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.framebuffer import Framebuffer, Layout, parse, spread


def header(width: int = 1280, height: int = 800, row: int = 0, order: int = 0, **changes: int) -> bytes:
    """As Xvfb 21.1 writes it for -screen 0 1280x800x24."""
    fields = [160, 7, 2, 24, width, height, 0, order, 32, 0, 32, 32, row or 4 * width, 4, 0xFF0000, 0xFF00, 0xFF]
    fields += [8, 256, 256, width, height, 0, 0, 0]
    for place, value in changes.items():
        fields[int(place[1:])] = value
    return struct.pack(">25I", *fields)


def screen(path: Path, rows: list[list[int]], order: int = 0, padding: int = 0) -> Path:
    """A file with these pixels."""
    data = header(len(rows[0]), len(rows), 4 * (len(rows[0]) + padding), order).ljust(160 + 256 * 12, b"\xaa")
    for row in rows:
        data += struct.pack(f"{'>' if order else '<'}{len(row) + padding}I", *row, *[0] * padding)
    path.write_bytes(data)
    return path


def test_where_the_pixels_are() -> None:
    found = parse(header(1280, 800))
    assert found == Layout(1280, 800, 160 + 256 * 12, 5120, is_little_endian=True)
    assert found.end == 160 + 256 * 12 + 800 * 5120


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (header()[:99], "99 bytes"),
        (header(f1=6), "version 6"),
        (header(f2=1), "format 1"),
        (header(f11=16), "16 bits a pixel"),
        (header(f14=0xFF), "masks 0xff, "),
        (header(row=100), "1280x800 pixels, 100 bytes a row"),
        (header(order=2), "byte order 2"),
    ],
)
def test_what_is_no_screen(data: bytes, message: str) -> None:
    with pytest.raises(VirtperfError) as caught:
        parse(data)
    assert message in str(caught.value)
    assert "Way out: start Xvfb" in str(caught.value)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: header() + data))
def test_any_file_is_taken_or_refused_in_words(data: bytes) -> None:
    with contextlib.suppress(VirtperfError):
        assert parse(data).end > 0


@pytest.mark.parametrize("order", [0, 1])
def test_pixels_whatever_the_byte_order(tmp_path: Path, order: int) -> None:
    rows = [[0xFF112233, 0x445566], [0x778899, 0xAABBCC], [0, 1]]
    with Framebuffer(str(screen(tmp_path / "screen", rows, order, padding=3))) as found:
        assert [[found.pixel(x, y) for x in range(2)] for y in range(3)] == [
            [0x112233, 0x445566],
            [0x778899, 0xAABBCC],
            [0, 1],
        ]


def test_a_picture_is_found_and_has_one_colour_or_none(tmp_path: Path) -> None:
    rows = [[7 if 3 <= x < 13 and 5 <= y < 11 else 0 for x in range(16)] for y in range(12)]
    path = screen(tmp_path / "screen", rows)
    with Framebuffer(str(path)) as found:
        assert found.corner(4, lambda pixel: pixel == 7) == (3, 5)
        assert found.corner(4, lambda pixel: pixel == 8) is None
        assert found.colour(spread((3, 5), 10, 6)) == 7
        assert found.colour(spread((3, 5), 11, 6)) is None
        assert found.colour(spread((0, 0), 16, 12)) is None
        # It is a window on the file: what is drawn is seen.
        with path.open("r+b") as file:
            file.seek(160 + 256 * 12 + 4 * (16 * 10 + 12))
            file.write(b"\x01")
        assert found.colour(spread((3, 5), 10, 6)) is None


def test_a_file_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = screen(tmp_path / "screen", [[1, 2], [3, 4]])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(VirtperfError, match="where pixels end at"):
        Framebuffer(str(path))


@given(st.integers(2, 3000), st.integers(2, 3000))
def test_points_reach_all_corners_and_are_inside(width: int, height: int) -> None:
    points = spread((5, 6), width, height)
    assert {(5, 6), (4 + width, 6), (5, 5 + height), (4 + width, 5 + height)} <= set(points)
    assert all(5 <= x < 5 + width and 6 <= y < 6 + height for x, y in points)
    assert points[0] == (4 + width, 5 + height)
