# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study knobs, planned: what is wrong is found before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.plan import VARIABLES, plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

ROLE = Path(__file__).resolve().parents[5] / "roles" / "knobs"
DEFAULTS: dict[str, Any] = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
GIVEN = {**DEFAULTS, "knobs_dut": "client", "knobs_peer": "server"}
# What a hypervisor tells of itself.
HOST = {
    "qemu": {"version": "10.0.2"},
    "kernel": {"release": "6.12.48+deb13-cloud-amd64"},
    "vhost": {"net_parameters": ["experimental_zcopytx"]},
}


def planned(**changes: Any) -> dict[str, Any]:
    return plan({**GIVEN, **changes}, HOST)


def test_the_role_has_defaults_and_documentation_for_all_variables() -> None:
    documented = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert set(DEFAULTS) == set(documented) == set(VARIABLES)
    for name, option in documented.items():
        assert option.get("default", DEFAULTS[name]) == DEFAULTS[name], name


def test_the_default_is_all_of_the_table_in_less_than_25_minutes() -> None:
    study = planned()
    trials = [trial for boot in study["boots"] for trial in boot["trials"]]
    for cell in study["definition"]["cells"]:
        assert sorted(trial["trial"] for trial in trials if trial["cell"] == cell) == [1, 2, 3, 4, 5]
    assert len(trials) == 5 * len(study["definition"]["cells"])
    assert 3 * 75 + len(trials) * (1 + 0.5 + 0.7) < study["seconds"] < 25 * 60
    assert study["lines"][-1] == f"335 trials in 3 boots, about {study['seconds']:.0f} s"


def test_what_is_gone_is_told_and_not_measured() -> None:
    study = planned()
    cell = {"knob": "tx_queue_size", "level": "1024", "workload": "udp_out"}
    assert cell not in study["definition"]["cells"]
    (skip,) = study["definition"]["skipped"]
    assert skip["cell"] == cell
    assert skip["reason"].startswith("gone since QEMU 2.10: a tap's ring has QEMU's own length whatever is asked for")
    (gone,) = study["definition"]["gone"]
    assert (gone["knob"], gone["level"], gone["since"]) == ("tx_queue_size", "1024", "QEMU 2.10")
    assert any(line.startswith("tx_queue_size=1024 is gone since QEMU 2.10") for line in study["lines"])


def test_what_a_module_reads_is_said() -> None:
    study = planned(knobs_names=["zcopytx"])
    assert study["definition"]["apart"] == ["zcopytx"]
    assert any(line.startswith("zcopytx is read when a module is loaded") for line in study["lines"])
    assert planned(knobs_names=["csum"])["definition"]["apart"] == []


def test_the_definition_has_all_that_decides_how_a_trial_is_taken() -> None:
    definition = planned(knobs_names="vhost,poll_us=50", knobs_seed=7, knobs_pairs="6")["definition"]
    assert definition == {
        "cells": [
            {"knob": knob, "level": level, "workload": workload}
            for knob, workload, levels in (
                ("vhost", "tcp_out_64k", ("on", "off")),
                ("vhost", "tcp_from_host_64k", ("on", "off")),
                ("vhost", "tcp_rr", ("on", "off")),
                ("poll_us", "tcp_rr", ("0", "50")),
                ("poll_us", "udp_out", ("0", "50")),
            )
            for level in levels
        ],
        "skipped": [],
        "trials": 6,
        "baselines": {"vhost": "on", "poll_us": "0"},
        "workloads": {
            "tcp_out_64k": {
                "name": "tcp_out_64k",
                "kind": "iperf3",
                "from": "dut",
                "to": "peer",
                "message_bytes": 65536,
            },
            "tcp_from_host_64k": {
                "name": "tcp_from_host_64k",
                "kind": "iperf3",
                "from": "host",
                "to": "dut",
                "message_bytes": 65536,
            },
            "udp_out": {
                "name": "udp_out",
                "kind": "pktgen",
                "from": "dut",
                "to": "peer",
                "rate_pps": 5000,
                "packet_size": 64,
            },
            "tcp_rr": {"name": "tcp_rr", "kind": "netperf", "from": "dut", "to": "peer", "test": "TCP_RR"},
        },
        "gone": [],
        "apart": [],
        "udp_pps": 5000,
        "counters": True,
        "second_sources": False,
        "guest_vcpus": 2,
        "seed": "7",
        "window_seconds": 1.0,
        "warmup_seconds": 0.5,
    }


def test_the_hypervisor_needs_programs_for_its_own_end_only() -> None:
    needs = planned(knobs_workloads=["tcp_rr", "tcp_out_64"], knobs_counters=False)["needs"]
    assert needs == {"modules": [{"name": "vhost_net"}], "guests": True, "packages": []}
    assert planned(knobs_workloads=["tcp_rr_host", "tcp_to_host_64"])["needs"]["packages"] == [
        "iperf3",
        "netperf",
        "bpftrace",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"knobs_pairs": 1}, "knobs_pairs cannot be 1. Allowed: 2 to 1000"),
        ({"knobs_pairs": "many"}, "knobs_pairs cannot be 'many'"),
        ({"knobs_window_seconds": 0}, "knobs_window_seconds cannot be 0. Allowed: seconds from 0.2"),
        ({"knobs_warmup_seconds": -1}, "knobs_warmup_seconds cannot be -1"),
        ({"knobs_udp_pps": 0}, "knobs_udp_pps cannot be 0"),
        ({"knobs_counters": "some"}, "knobs_counters cannot be 'some'. Allowed: true, false"),
        (
            {"knobs_counters": False, "knobs_second_sources": True},
            "knobs_second_sources cannot be true with knobs_counters false: bpftrace counts them",
        ),
        ({"knobs_dut": ""}, r"knobs_dut: this hypervisor has no guest of the group clients.*roles: \[client\]"),
        ({"knobs_peer": " "}, r"knobs_peer: this hypervisor has no guest of the group servers.*roles: \[server\]"),
        ({"knobs_peer": "client"}, "knobs_peer cannot be 'client' as well"),
        ({"knobs_bridge": "a bridge"}, "knobs_bridge cannot be 'a bridge'"),
        ({"knobs_guest_vcpus": 1}, "knobs_guest_vcpus cannot be 1 with queues=2. Allowed: 2 and more"),
        ({"knobs_names": ["tx_queue_size=1024"]}, "nothing to compare: tx_queue_size=1024 is gone since QEMU 2.10"),
        ({"knobs_names": []}, "leave nothing to compare. Allowed: vhost, mrg_rxbuf"),
        ({"knobs_name": "vhost"}, "the study knobs has no knobs_name. Its variables: knobs_names"),
    ],
)
def test_what_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        planned(**changes)


def test_one_cpu_does_for_one_pair_of_queues() -> None:
    assert planned(knobs_guest_vcpus=1, knobs_names=["csum"])["definition"]["guest_vcpus"] == 1


def test_what_is_not_set() -> None:
    with pytest.raises(PlanError, match="knobs_pairs: not set"):
        plan({name: value for name, value in GIVEN.items() if name != "knobs_pairs"}, HOST)
