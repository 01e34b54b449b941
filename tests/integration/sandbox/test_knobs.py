# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study knobs on real guests: what counts kicks, interrupts and exits does count them, and two of them agree."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import a_run
import pytest

pytestmark = pytest.mark.long

RUN = "knobs-test"
# Packets so far apart that most of them need a kick.
STUDY = {
    "studies": ["knobs"],
    "run_id": RUN,
    "knobs_names": ["vhost", "vectors", "event_idx"],
    "knobs_workloads": ["udp_out"],
    "knobs_pairs": 3,
    "knobs_window_seconds": 1,
    "knobs_warmup_seconds": 0.2,
    "knobs_udp_pps": 500,
    "knobs_seed": 1,
    "knobs_second_sources": True,
}
COUNTED = {"ethtool", "interrupts", "exits", "mmio", "msi", "injected", "kicks", "cpu"}

Record = dict[str, Any]


def test_counters_are_what_they_are_said_to_be(tmp_path: Path, sandbox: float) -> None:
    with a_run.forgotten(RUN, tmp_path):
        done = a_run.play("bench", STUDY, tmp_path)
        assert done.status == 0, done.output
        assert len(done.records) == 3 * 2 * 3
        for record in done.records:
            assert record["valid"], record["reasons"]
            counted(record)
        as_often_here_as_there(done.records)
        interrupted(done.records)
        assert {record["asked"]["seed"] for record in done.records} == {1}
        table = (done.results / "table.txt").read_text()
        for line in ("vhost on -> off", "vectors default -> 0", "event_idx on -> off", "answers to the questions"):
            assert line in table
        assert "<html" in (done.results / "report.html").read_text()
        a_run.check_nothing_is_left()
        assert not a_run.LAB.exists()


def counted(record: Record) -> None:
    """Nothing is missing, and nothing is 0 of which there must have been some."""
    settings, counters = record["asked"]["settings"], record["counters"]
    guest, host = counters["guest"], counters["host"]
    assert not COUNTED & set(counters["absent"]), counters["absent"]
    assert guest["ethtool"]["tx_kicks"] > 0, record
    assert sum(host["exits"].values()) > 0, record
    assert host["mmio"] > 0, record
    for name in ("sent_pps", "received_pps", "tx_kicks_per_packet", "interrupts_per_packet", "exits_per_packet"):
        assert record["metrics"][name] > 0, (name, record)
    # An interrupt that is no message has a way of its own.
    if settings["vectors"] == "default":
        assert 0 < host["injected"] <= host["msi"] + 2, record
    assert record["observed"]["vhost"] == (settings["vhost"] == "on")
    if settings["vhost"] == "on":
        assert host["tx_kicks"] > 0, record
        assert record["cpu"]["worker"] > 0, record
    else:
        # QEMU serves this one; workers have the other devices, over which nothing goes.
        assert host["tx_kicks"] < guest["ethtool"]["tx_kicks"] / 10, record


def as_often_here_as_there(records: list[Record]) -> None:
    """The guest counts its kicks, and the hypervisor the times that a worker was woken by one.

    Without the event index the guest kicks a worker that is awake as well.
    """
    ratios = []
    for record in records:
        settings, counters = record["asked"]["settings"], record["counters"]
        if (settings["vhost"], settings["event_idx"]) == ("on", "on"):
            sent = counters["guest"]["ethtool"]["tx_kicks"] / counters["seconds"]["guest"]
            ratios.append(sent / (counters["host"]["tx_kicks"] / counters["seconds"]["host"]))
    assert len(ratios) == 12
    print("kicks, guest to hypervisor:", *(f"{ratio:.2f}" for ratio in sorted(ratios)))
    assert 0.85 <= median(ratios) <= 1.15, sorted(ratios)


def interrupted(records: list[Record]) -> None:
    """With vectors each queue has interrupts of its own, without there is one kind."""
    for level, purposes in (("default", {"input.0", "output.0"}), ("0", {"intx"})):
        here = [record for record in records if (record["cell"]["knob"], record["cell"]["level"]) == ("vectors", level)]
        assert len(here) == 3
        for record in here:
            assert set(record["counters"]["guest"]["interrupts"]) - {"config"} == purposes
        per_packet = median(record["metrics"]["interrupts_per_packet"] for record in here)
        print(f"interrupts per packet with vectors={level}: {per_packet:.3f}")
