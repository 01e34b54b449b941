# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before is on disk before it is changed, and stays until it was undone."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import host as host_module
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Entry, Journal


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(run=str(tmp_path / "run"), state=str(tmp_path / "state"))


def test_an_entry_tells_what_was_who_changed_it_and_when(host: Host) -> None:
    Journal(host, "run-1").append("hugepages", size_kb=2048, count=3)
    (entry,) = Journal(host).entries()
    assert (entry.number, entry.resource, dict(entry.undo)) == (1, "hugepages", {"size_kb": 2048, "count": 3})
    assert entry.run_id == "run-1"
    assert entry.at.endswith("Z")


def test_it_is_on_disk_when_append_returns(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(host_module.os, "fsync", watch)
    journal = Journal(host)
    journal.append("process", pid=1)
    assert journal.path in synced
    # A new file's name has to survive the crash as well.
    assert host.state in synced


def test_numbers_go_on_where_they_stopped(host: Host) -> None:
    Journal(host, "a").append("process", pid=1)
    Journal(host, "b").append("process", pid=2)
    assert [(entry.number, entry.run_id) for entry in Journal(host).entries()] == [(1, "a"), (2, "b")]


def test_it_is_for_us_alone(host: Host) -> None:
    journal = Journal(host)
    journal.append("process", pid=1)
    assert stat.S_IMODE(os.stat(journal.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(host.state).st_mode) == 0o700


def test_no_journal_is_an_empty_one(host: Host) -> None:
    assert Journal(host).entries() == []
    Journal(host).keep_only([])


def test_what_was_undone_is_forgotten(host: Host) -> None:
    journal = Journal(host, "run-1")
    for pid in (1, 2, 3):
        journal.append("process", pid=pid)
    kept = journal.entries()[1:2]
    journal.keep_only(kept)
    assert journal.entries() == kept
    journal.append("process", pid=4)
    assert [entry.undo["pid"] for entry in journal.entries()] == [2, 4]
    journal.keep_only([])
    assert not os.path.exists(journal.path)


@given(st.data())
def test_a_crash_at_any_byte_loses_only_a_change_that_was_not_made_yet(data: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        journal = Journal(Host(state=directory))
        pids = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
        for pid in pids:
            before = journal.entries()
            size = os.path.getsize(journal.path) if before else 0
            journal.append("process", pid=pid)
        os.truncate(journal.path, data.draw(st.integers(size, os.path.getsize(journal.path))))
        left = [entry.undo["pid"] for entry in journal.entries()]
        assert left in (pids, pids[:-1])
        journal.append("process", pid=99)
        entries = journal.entries()
        assert [entry.undo["pid"] for entry in entries] == [*left, 99]
        assert len({entry.number for entry in entries}) == len(entries)


@pytest.mark.parametrize("line", ["7", "[]", '["resource"]', '"resource"', "null", "{}", "\0\0\0\0", '{"resource": 1'])
def test_a_line_that_is_no_entry_is_passed_over(host: Host, line: str) -> None:
    journal = Journal(host)
    journal.append("process", pid=1)
    with open(journal.path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    journal.append("process", pid=2)
    assert [entry.undo["pid"] for entry in journal.entries()] == [1, 2]


def test_an_entry_of_a_version_that_tells_more_is_read(host: Host) -> None:
    host.private_directory(host.state)
    line = '{"number": 1, "resource": "process", "undo": {"pid": 1}, "run_id": "r", "at": "", "why": "because"}\n'
    Path(Journal(host).path).write_text(line)
    assert Journal(host).entries() == [Entry(1, "process", {"pid": 1}, "r")]
