# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of runs, their files, and what is said when those cannot be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils import run_dir
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import (
    RunDir,
    RunDirError,
    new_run_id,
)


def test_a_new_run_id_is_the_time_and_four_digits() -> None:
    run_id = new_run_id()
    time, digits = run_id.split("-")
    assert len(time) == len("20261120T100000Z")
    assert int(digits, 16) < 1 << 16
    assert len(digits) == 4


def test_the_files_of_a_run(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "results" / "r1")
    run.create()
    assert run.run_id == "r1"
    for name in ("b/reflect.jsonl", "a/reflect.jsonl", "a/notes.txt"):
        (run.hosts / name).parent.mkdir(exist_ok=True)
        (run.hosts / name).touch()
    (run.samples / "x.bin").touch()
    assert [path.parent.name for path in run.record_files()] == ["a", "b"]
    assert [path.name for path in run.fetched_files()] == ["notes.txt", "reflect.jsonl", "reflect.jsonl", "x.bin"]
    with pytest.raises(FileExistsError):
        run.create()


def test_results_dir_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(RunDirError, match="Not a directory"):
        RunDir(tmp_path / "results" / "r1").create()
    with pytest.raises(RunDirError, match="Not a directory"):
        RunDir(tmp_path / "results" / "deeper" / "r1").create()


def test_too_little_space(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "r1")
    run.check_space(0)
    with pytest.raises(RunDirError, match="no host was touched") as caught:
        run.check_space(1e12)
    assert caught.value.facts["free_mib"] > 0


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "writable"),
        (errno.EACCES, "writable"),
    ],
)
def test_what_cannot_be_written_is_told_with_the_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fail(path: Path, parts: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(run_dir, "write_atomic", fail)
    run = RunDir(tmp_path / "my results" / "r1")
    with pytest.raises(RunDirError) as caught:
        run.write(run.table, [b""])
    message = str(caught.value)
    assert f"cannot write {run.table}: {os.strerror(number)}" in message
    assert "MiB free" in message
    assert words in message
    assert "safe on the measured hosts, in /var/lib/virtperf/runs/r1/" in message
    again = f"ansible-playbook virtperf.vhost.report -e run_id=r1 -e results_dir='{tmp_path}/my results'"
    assert again in message


def test_before_anything_is_measured_there_is_nothing_to_be_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, parts: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(run_dir, "write_atomic", fail)
    run = RunDir(tmp_path / "r1")
    for attempt in (run.check_writable, lambda: run.write(run.manifest, [b""], before=True)):
        with pytest.raises(RunDirError, match="no host was touched") as caught:
            attempt()
        assert "/var/lib" not in str(caught.value)


def test_a_probe_leaves_nothing(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "r1")
    run.create()
    run.check_writable()
    assert sorted(os.listdir(run.path)) == ["hosts", "samples"]
    run.remove_empty()
    assert not run.path.exists()
