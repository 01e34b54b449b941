# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Python compiles of archives is kept, by what it was compiled of. Each import is in a process of its own."""

from __future__ import annotations

import inspect
import marshal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import compiled

PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
import compiled
compiled.keep(sys.argv[3])
import sent
print(sent.WORD)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "compiled.py").write_text(inspect.getsource(compiled))
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def imported(place: Path, source: str) -> str:
    """What a module says that comes in an archive."""
    archive = place.parent / "sent.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("sent.py", source)
    command = [sys.executable, "-c", PROGRAM, str(archive), str(place.parent), str(place)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_same_source_is_compiled_once(place: Path) -> None:
    assert imported(place, "WORD = 'first'") == "first"
    (kept,) = place.iterdir()
    kept.write_bytes(marshal.dumps(compile("WORD = 'kept'", "sent.py", "exec")))
    assert imported(place, "WORD = 'first'") == "kept"


def test_another_source_is_another(place: Path) -> None:
    words = ["first", "second", "first"]
    assert [imported(place, f"WORD = '{word}'") for word in words] == words
    assert len(list(place.iterdir())) == 2


@pytest.mark.parametrize("text", [b"", b"nonsense"])
def test_what_cannot_be_read_is_compiled_anew(place: Path, text: bytes) -> None:
    imported(place, "WORD = 'first'")
    (kept,) = place.iterdir()
    kept.write_bytes(text)
    assert imported(place, "WORD = 'first'") == "first"
    assert kept.read_bytes() != text


def test_without_its_directory_nothing_is_kept(place: Path) -> None:
    place.rmdir()
    assert imported(place, "WORD = 'first'") == "first"
    assert not place.exists()
