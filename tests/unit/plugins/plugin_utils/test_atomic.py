# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is whole or as it was."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.atomic import free_mib, write_atomic


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    write_atomic(path, [b"one", b"two"])
    assert path.read_bytes() == b"onetwo"
    write_atomic(path, [b"three"])
    assert path.read_bytes() == b"three"
    assert os.listdir(tmp_path) == ["table.txt"]


def test_results_can_be_read_by_those_the_umask_lets(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "f", [b""])
    finally:
        os.umask(old)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


def full_disk() -> Iterator[bytes]:
    """What is to be written, up to where the disk is full."""
    yield b"half"
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, full_disk())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.txt"]


def test_free_space_is_that_of_the_nearest_directory_there_is(tmp_path: Path) -> None:
    assert free_mib(tmp_path / "not" / "yet") == pytest.approx(free_mib(tmp_path), abs=64)
