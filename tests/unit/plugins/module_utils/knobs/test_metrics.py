# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From looks to figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exits import Counts
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.load import Outcome
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.metrics import (
    METRICS,
    Figures,
    Grown,
    Taken,
    figures,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import Look, NicLook
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.netperf import Interim, Result
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import BASELINE, raw

MACVTAP = {"arms": [{**raw()["arms"][0], "settings": {"macvtap": "on"}}, raw()["arms"][1]]}
TO_HOST = {"workloads": {"w": {"kind": "iperf3", "from": "dut", "to": "host"}}, "trials": []}
FROM_HOST = {"workloads": {"w": {"kind": "iperf3", "from": "host", "to": "dut"}}, "trials": []}
TO_PEER = {"workloads": {"w": {"kind": "iperf3", "from": "dut", "to": "peer"}}, "trials": []}
RR = {"workloads": {"w": {"kind": "netperf", "from": "dut", "to": "peer", "test": "TCP_RR"}}, "trials": []}


def nic(number: int, **changes: Any) -> NicLook:
    """The ``number``-th look, 0 or 1."""
    counters = {
        "rx_packets": 1000 + 2000 * number,
        "rx_bytes": 10_000_000 * number,
        "rx_dropped": 7 * number,
        "tx_packets": 5000 + 8000 * number,
        "tx_bytes": 4_000_000 * number,
        "tx_dropped": 3 * number,
    }
    statistics = {"tx_kicks": 999 * number, "tx0_kicks": 400 * number, "tx1_kicks": 100 * number, "rx0_kicks": 0}
    interrupts = {"config": 1, "input.0": 600 * number, "input.1": 400 * number, "output.0": 80 * number}
    made = NicLook(
        "eth1",
        BASELINE,
        "virtio_net",
        counters,
        statistics,
        interrupts,
        {"rx": 256, "tx": 256},
        2,
        stops=4 * number,
        qdisc_dropped=2 * number,
    )
    return replace(made, **changes)


def looks(*names: str, seconds: float = 2.0, tcp: int = 5, **changes: Any) -> tuple[Look, Look]:
    return (
        Look(10.0, 1000.0, 0.01, {name: nic(0, **changes) for name in names}, {"RetransSegs": 0}),
        Look(10.0 + seconds, 1000.0 + seconds, 0.01, {name: nic(1) for name in names}, {"RetransSegs": tcp}),
    )


def taken(**changes: Any) -> Taken:
    made = Taken(
        looks={
            "dut": looks(BASELINE),
            "peer": looks("eth1"),
            "host": looks("vpk1", "vpk-peer", "vpbr0"),
        },
        ran_ns=(
            {"dut/vcpu0": 0, "dut/worker0": 0, "peer/vcpu0": 10},
            {"dut/vcpu0": 1_000_000_000, "dut/worker0": 500_000_000, "peer/vcpu0": 1_500_000_010},
        ),
        ran_seconds=2.0,
        counts=Counts(
            2.5,
            {
                "exits": {(4711, 2, 1024): 4000, (4711, 2, 120): 1000, (4811, 2, 120): 77},
                "mmio": {(4711,): 500, (4811,): 9},
                "fast_mmio": {(4711,): 20},
                "pio": {},
                "msi": {(4711, 4730): 900, (4811, 4890): 33, (4711, 4711): 1},
                "injected": {(4711,): 870, (4811,): 30},
                "tx_kicks": {(4730,): 450},
                "rx_kicks": {(4730,): 50},
            },
        ),
        outcome=Outcome(),
        peer_nic="eth1",
    )
    return replace(made, **changes)


def of(seen: Taken | None = None, **changes: Any) -> Figures:
    made = setup(raw(**{**TO_PEER, **changes}))
    return figures(made, made.workloads["w"], made.arms["baseline"], seen or taken())


def test_a_stream_to_another_guest() -> None:
    metrics = of().metrics
    assert set(metrics) == set(METRICS)
    assert metrics["received_mbps"] == pytest.approx(40.0)
    assert (metrics["sent_pps"], metrics["received_pps"]) == (4000.0, 1000.0)
    assert metrics["tx_kicks_per_packet"] == pytest.approx(500 / 8000), "queues, not their sum beside them"
    assert metrics["packets_per_tx_kick"] == pytest.approx(16.0)
    assert metrics["rx_kicks_per_packet"] == 0.0
    assert metrics["rx_interrupts_per_packet"] == pytest.approx(1000 / 2000)
    assert metrics["tx_interrupts_per_packet"] == pytest.approx(80 / 8000)
    assert metrics["interrupts_per_packet"] == pytest.approx(1080 / 10000)
    # The hypervisor's window was a little longer than the guest's: rates are compared.
    assert metrics["exits_per_packet"] == pytest.approx((5000 / 2.5) / (10000 / 2.0))
    assert (metrics["queue_stops"], metrics["tap_drops"], metrics["qdisc_drops"]) == (4, 6, 6)
    assert metrics["retransmits"] == 5
    assert (metrics["transactions_per_s"], metrics["latency_p50_us"]) == (None, None)


def test_cpu_by_role() -> None:
    found = of()
    assert found.cpu == {"worker": 0.25, "vcpu": pytest.approx(1.25), "emulator": None}
    assert found.metrics["mbps_per_cpu"] == pytest.approx(40.0 / 1.5)
    assert found.cores["peer/vcpu0"] == pytest.approx(0.75)


def test_what_the_hypervisor_counted() -> None:
    counters = of().counters
    host = counters["host"]
    assert host["exits"] == {"npf": 4000, "hlt": 1000}
    assert (host["mmio"], host["kicks"], host["tx_kicks"], host["rx_kicks"]) == (520, 500, 450, 50)
    assert (host["msi"], host["injected"]) == (901, 870)
    assert host["by_vm"]["vm2"] == {"exits": {"hlt": 77}, "mmio": 9, "msi": 33, "injected": 30}
    assert counters["guest"]["interrupts"]["input.0"] == 600
    assert counters["guest"]["ethtool"]["tx0_kicks"] == 400
    assert counters["seconds"] == {"guest": 2.0, "host": 2.5}
    assert counters["absent"] == {}


def test_interrupts_of_a_kernel_thread_are_its_vms() -> None:
    threads = [{"label": "w", "role": "worker", "pid": 90, "tid": 90, "interface": "vpk1"}]
    counts = Counts(1.0, {"msi": {(90, 90): 12, (4711, 4720): 1}})
    made = of(taken(counts=counts, ran_ns=({}, {})), threads=threads)
    assert made.counters["host"]["msi"] == 13


@pytest.mark.parametrize(
    ("changes", "mbps", "sent"),
    [
        (TO_HOST, 10_000_000 * 8 / 2e6, 4000.0),
        ({**TO_HOST, **MACVTAP}, (10_000_000 + 14 * 2000) * 8 / 2e6, 4000.0),
        (FROM_HOST, 10_000_000 * 8 / 2e6, 4000.0),
    ],
)
def test_where_it_is_received(changes: dict[str, Any], mbps: float, sent: float) -> None:
    metrics = of(**changes).metrics
    assert (metrics["received_mbps"], metrics["sent_pps"]) == (pytest.approx(mbps), sent)


def test_a_macvtap_drops_on_its_other_side() -> None:
    assert of(**MACVTAP).metrics["tap_drops"] == 7 + 3


def test_requests_count_inside_the_window() -> None:
    interim = tuple(
        Interim(rate, "Trans", 1.0, at_s) for rate, at_s in ((9e9, 1000.5), (100.0, 1001.0), (300.0, 1002.0))
    )
    result = Result(7.0, "Trans", 50.0, 90.0, interim=interim)
    metrics = of(taken(outcome=Outcome(result)), **RR).metrics
    assert (metrics["transactions_per_s"], metrics["latency_p50_us"], metrics["latency_p99_us"]) == (200.0, 50.0, 90.0)


def test_requests_of_a_netperf_that_says_nothing_in_between() -> None:
    assert of(taken(outcome=Outcome(Result(7.0, "Trans"))), **RR).metrics["transactions_per_s"] == 7.0
    assert of(taken(outcome=Outcome(Result(7.0, "10^6bits"))), **RR).metrics["transactions_per_s"] is None


def test_what_was_not_counted_is_none_and_says_why() -> None:
    absent = dict.fromkeys(
        ("exits", "mmio", "fast_mmio", "pio", "msi", "injected", "tx_kicks", "rx_kicks"), "no bpftrace"
    )
    found = of(taken(counts=Counts(2.0, absent=absent)))
    assert found.metrics["exits_per_packet"] is None
    assert found.metrics["tx_kicks_per_packet"] == pytest.approx(500 / 8000), "the guest's own are there"
    host = found.counters["host"]
    assert [host[name] for name in ("exits", "mmio", "kicks", "msi", "injected")] == [None] * 5
    names = ("exits", "msi", "injected", "kicks", "mmio")
    assert found.counters["absent"] == dict.fromkeys(names, "no bpftrace")


def test_a_guest_that_tells_little() -> None:
    bare = replace(nic(0), statistics={}, interrupts={}, stops=None)
    last = replace(nic(1), statistics={}, interrupts={}, stops=None)
    first, second = looks(BASELINE)
    pair = (replace(first, interfaces={BASELINE: bare}), replace(second, interfaces={BASELINE: last}))
    found = of(taken(looks={**taken().looks, "dut": pair}))
    assert [found.metrics[name] for name in ("tx_kicks_per_packet", "interrupts_per_packet", "queue_stops")] == [
        None
    ] * 3
    assert sorted(found.counters["absent"]) == ["ethtool", "interrupts", "queue_stops"]


def test_one_interrupt_for_all_queues() -> None:
    first, second = looks(BASELINE)
    pair = (
        replace(first, interfaces={BASELINE: replace(nic(0), interrupts={"intx": 0})}),
        replace(second, interfaces={BASELINE: replace(nic(1), interrupts={"intx": 5000})}),
    )
    found = of(taken(looks={**taken().looks, "dut": pair}))
    assert found.metrics["interrupts_per_packet"] == pytest.approx(0.5)
    assert found.metrics["rx_interrupts_per_packet"] is None
    assert "no vectors" in found.counters["absent"]["rx_interrupts_per_packet"]


def test_no_packet_that_way() -> None:
    first, second = looks(BASELINE)
    still = {**nic(1).counters, "rx_packets": 1000}
    pair = (first, replace(second, interfaces={BASELINE: replace(nic(1), counters=still)}))
    found = of(taken(looks={**taken().looks, "dut": pair}))
    assert found.metrics["rx_kicks_per_packet"] is None
    assert found.counters["absent"]["rx_kicks_per_packet"] == "no packet went that way"


def test_a_counter_that_went_back_is_not_known() -> None:
    assert Grown(nic(1), nic(0), 1.0).counter("rx_packets") is None
    assert Grown(nic(1), nic(0), 1.0).stops() is None


def test_kicks_of_older_drivers() -> None:
    before, after = (
        replace(nic(0), statistics={"tx_queue_0_kicks": 1}),
        replace(nic(1), statistics={"tx_queue_0_kicks": 9}),
    )
    assert Grown(before, after, 1.0).kicks("tx") == 8
    assert Grown(before, after, 1.0).kicks("rx") is None


@given(st.dictionaries(st.sampled_from(["rx_packets", "tx_packets", "rx_bytes"]), st.integers(0, 2**64)))
def test_any_counters(counters: dict[str, int]) -> None:
    pair = looks(BASELINE, counters=counters)
    found = of(taken(looks={**taken().looks, "dut": pair}))
    assert all(number is None or number >= 0 for number in found.metrics.values())
