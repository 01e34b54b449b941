# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a run's directory to its table, its page and its manifest."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils import figures, run_dir
from ansible_collections.virtperf.vhost.plugins.plugin_utils.opening import open_run
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reporting import report_run
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir, RunDirError
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make
from ansible_collections.virtperf.vhost.tests.unit import throttle_factory


@pytest.fixture(autouse=True)
def small_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """plotly.js is 5 MB of somebody else's."""
    monkeypatch.setattr(figures, "plotly_script", lambda: "/* plotly.js */")


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run of one cell, with two of its three trials."""
    run = RunDir(tmp_path / "results" / make.RUN_ID)
    open_run(run, {"reflect": make.definition([make.cell()])}, ["localhost"], 1)
    fetch(run, [make.record(trial=1), make.record(trial=2)])
    return run


def fetch(run: RunDir, records: list[dict[str, Any]]) -> None:
    """What came from the host."""
    make.write_records(run.hosts / "localhost" / "reflect.jsonl", records)


def manifest_of(run: RunDir) -> dict[str, Any]:
    """The manifest as it is on disk."""
    manifest: dict[str, Any] = json.loads(run.manifest.read_text())
    return manifest


def test_an_incomplete_run(run: RunDir) -> None:
    outcome = report_run(run, {"localhost": make.FACTS}, ["localhost: measure: died"])
    assert outcome.changed
    assert not outcome.complete
    assert outcome.error is None
    (cell,) = outcome.incomplete
    assert (cell.host, len(cell.counted), cell.wanted) == ("localhost", 2, 3)
    assert outcome.table == run.table.read_text()
    assert outcome.table_before == ""
    assert len(run.trials.read_text().splitlines()) == 2
    assert "died" in run.report.read_text()
    manifest = manifest_of(run)
    assert manifest["status"] == "incomplete"
    assert manifest["finished_at"]
    assert manifest["facts"]["localhost"] == make.FACTS
    assert manifest["failures"] == ["localhost: measure: died"]
    assert list(manifest["files"]) == ["hosts/localhost/reflect.jsonl"]


def test_a_run_completed_by_a_second_attempt(run: RunDir) -> None:
    report_run(run, {"localhost": make.FACTS}, ["died"])
    fetch(run, [make.record(trial=n) for n in (1, 2)] + [make.record(trial=1, started_at="2026-11-20T11:00:00Z")])
    outcome = report_run(run, None, [])
    assert outcome.complete
    manifest = manifest_of(run)
    assert (manifest["status"], manifest["failures"]) == ("complete", [])
    assert manifest["facts"] == {"localhost": make.FACTS}
    assert "FAILED" not in outcome.table
    assert "FAILED" in outcome.table_before


def test_reporting_again_changes_nothing(run: RunDir) -> None:
    report_run(run, {"localhost": make.FACTS}, ["x"])
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    outcome = report_run(run, None, None)
    assert not outcome.changed
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_check_mode_says_what_would_be_and_writes_nothing(run: RunDir) -> None:
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    outcome = report_run(run, None, None, dry=True)
    assert outcome.changed
    assert "Mpps" in outcome.table
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_a_run_without_any_record(run: RunDir) -> None:
    (run.hosts / "localhost" / "reflect.jsonl").unlink()
    outcome = report_run(run, None, ["localhost: prepare: no hugepages"])
    assert not outcome.complete
    assert "0 of 3 valid; 3 of 3 trials not measured" in outcome.table


def test_a_disk_that_filled_up_keeps_the_table_from_nobody(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    real = run_dir.write_atomic
    written = []

    def fill(path: Path, parts: Any) -> None:
        if path == run.table:
            raise OSError(28, "No space left on device")
        written.append(path.name)
        real(path, parts)

    monkeypatch.setattr(run_dir, "write_atomic", fill)
    outcome = report_run(run, None, None)
    assert "Mpps" in outcome.table
    assert "safe on the measured hosts" in str(outcome.error)
    # what could be written was written all the same
    assert written == ["trials.jsonl", "manifest.json", "report.html"]


def test_without_plotly_only_the_page_is_missing(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> str:
        raise figures.PlotlyError("plotly is missing")

    monkeypatch.setattr(figures, "load_plotly", absent)
    outcome = report_run(run, None, None)
    assert isinstance(outcome.error, VirtperfError)
    assert run.table.exists()
    assert manifest_of(run)["status"] == "incomplete"
    assert not run.report.exists()


def test_half_a_surrogate_pair_does_not_stop_it(run: RunDir) -> None:
    fetch(run, [make.invalid("\ud800")])
    assert report_run(run, None, None).error is None
    assert "ud800" in run.report.read_text()


def test_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="there is no run x"):
        report_run(RunDir(tmp_path / "x"), None, None)


def test_the_reference_can_be_shown_of_a_run_that_is_over(run: RunDir) -> None:
    report_run(run, {"localhost": make.FACTS}, None)
    outcome = report_run(run, None, None, reference=True)
    assert outcome.changed
    assert "theirs:" in outcome.table
    assert "theirs" in run.report.read_text()
    assert "theirs" not in outcome.table_before


def fetch_throttle(run: RunDir, directory: Path) -> None:
    """The records and the samples that came from the host."""
    (run.hosts / "localhost").mkdir(exist_ok=True)
    shutil.copy(directory / "throttle.jsonl", run.hosts / "localhost")
    shutil.copytree(directory / "samples", run.samples / "localhost", dirs_exist_ok=True)


def test_both_studies_in_one_run(tmp_path: Path) -> None:
    phases = throttle_factory.timeline_phases(6.0, (50.0,), 6.0)
    run = RunDir(tmp_path / "results" / make.RUN_ID)
    studies = {
        "reflect": make.definition([make.cell()], trials=1),
        "throttle": throttle_factory.definition([("iperf3", "qemu-thread")], phases),
    }
    open_run(run, studies, ["localhost"], 1)
    fetch(run, [make.record()])
    directory = throttle_factory.measure(tmp_path, phases=phases, trials=2)
    fetch_throttle(run, directory)
    outcome = report_run(run, None, None)
    assert [(cell.study, cell.cell["phase"], len(cell.counted)) for cell in outcome.incomplete] == [
        ("throttle", phase.name, 2) for phase in phases
    ]
    assert manifest_of(run)["status"] == "incomplete"
    # what an earlier attempt has need not be measured again
    done = {(one["study"], one["valid_trials"]) for one in open_run(run, studies, ["localhost"], 1).done}
    assert done == {("reflect", 1), ("throttle", 2)}

    throttle_factory.measure(tmp_path, phases=phases, trials=1, began="2026-11-20T12:00:00")
    fetch_throttle(run, directory)
    outcome = report_run(run, None, None)
    assert outcome.complete
    assert outcome.notes == []
    manifest = manifest_of(run)
    assert manifest["status"] == "complete"
    samples = [name for name in manifest["files"] if name.startswith("samples/localhost/throttle-iperf3-qemu-thread-")]
    assert len(samples) == 3
    assert set(manifest["files"]) - set(samples) == {
        "hosts/localhost/reflect.jsonl",
        "hosts/localhost/throttle.jsonl",
    }
    assert "Mpps" in outcome.table
    assert "cpu.max" in outcome.table
    assert not report_run(run, None, None).changed


def test_a_timeline_whose_samples_did_not_arrive(tmp_path: Path) -> None:
    phases = throttle_factory.timeline_phases(6.0, (50.0,), 6.0)
    run = RunDir(tmp_path / "results" / make.RUN_ID)
    open_run(run, {"throttle": throttle_factory.definition([("iperf3", "qemu-thread")], phases)}, ["localhost"], 1)
    fetch_throttle(run, throttle_factory.measure(tmp_path, phases=phases))
    (lost, torn, _whole) = sorted((run.samples / "localhost").iterdir())
    lost.unlink()
    torn.write_bytes(torn.read_bytes()[:-9])
    outcome = report_run(run, None, None)
    # the numbers are in the records; only a picture is missing
    assert outcome.complete
    assert outcome.error is None
    assert lost.name in outcome.table
    assert lost.name in run.report.read_text()


def test_a_whole_study_is_reported_in_seconds(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "results" / make.RUN_ID)
    phases = throttle_factory.timeline_phases()
    timelines = [("iperf3", layout) for layout in ("kthread", "qemu-thread", "libvirt")]
    open_run(run, {"throttle": throttle_factory.definition(timelines, phases)}, ["localhost"], 1)
    for hour, (_workload, layout) in enumerate(timelines, start=10):
        directory = throttle_factory.measure(tmp_path, layout=layout, began=f"2026-11-20T{hour}:00:00", seed=hour)
    fetch_throttle(run, directory)
    start = time.perf_counter()
    outcome = report_run(run, None, None)
    assert time.perf_counter() - start < 5
    assert outcome.complete
    assert len(run.trials.read_text().splitlines()) == 3 * 27
    # without plotly.js, which here is a word
    assert run.report.stat().st_size < 1_000_000
