# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time series that came with the records."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir
from ansible_collections.virtperf.vhost.plugins.plugin_utils.samples import read_series
from ansible_collections.virtperf.vhost.tests.unit import throttle_factory as make

PHASES = make.timeline_phases(6.0, (), 6.0)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run whose samples have arrived."""
    run = RunDir(tmp_path / "results" / make.RUN_ID)
    shutil.copytree(make.measure(tmp_path, phases=PHASES, trials=2) / "samples", run.samples / "localhost")
    return run


def records(run: RunDir) -> list[Record]:
    """Those of the host."""
    raws = make.records(run.path.parents[1] / "runs" / make.RUN_ID)
    return [Record(raw, line) for line, raw in enumerate(raws, start=1)]


def test_each_series_once(run: RunDir) -> None:
    notes: list[str] = []
    found = read_series(run, records(run), notes)
    assert [(host, name.startswith("samples/throttle-iperf3")) for host, name in found] == [("localhost", True)] * 2
    assert all(len(series.times_s) == 181 for series in found.values())
    assert notes == []


def test_the_torn_end_of_a_killed_run_is_left_out(run: RunDir) -> None:
    (first, _second) = sorted((run.samples / "localhost").iterdir())
    first.write_bytes(first.read_bytes()[:-7])
    notes: list[str] = []
    assert sorted(len(series.times_s) for series in read_series(run, records(run), notes).values()) == [180, 181]
    assert notes == []


def test_what_is_missing_or_no_series_is_said(run: RunDir) -> None:
    first, second = sorted((run.samples / "localhost").iterdir())
    first.unlink()
    second.write_text("")
    notes: list[str] = []
    assert read_series(run, records(run), notes) == {}
    assert len(notes) == 2
    assert f"{second} is no time series" in notes[0]
    assert notes[1].startswith("1 file of samples of localhost did not arrive")
    assert first.name in notes[1]


def test_a_record_cannot_name_a_file_elsewhere(run: RunDir) -> None:
    (run.path / "elsewhere.jsonl").write_text("x")
    raw = dict(records(run)[0].raw) | {"series": "../../elsewhere.jsonl", "host": "../.."}
    notes: list[str] = []
    assert read_series(run, [Record(raw, 1)], notes) == {}
    assert "did not arrive" in notes[0]
