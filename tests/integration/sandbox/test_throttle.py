# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study throttle when somebody else wants the hypervisor, and when its playbook is killed while it throttles."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import a_run
import bench
import pytest

pytestmark = pytest.mark.long

RUN = "throttle-killed"
LIMIT = "1000 1000000"
# Two trials: the records of the first are on disk when the second is cut off.
STUDY = {
    "studies": ["throttle"],
    "run_id": RUN,
    "throttle_layouts": ["qemu-thread"],
    "throttle_phases": [
        {"name": "baseline", "cpu_max": "max 100000", "seconds": 2},
        {"name": "throttled", "cpu_max": LIMIT, "seconds": 15},
    ],
    "throttle_ladder": [],
    "throttle_trials": 2,
    "throttle_settle_seconds": 0.5,
    "throttle_warmup_seconds": 1,
}
GROUP = "/sys/fs/cgroup/vhost-toplevel/the-vhost-killer"
LOCK = "/var/lib/virtperf/lock.json"
# It waits there, and not by one connection after the other: they cost an emulated hypervisor more than the guests do.
THROTTLED = """
import json, sys, time
limit = time.monotonic() + 10
while time.monotonic() < limit:
    try:
        status = json.load(open("/run/virtperf/status.json"))
    except (OSError, ValueError):
        status = {}
    if status.get("trial") == int(sys.argv[1]) and ", throttled at " in status.get("what", ""):
        sys.exit(0)
    time.sleep(0.1)
sys.exit(1)
"""
FREE = f"for look in $(seq 150); do test -e {LOCK} || exit 0; sleep 0.2; done; exit 1"


def wait_until_throttled(process: subprocess.Popen[str], trial: int) -> None:
    def is_throttled() -> bool:
        assert process.poll() is None, process.communicate()[0]
        return a_run.ask(shlex.join(["python3", "-c", THROTTLED, str(trial)])).returncode == 0

    bench.wait_for(f"trial {trial} to be throttled", is_throttled, timeout_s=300)


def test_a_second_run_is_refused_and_a_killed_one_leaves_no_limit(tmp_path: Path, sandbox: float) -> None:
    """One after the other with the same guests, which take a minute to boot."""
    with a_run.forgotten(RUN, tmp_path):
        first = a_run.start("bench", STUDY, tmp_path)
        try:
            wait_until_throttled(first, 1)
            refused(tmp_path)
            wait_until_throttled(first, 2)
            assert a_run.told(f"cat {GROUP}/cpu.max") == LIMIT
        finally:
            a_run.kill(first)
        try:
            guarded()
            kept(tmp_path)
        finally:
            # What the controller knew of the guests nobody was left to forget.
            shutil.rmtree(a_run.LAB, ignore_errors=True)


def refused(results: Path) -> None:
    """The first run is named, and not touched."""
    second = a_run.play("bench", {**STUDY, "run_id": "second"}, results)
    assert second.status != 0
    output = " ".join(second.output.split())
    assert "another run holds this host" in output
    assert f"run {RUN}" in output
    assert not second.results.exists()


def guarded() -> None:
    """The guard notices, and puts everything back."""
    # From there another machine's process cannot be seen: a run is dead when it was silent for a quarter of an hour.
    a_run.told(f"touch -d '20 minutes ago' {LOCK}")
    freed = a_run.ask(FREE, limit_s=120)
    log = a_run.told("cat /var/lib/virtperf/guard.log")
    assert freed.returncode == 0, log
    _before, named, actions = log.rpartition(f"the controller of run {RUN}")
    assert named, log
    assert f"set cpu.max of {GROUP} to max 100000" in actions
    assert "FAILED" not in actions
    a_run.check_nothing_is_left()


def kept(results: Path) -> None:
    """The report has what there is, and says that it is not all."""
    report = a_run.play("report", {"run_id": RUN}, results)
    assert report.status != 0
    assert f"Run {RUN} is not complete: 2 cells lack valid trials." in " ".join(report.output.split())
    assert [(record["cell"]["phase"], record["trial"]) for record in report.records] == [
        ("baseline", 1),
        ("throttled", 1),
    ]
    for record in report.records:
        assert record["valid"], record["reasons"]
    assert report.records[1]["observed"]["cpu_max"] == LIMIT
    assert report.records[1]["verdict"]["limit"] == "worker-throttled"
    assert "fewer valid trials than asked for" in (report.results / "table.txt").read_text()
