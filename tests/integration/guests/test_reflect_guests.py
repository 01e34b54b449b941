# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study reflect with its far end in a real guest: every driver, and what is left when something dies in a trial."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import bench
import pytest

pytestmark = pytest.mark.usefixtures("left_as_found")

SMALL = {
    "run_id": "test",
    "reflect_drivers": ["igb_uio"],
    "reflect_queues": [1],
    "reflect_packet_sizes": [64],
    "reflect_trials": 2,
    "reflect_trial_seconds": 0.5,
    # What every QEMU from 10 on can give: from 10.0.13 on it gives no other.
    "reflect_ring_size": 1024,
}
VM = bench.RUN / "qemu" / "reflect"
KEYS = bench.STATE / "labs" / "virtperf-reflect"


def play(variables: dict[str, Any], results: Path) -> bench.Done:
    """A whole run."""
    process = bench.start("bench", {**SMALL, **variables}, results)
    return bench.finish(process, results, "test", timeout_s=300)


def in_guest(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the guest, with the run's own key."""
    launched = json.loads((VM / "definition.json").read_text())
    options = ["-i", f"{KEYS}/id_ed25519", "-o", f"UserKnownHostsFile={KEYS}/known_hosts", "-o", "HostKeyAlias=reflect"]
    port = str(launched["user_net"]["forwards"][0]["host_port"])
    return subprocess.run(
        ["ssh", "-F", "none", "-o", "BatchMode=yes", *options, "-p", port, "root@127.0.0.1", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_driver_and_both_queue_counts(tmp_path: Path) -> None:
    drivers = ["uio_pci_generic", "igb_uio", "virtio-net"]
    cells = {"reflect_drivers": drivers, "reflect_queues": [1, 2], "reflect_packet_sizes": [64, 1024]}
    done = play({**cells, "reflect_trials": 1}, tmp_path)
    assert done.status == 0, done.output
    assert len(done.records) == 12
    for record in done.records:
        cell, observed = record["cell"], record["observed"]
        assert record["valid"], record["reasons"]
        assert record["metrics"]["rx_pps"] > 10_000
        assert observed["frame_bytes"] == pytest.approx(cell["packet_size"] - 4, abs=0.5)
        assert observed["queues"] == cell["queues"]
        assert observed["generator"]["driver"] == cell["driver"]
        assert observed["accel"] in ("kvm", "tcg")
        assert observed["pins"]
    assert len({record["observed"]["vm_command"] for record in done.records}) == 2, "one boot for each number of queues"
    report = (done.results / "report.html").read_text()
    if done.records[0]["observed"]["accel"] == "tcg":
        assert "emulat" in report or "tcg" in report.lower()


def test_the_guest_sends_back_over_two_links(tmp_path: Path) -> None:
    done = play({"reflect_direction": "far_end", "reflect_links": [2]}, tmp_path)
    assert done.status == 0, done.output
    for record in done.records:
        assert set(record["cpu"]) == {"vswitch", "reflector"}
        assert record["metrics"]["rx_pps"] > 10_000
        assert (
            record["observed"]["vm_command"].count("type=vhost-user")
            + record["observed"]["vm_command"].count("vhost-user,id=")
            == 2
        )


def test_a_testpmd_in_the_guest_and_then_the_vm_are_killed_in_a_trial(tmp_path: Path) -> None:
    """Each in a cell of its own, for a cell that is interrupted twice is given up."""
    process = bench.start("bench", {**SMALL, "reflect_packet_sizes": [64, 128], "reflect_trial_seconds": 4}, tmp_path)
    bench.wait_for("a trial", bench.measuring, 120)
    killed = in_guest("kill -9 $(cat /run/virtperf/testpmd/generator/process.json | tr -dc '0-9,' | cut -d, -f1)")
    assert killed.returncode == 0, killed.stderr
    records = bench.STATE / "runs" / "test" / "reflect.jsonl"
    bench.wait_for("the first cell", lambda: records.exists() and len(records.read_text().splitlines()) == 2, 120)
    bench.wait_for("a trial of the second", bench.measuring, 60)
    os.kill(json.loads((VM / "process.json").read_text())["pid"], signal.SIGKILL)
    done = bench.finish(process, tmp_path, "test", timeout_s=180)
    assert done.status != 0
    found = [(record["cell"]["packet_size"], record["valid"]) for record in done.records]
    assert found == [(64, False), (64, True), (128, False), (128, True)]
    assert "testpmd generator has died" in done.records[0]["reasons"][0]
    assert "VM reflect has died" in done.records[2]["reasons"][0]
    assert "VM reflect has died" in (done.results / "table.txt").read_text()


def test_a_playbook_that_is_killed_leaves_no_vm(tmp_path: Path) -> None:
    before = bench.machine()
    process = bench.start("bench", {**SMALL, "reflect_trials": 4, "reflect_trial_seconds": 2}, tmp_path)
    records = bench.STATE / "runs" / "test" / "reflect.jsonl"
    bench.wait_for("the first record", records.exists, 120)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    bench.wait_for("the guard", lambda: bench.machine() == before, timeout_s=30)
    kept = len(records.read_text().splitlines())
    assert kept >= 1
    report = bench.play("report", {}, tmp_path)
    assert report.status != 0
    assert len(report.records) == kept
