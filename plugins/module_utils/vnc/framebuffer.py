# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pixels of a screen of Xvfb, read from the file that ``-fbdir`` maps them into: a window dump (XWD, version 7)."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# All fields are 32 bits wide, the highest byte first, whatever the machine.
_HEADER = struct.Struct(">25I")
_VERSION = 7
_Z_PIXMAP = 2
_COLOUR_BYTES = 12
_PIXEL_BYTES = 4
_MASKS = (0xFF0000, 0x00FF00, 0x0000FF)


@dataclass(frozen=True)
class Layout:
    """Where the pixels are: of four bytes each, red, green and blue in 24 bits of them."""

    width: int
    height: int
    offset: int
    row_bytes: int
    is_little_endian: bool

    @property
    def end(self) -> int:
        """The size that the file has at least."""
        return self.offset + self.height * self.row_bytes


def parse(data: bytes) -> Layout:
    """The layout that a file's beginning tells; VirtperfError where it is not one of a true-colour screen."""
    if len(data) < _HEADER.size:
        raise _no_screen(f"{len(data)} bytes")
    fields = _HEADER.unpack_from(data)
    size, version, kind, _depth, width, height, _x, order = fields[:8]
    pixel_bits, row_bytes, _visual, *masks = fields[11:17]
    if (version, kind) != (_VERSION, _Z_PIXMAP) or size < _HEADER.size or order not in (0, 1):
        raise _no_screen(f"version {version}, format {kind}, a header of {size} bytes, byte order {order}")
    if pixel_bits != 8 * _PIXEL_BYTES or tuple(masks) != _MASKS:
        raise _no_screen(f"{pixel_bits} bits a pixel, masks {', '.join(f'{mask:#x}' for mask in masks)}")
    if not width or not height or row_bytes < _PIXEL_BYTES * width:
        raise _no_screen(f"{width}x{height} pixels, {row_bytes} bytes a row")
    return Layout(width, height, size + _COLOUR_BYTES * fields[19], row_bytes, order == 0)


def _no_screen(found: str) -> VirtperfError:
    return VirtperfError("not a screen of Xvfb's", found=found, way_out="start Xvfb with -screen 0 WIDTHxHEIGHTx24")


class Framebuffer:
    """A screen; a context manager."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self.layout = parse(file.read(_HEADER.size))
            size = os.fstat(file.fileno()).st_size
            if size < self.layout.end:
                raise _no_screen(f"{size} bytes where pixels end at {self.layout.end}")
            self._pixels = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._pixel = struct.Struct("<I" if self.layout.is_little_endian else ">I")

    def pixel(self, x: int, y: int) -> int:
        """One pixel, as 0xRRGGBB."""
        at = self.layout.offset + y * self.layout.row_bytes + x * _PIXEL_BYTES
        return int(self._pixel.unpack_from(self._pixels, at)[0]) & 0xFFFFFF

    def colour(self, points: Iterable[tuple[int, int]]) -> int | None:
        """The colour of all these points; None where they differ."""
        found = None
        for x, y in points:
            pixel = self.pixel(x, y)
            if found is None:
                found = pixel
            elif pixel != found:
                return None
        return found

    def corner(self, column: int, is_wanted: Callable[[int], bool]) -> tuple[int, int] | None:
        """The upper left corner of what has such pixels and lies across a column; None where nothing does."""
        for y in range(self.layout.height):
            if is_wanted(self.pixel(column, y)):
                return next(x for x in range(column + 1) if x == column or is_wanted(self.pixel(x, y))), y
        return None

    def __enter__(self) -> Framebuffer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pixels.close()


def spread(corner: tuple[int, int], width: int, height: int, across: int = 9) -> list[tuple[int, int]]:
    """Points all over a rectangle, its corners among them. The last ones come first: they are drawn last."""
    columns, rows = (
        sorted({begin + round(step * (size - 1) / (across - 1)) for step in range(across)}, reverse=True)
        for begin, size in zip(corner, (width, height))
    )
    return [(x, y) for y in rows for x in columns]
