# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A boot's trials, on guests that only pretend: the records, in order, and what becomes of them when something ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, read_lines
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs import exits
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.study import Study, Summary
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import (
    DUT_PID,
    VARIANT,
    VCPU,
    FakeGuests,
    FakePlace,
    fake_bpftrace,
    hypervisor,
    raw,
    trial,
)
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.test_exits import traceable

PLAN = [
    trial(1, "event_idx=off", "off"),
    trial(2, "baseline", "on"),
    trial(3, "baseline", "on", "tcp_rr"),
    trial(4, "event_idx=off", "off", "udp_out"),
]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return hypervisor(tmp_path)


def run(host: Host, guests: FakeGuests, **changes: Any) -> tuple[Summary, list[dict[str, Any]]]:
    study = Study(host, "r1", "hv", setup(raw(**changes)), guests.connect)
    summary = study.run()
    return summary, read_lines(os.path.join(host.state, "runs/r1/knobs.jsonl"))


def test_a_record_a_trial(host: Host) -> None:
    guests = FakeGuests()
    summary, records = run(host, guests, trials=PLAN)
    assert (summary.trials, summary.invalid, summary.reasons) == (4, 0, [])
    assert [record["cell"]["workload"] for record in records] == ["tcp_out", "tcp_out", "tcp_rr", "udp_out"]
    stream = records[0]
    assert (stream["schema"], stream["study"], stream["host"], stream["run_id"]) == (1, "knobs", "hv", "r1")
    assert stream["asked"]["arm"] == "event_idx=off"
    assert stream["asked"]["settings"] == {"event_idx": "off"}
    assert (stream["asked"]["seed"], stream["asked"]["position"], stream["asked"]["window_seconds"]) == (7, 1, 0.2)
    assert stream["metrics"]["received_mbps"] == pytest.approx(200.0, rel=0.02)
    assert stream["metrics"]["tx_kicks_per_packet"] == pytest.approx(0.1, rel=0.05)
    assert stream["duration_s"] == pytest.approx(0.2, abs=0.15)
    assert stream["counters"]["absent"]["exits"] == "not asked for"
    assert stream["observed"]["worker_layout"] == "qemu-thread"
    assert stream["verdict"]["limit"] == "undetermined"
    assert records[2]["metrics"]["transactions_per_s"] == 5000
    assert records[2]["verdict"]["limit"] == "latency"
    assert records[3]["metrics"]["sent_pps"] == pytest.approx(10000, rel=0.02)
    assert records[3]["verdict"]["limit"] == "offered-rate"
    assert guests.left == ["guest2", "guest1"], "nothing is left running"


def test_what_the_kernel_counts_goes_into_the_record(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake_bpftrace(tmp_path, {"exits": {"4711,2,1024": 1500}, "tx_kicks": {"4730": 200}, "rx_kicks": {}})

    def name_myself(name: str) -> None:
        with open(folder / "names", "a", encoding="utf-8") as names:
            names.write(f"{name}\n")

    monkeypatch.setattr(processes, "name_myself", name_myself)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(exits, "_SETTLES_S", 0.0)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    traceable(tmp_path, "kvm_mmio", "kvm_fast_mmio", "kvm_pio")
    summary, records = run(host, FakeGuests(), counters=True)
    assert summary.absent["mmio"] == "not available: no tracepoint kvm:kvm_mmio"
    for record in records:
        assert record["valid"], record["reasons"]
        assert record["counters"]["host"]["exits"] == {"npf": 1500}
        assert record["counters"]["host"]["kicks"] == 200
        assert record["counters"]["absent"]["mmio"] == "not available: no tracepoint kvm:kvm_mmio"
        assert record["metrics"]["exits_per_packet"] > 0


def test_an_arm_that_is_not_what_it_asks_for(host: Host) -> None:
    guests = FakeGuests()
    guests.dut.features[VARIANT] = ["event_idx"]
    summary, records = run(host, guests)
    assert [record["valid"] for record in records] == [False, True]
    assert records[0]["reasons"] == ["event_idx=off: the feature event_idx is on, which was not asked for"]
    assert records[0]["metrics"]["received_mbps"] is not None, "what was measured is kept"
    assert summary.invalid == 1


def test_an_arm_that_could_not_be_set_up(host: Host) -> None:
    guests = FakeGuests()
    guests.dut.refuses = {VARIANT: "no such ring"}
    _summary, records = run(host, guests)
    assert records[0]["reasons"] == ["event_idx=off could not be set up: no such ring"]
    assert (records[0]["metrics"], records[1]["valid"]) == ({}, True)


@pytest.mark.parametrize("counters", [True, False])
def test_a_program_that_fails_costs_its_trial_only(host: Host, counters: bool) -> None:
    guests = FakeGuests()
    guests.dut.fails["iperf3"] = ["iperf3: error - unable to connect to server: Connection refused"]
    summary, records = run(host, guests, counters=counters)
    assert [record["valid"] for record in records] == [False, True]
    assert "Connection refused" in records[0]["reasons"][0]
    assert (summary.trials, summary.invalid) == (2, 1)


def test_a_program_that_prints_nothing(host: Host) -> None:
    guests = FakeGuests()
    guests.dut.says["netperf"] = ""
    _summary, records = run(host, guests, trials=PLAN[2:])
    assert "netperf gave no result (found: it printed nothing)" in records[0]["reasons"][0]
    assert records[1]["valid"]


def test_a_program_that_moves_nothing(host: Host) -> None:
    guests = FakeGuests()
    guests.peer.rates = {**guests.peer.rates, "rx_packets": 0.0}
    _summary, records = run(host, guests)
    assert records[0]["reasons"] == ["iperf3 ran and nothing reached the receiver"]


@pytest.mark.parametrize("who", ["dut", "peer"])
def test_a_guest_that_dies_in_the_window_ends_the_boot(host: Host, who: str) -> None:
    guests = FakeGuests()
    getattr(guests, who).dies = 4  # at the end of the second window
    summary, records = run(host, guests, trials=PLAN)
    assert [record["valid"] for record in records] == [True, False, False, False]
    name = {"dut": "guest1", "peer": "guest2"}[who]
    for record in records[1:]:
        assert f"guest {name} does not answer" in record["reasons"][0]
    assert (summary.trials, summary.invalid, len(summary.reasons)) == (4, 3, 1)


def test_a_vm_that_stops(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    guests = FakeGuests()
    look = FakePlace.look

    def stop(place: FakePlace, names: Any) -> Any:
        if place.looks == 1:  # its thread's file says nothing any more
            Path(host.proc, f"{DUT_PID}/task/{VCPU}/schedstat").write_text("")
        return look(place, names)

    monkeypatch.setattr(FakePlace, "look", stop)
    _summary, records = run(host, guests)
    assert [record["reasons"] for record in records] == [["dut/vcpu0 ended: the VM has stopped"]] * 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda guests, _host: setattr(guests.peer, "dies", 0), "guest guest2 does not answer"),
        (lambda _guests, host: os.unlink(f"{host.sys}/class/net/vpbr0/address"), "there is no bridge vpbr0"),
    ],
)
def test_a_boot_that_cannot_be_set_up_has_its_reason_in_all_records(
    host: Host, spoil: Callable[[FakeGuests, Host], None], message: str
) -> None:
    guests = FakeGuests()
    spoil(guests, host)
    summary, records = run(host, guests)
    assert [message in record["reasons"][0] for record in records] == [True, True]
    assert summary.invalid == 2


def test_the_hypervisors_settings_around_each_trial(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "proc/sys/net/bridge/bridge-nf-call-iptables"
    file.parent.mkdir(parents=True)
    file.write_text("0\n")
    arms = raw()["arms"]
    arms[0]["host"] = [{"path": "/proc/sys/net/bridge/bridge-nf-call-iptables", "value": "1"}]
    said = []
    look = FakePlace.look

    def watch(place: FakePlace, names: Any) -> Any:
        said.append(file.read_text().strip())
        return look(place, names)

    monkeypatch.setattr(FakePlace, "look", watch)
    _summary, records = run(host, FakeGuests(), arms=arms)
    assert said == ["0"] * 4 + ["1"] * 4
    assert file.read_text().strip() == "0"
    assert records[1]["observed"]["host"] == {"/proc/sys/net/bridge/bridge-nf-call-iptables": "1"}


def test_what_cannot_be_written_ends_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(host, "r1", "hv", setup(raw()), FakeGuests().connect)

    def full(_record: Any) -> None:
        raise VirtperfError("a record cannot be written")

    monkeypatch.setattr(study._records, "append", full)
    with pytest.raises(VirtperfError, match="a record cannot be written"):
        study.run()


def test_progress(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = []
    study = Study(host, "r1", "hv", setup(raw()), FakeGuests().connect)
    monkeypatch.setattr(study._progress, "show", lambda **status: shown.append(status))
    study.run()
    assert [status["doing"] for status in shown] == ["setting up", "measuring", "measuring"]
    assert [status["cell"] for status in shown] == [1, 1, 2]
    assert shown[1]["what"] == "boot 1, event_idx=off, tcp_out"
    assert "Mbit/s with event_idx=off, tcp_out" in shown[2]["last"]
