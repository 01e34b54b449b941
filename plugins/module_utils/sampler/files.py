# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel files that are read over and over: opened once, read from their beginning each time."""

from __future__ import annotations

import os

# Files in /proc give a page or less at a time.
_AT_ONCE = 65536


def read_again(descriptor: int) -> bytes:
    """All that an open kernel file says now; nothing when what it speaks of has gone."""
    parts = []
    offset = 0
    try:
        while part := os.pread(descriptor, _AT_ONCE, offset):
            parts.append(part)
            offset += len(part)
    except OSError:  # ESRCH of a thread that ended, ENODEV of a cgroup that was removed
        return b""
    return b"".join(parts)


def close_all(descriptors: list[int]) -> None:
    """Close them, and forget them."""
    while descriptors:
        os.close(descriptors.pop())
