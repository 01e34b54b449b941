# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel files that are read over and over."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.files import close_all, read_again


def test_each_read_begins_at_the_beginning_and_takes_all(tmp_path: Path) -> None:
    file = tmp_path / "stat"
    file.write_bytes(b"1" * 200_000)
    descriptor = os.open(file, os.O_RDONLY)
    assert len(read_again(descriptor)) == 200_000
    file.write_bytes(b"2")
    assert read_again(descriptor) == b"2"
    close_all([descriptor])


def test_what_cannot_be_read_any_more_says_nothing(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)  # read(2) of a directory is an error
    assert read_again(descriptor) == b""
    held = [descriptor]
    close_all(held)
    assert held == []
