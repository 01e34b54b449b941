# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A boot is what the modules take that make it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import parse as parse_bridges
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import parse as parse_vm
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.plan import plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.schedule import remaining
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.knobs.test_plan import GIVEN, HOST

NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"


def boots(**changes: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plan({**GIVEN, **changes}, HOST)["boots"]
    return found


def test_an_arm_and_its_network_device() -> None:
    (boot,) = boots(knobs_names="poll_us=50,queues")
    assert boot["guests"] == {"dut": "client", "peer": "server"}
    assert [arm["name"] for arm in boot["arms"]] == ["baseline", "poll_us=50", "queues=2"]
    arm = boot["arms"][2]
    assert (arm["number"], arm["tap"], arm["mac"]) == (3, "vpk3", "52:54:00:6b:01:03")
    assert arm["settings"]["queues"] == "2"
    assert arm["guest"] == {"ethtool": {"channels": {"combined": 2}}}
    assert (arm["host"], arm["module"]) == ([], {})
    assert boot["taps"] == {
        "client": [
            {"ifname": "vpk1", "mac": "52:54:00:6b:01:01", "vhost": True},
            {"ifname": "vpk2", "mac": "52:54:00:6b:01:02", "vhost": True, "poll_us": 50},
            {"ifname": "vpk3", "mac": "52:54:00:6b:01:03", "vhost": True, "queues": 2},
        ],
        "server": [{"ifname": "vpk-peer", "mac": "52:54:00:6b:01:00", "vhost": True}],
    }
    assert boot["links"] == [{"name": "vpk1"}, {"name": "vpk2"}, {"name": "vpk3", "queues": 2}, {"name": "vpk-peer"}]
    assert boot["addresses"] == ["198.18.1.254/24", "198.18.2.254/24", "198.18.3.254/24"]
    assert (boot["modules"], boot["settings"]) == ([{"name": "vhost_net"}], [])


def test_a_macvtap_has_the_guest_s_address() -> None:
    (boot,) = boots(knobs_names="macvtap")
    mac = boot["arms"][1]["mac"]
    assert boot["taps"]["client"][1] == {"ifname": "vpk2", "mac": mac, "vhost": True, "macvtap": True}
    assert boot["links"][1] == {"name": "vpk2", "kind": "macvtap", "mac": mac}


def test_files_of_the_kernel_are_set_in_all_arms_of_a_boot_that_turns_them() -> None:
    (boot,) = boots(knobs_names="bridge_nf,csum")
    assert [arm["host"] for arm in boot["arms"]] == [[{"path": NETFILTER, "value": value}] for value in ("0", "0", "1")]
    assert boot["modules"] == [{"name": "vhost_net"}, {"name": "br_netfilter"}]
    assert boot["settings"] == [{"path": NETFILTER, "value": "0"}]


def test_parameters_of_modules_are_said_in_each_boot() -> None:
    found = boots(knobs_names="zcopytx")
    assert [boot["modules"] for boot in found] == [
        [{"name": "vhost_net", "parameters": {"experimental_zcopytx": value}}] for value in ("0", "1", "0")
    ]
    assert [boot["arms"][0]["module"]["value"] for boot in found] == ["0", "1", "0"]


def test_trials_are_numbered_by_their_pair() -> None:
    (boot,) = boots(knobs_names="poll_us", knobs_workloads="udp_rr", knobs_pairs=2)
    assert boot["trials"] == [
        {"cell": {"knob": "poll_us", "level": level, "workload": "udp_rr"}, "trial": number, "arm": arm}
        for number in (1, 2)
        for level, arm in (("0", "baseline"), ("50", "poll_us=50"), ("200", "poll_us=200"))
    ]


@pytest.mark.parametrize(
    "changes",
    [{}, {"knobs_cross": [["macvtap", "queues"], ["csum", "zcopytx"], ["tx_queue_size", "napi_tx"]]}],
)
def test_the_modules_take_it(changes: dict[str, Any]) -> None:
    study = plan({**GIVEN, **changes}, HOST)
    for boot in remaining(study["boots"], [], "hv", 1):
        (bridge,) = parse_bridges(
            [{"name": "virtperf1", "more_addresses": boot["addresses"], "taps": boot["links"]}],
        )
        assert len(bridge.taps) == len(boot["arms"]) + 1
        for guest, taps in boot["taps"].items():
            machine = parse_vm({"name": guest, "memory": {"size": "1GiB"}, "user_net": {}, "taps": taps})
            assert [tap.ifname for tap in machine.taps] == [tap["ifname"] for tap in taps]
        made = setup(
            {
                **boot,
                "boot": boot["number"],
                "workloads": study["workloads"],
                "dut": {"name": "client", "through": ["ssh", "client"]},
                "peer": {"name": "server", "through": ["ssh", "server"], "mac": boot["taps"]["server"][0]["mac"]},
                "vms": [{"name": "client", "pid": 1}, {"name": "server", "pid": 2}],
                "threads": [],
                "window_seconds": 1.0,
                "warmup_seconds": 0.5,
                "counters": True,
                "second_sources": False,
                "bridge": "virtperf1",
            }
        )
        assert f"{made.arms[boot['arms'][0]['name']].address('host')}/24" == boot["addresses"][0]
        assert len(made.trials) == len(boot["trials"])
