# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs as files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import pack


@pytest.mark.parametrize("end", ["server", "client"])
def test_a_program_runs_where_nothing_of_ours_is_installed(tmp_path: Path, end: str) -> None:
    path = tmp_path / end
    path.write_bytes(pack.program(end))
    done = subprocess.run(
        [sys.executable, "-I", str(path), "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--colours" in done.stdout
    assert [entry.name for entry in tmp_path.iterdir()] == [end]  # what it made is gone


def test_the_same_text_gives_the_same_file() -> None:
    assert pack.program("server") == pack.program("server")
    assert pack.program("server") != pack.program("client")
    assert len(pack.program("client")) < 20_000
