# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A phase's account, from a series in which everything is known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import Series
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.account import Account, Accountant, Heard
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import Offset
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import parse
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import Setup, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.timeline import PhaseRun

PHASES = parse(
    [
        {"name": "baseline", "seconds": 10},
        {"name": "throttled", "cpu_max": "1000 1000000", "seconds": 10},
        {"name": "recovered", "seconds": 10},
    ]
)
SETUP = setup(
    {
        "workload": "iperf3",
        "layout": "kthread",
        "phases": [phase.as_dict() for phase in PHASES],
        "trials": 1,
        "sender": "client",
        "server": {"interfaces": ["tap0"]},
        "client": {"interfaces": ["tap1"]},
        "bridge": [],
        "threads": [
            {"label": "w", "role": "worker", "pid": 1, "tid": 2},
            {"label": "v0", "role": "vcpu", "pid": 1, "tid": 3},
            {"label": "v1", "role": "vcpu", "pid": 1, "tid": 4},
        ],
        "cgroups": {"workers": "/cg"},
        "sample_seconds": 0.1,
        "socket_seconds": 1.0,
        "settle_seconds": 2.0,
        "warmup_seconds": 0.0,
    }
)
RUNS = [
    PhaseRun(phase, at_s + 0.0005, at_s + 0.001, at_s + 10.0, str(phase.cpu_max))
    for at_s, phase in zip((0, 10, 20), PHASES, strict=True)
]
FRAME = 1448 + 66
# Frames a sample: 121 Mbit/s, none after a second of being throttled, and back 1 s after the reset.
FRAMES = [1000] * 100 + [1000] * 10 + [0] * 90 + [0] * 10 + [1000] * 90


def series(**changes: list[int]) -> Series:
    """300 samples a tenth of a second apart; every counter grows by what is listed for each sample."""
    throttled = [0] * 100 + [1] * 100 + [0] * 100
    grown: dict[tuple[str, str, str], list[int]] = {
        ("net", "tap0", "tx_bytes"): [frames * FRAME for frames in FRAMES],
        ("net", "tap0", "tx_packets"): FRAMES,
        ("net", "tap0", "tx_dropped"): [0] * 300,
        ("net", "tap1", "rx_bytes"): [frames * FRAME for frames in FRAMES],
        ("net", "tap1", "tx_packets"): [10] * 300,
        ("net", "tap1", "tx_dropped"): [7 * one for one in throttled],
        ("qdisc", "tap0", "dropped"): [0] * 300,
        ("thread", "w", "run_ns"): [50_000_000 - 49_900_000 * one for one in throttled],
        ("thread", "w", "wait_ns"): [0] * 300,
        ("thread", "v0", "run_ns"): [30_000_000] * 300,
        ("thread", "v1", "run_ns"): [60_000_000] * 300,
        ("cgroup", "workers", "nr_periods"): throttled,
        ("cgroup", "workers", "nr_throttled"): throttled,
        ("cgroup", "workers", "throttled_usec"): [99_000 * one for one in throttled],
    }
    grown |= {(kind, name, counter): rows for key, rows in changes.items() for kind, name, counter in [key.split("__")]}
    values: list[list[int | None]] = []
    for rows in grown.values():
        total, column = 0, [0]
        for number in rows:
            total += number
            column.append(total)
        values.append(list(column))
    columns = [*grown, ("qdisc", "tap0", "backlog_bytes")]
    values.append([3000] * 301)
    return Series({}, columns, [number / 10 for number in range(301)], [0.0] * 301, values)


def accounts(made: Setup = SETUP, heard: Heard | None = None, **changes: list[int]) -> list[Account]:
    accountant = Accountant(made, series(**changes), heard or Heard())
    return [accountant.account(run) for run in RUNS]


def test_the_stream_in_each_phase() -> None:
    mbps = FRAME * 1000 * 8 * 10 / 1e6
    found = [account.metrics for account in accounts()]
    assert [one["received_mbps"] for one in found] == [
        pytest.approx(mbps),
        pytest.approx(0.0),  # its first two seconds are left out
        pytest.approx(mbps),
    ]
    assert found[0]["sent_mbps"] == pytest.approx(mbps)
    assert found[0]["payload_mbps"] == pytest.approx(1448 * 1000 * 8 * 10 / 1e6)
    assert [one["peak_mibps"] for one in found] == [pytest.approx(mbps * 1e6 / 2**20)] * 3
    assert [one["baseline_ratio"] for one in found] == [None, pytest.approx(0.0), pytest.approx(1.0)]


def test_how_long_it_took_to_be_back() -> None:
    assert [account.metrics["back_s"] for account in accounts()] == [None, None, pytest.approx(1.5, abs=0.11)]


def test_drops_throttling_and_cpu() -> None:
    found = accounts()
    assert [one.metrics["tap_dropped"] for one in found] == [0, 700, 0]
    assert [one.metrics["throttled_ratio"] for one in found] == [0.0, 1.0, 0.0]
    assert found[1].metrics["throttled_time_ratio"] == pytest.approx(0.99)
    assert found[0].metrics["qdisc_backlog_bytes"] == 3000
    assert found[0].cpu == {"worker": pytest.approx(0.5), "vcpu": pytest.approx(0.6), "emulator": None}
    assert [one.verdict["limit"] for one in found] == ["undetermined", "worker-throttled", "undetermined"]
    assert found[1].verdict["signs"] == ["worker-throttled", "tap-queue-drop"]


def test_one_that_is_never_let_go_has_no_throttled_time_yet() -> None:
    found = accounts(cgroup__workers__throttled_usec=[0] * 200 + [10_000_000] + [0] * 99)
    assert [one.metrics["throttled_time_ratio"] for one in found] == [0.0, None, 0.0]
    assert "of wall time" not in found[1].verdict["evidence"]


def test_a_cgroup_that_is_not_read_says_nothing() -> None:
    made = replace(SETUP, cgroups={})
    full = series()
    kept = [place for place, column in enumerate(full.columns) if column[0] != "cgroup"]
    rest = replace(full, columns=[full.columns[place] for place in kept], values=[full.values[place] for place in kept])
    found = Accountant(made, rest, Heard()).account(RUNS[1])
    assert found.metrics["throttled_ratio"] is None


def test_a_short_phase_counts_whole() -> None:
    made = replace(SETUP, timing=replace(SETUP.timing, settle_s=6.0))
    assert accounts(made)[1].metrics["received_mbps"] == pytest.approx(FRAME * 1000 * 8 / 1e6)


def test_what_iperf3_received_and_the_sender_s_socket() -> None:
    line = {"event": "interval", "data": {"sum": {"start": 0, "end": 0.5, "bytes": 625_000}}}
    output = {"server": [(0.5 * number, json.dumps(line)) for number in range(1, 61)]}
    look = "ESTAB 0 0 a:1 b:2 skmem:(r0,rb1,t0,tb1000,f0,w900,o0,bl0,d0) bytes_sent:5 retrans:0/{}"
    sockets = {"client": [row for n in range(30) for row in ((float(n), look.format(2 * n)), (float(n), "@"))]}
    found = accounts(heard=Heard(output, sockets))
    assert [one.metrics["goodput_mbps"] for one in found] == [pytest.approx(10.0)] * 3
    assert found[0].metrics["retransmits"] == 2 * 7  # looks from 3 s to 10 s
    assert found[0].metrics["send_buffer_full_ratio"] == 1.0
    assert found[0].verdict["limit"] == "sender-buffer"


def test_errors_of_iperf3_are_passed_on() -> None:
    accountant = Accountant(SETUP, series(), Heard({"client": [(0.0, '{"event": "error", "data": "refused"}')]}))
    assert accountant.errors() == ["client: iperf3: refused"]


def test_frames_of_a_picture_that_changes() -> None:
    made = replace(SETUP, workload="vnc", sender="server")
    change = [0] * 20 + [2_000_000, 2_100_000] + [0] * 18
    tap = {"net__tap1__tx_bytes": (change * 8)[:300]}

    def lines(event: str, every: int) -> list[tuple[float, str]]:
        return [
            (2.0 + 4 * n, json.dumps({"event": event, "number": n, "at": 2.0 + 4 * n + (event == "shown")}))
            for n in range(0, 7, every)
        ]

    here = Offset(0.0, 0.0)
    heard = Heard({"server": lines("change", 1), "client": lines("shown", 2)}, {}, {"server": here, "client": here})
    first = accounts(made, heard, **tap)[0].metrics
    assert (first["bursts"], first["burst_bytes"], first["burst_bytes_low"]) == (2, 4_100_000, 4_100_000)
    assert (first["changes_made"], first["changes_shown"], first["changes_skipped"]) == (2, 1, 1)
    assert first["change_delay_s"] == pytest.approx(1.0)
    assert (first["changes_pending"], first["burst_payload_bytes"]) == (0, 4_100_000 - 66 * 20)
    # Ends that run here have our clock; of one that is elsewhere somebody has to have asked.
    markers = replace(heard, clocks={})
    assert accounts(made, markers, **tap)[0].metrics["change_delay_s"] == pytest.approx(1.0)
    elsewhere = replace(made, client=replace(made.client, through=("ssh", "guest")))
    assert accounts(elsewhere, markers, **tap)[0].metrics["change_delay_s"] is None
    # Without markers the samples alone speak.
    alone: dict[str, Any] = dict(accounts(made, **tap)[0].metrics)
    assert alone["bursts"] == 2
    assert "changes_made" not in alone
    assert "goodput_mbps" not in alone
