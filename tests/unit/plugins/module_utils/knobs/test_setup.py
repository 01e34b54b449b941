# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a boot is run on, and what it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import raw, trial


def test_all_of_it() -> None:
    made = setup(raw())
    assert list(made.arms) == ["baseline", "event_idx=off"]
    assert [made.arms["event_idx=off"].address(role) for role in ("dut", "peer", "host")] == [
        "198.18.2.1",
        "198.18.2.2",
        "198.18.2.254",
    ]
    assert [str(one) for one in made.trials] == ["event_idx=off, tcp_out", "event_idx=on, tcp_out"]
    assert made.vm_of == {"dut/vcpu0": "vm1", "dut/worker0": "vm1", "peer/vcpu0": "vm2"}
    assert (made.workers, made.peer_tap) == ({4730: "dut/worker0"}, "vpk-peer")
    assert (made.needs("peer"), made.needs("host")) == (True, False)


def test_kernel_threads_belong_to_whom_they_serve() -> None:
    threads = [
        {"label": "a", "role": "worker", "pid": 90, "tid": 90, "interface": "vpk1"},
        {"label": "b", "role": "worker", "pid": 91, "tid": 91, "interface": "other0"},
        {"label": "peer/worker1", "role": "worker", "pid": 92, "tid": 92, "interface": None},
        {"label": "guest1/worker1", "role": "worker", "pid": 93, "tid": 93},
        {"label": "c", "role": "emulator", "pid": 94, "tid": 94},
    ]
    guest = {key: value for key, value in raw()["peer"].items() if key != "tap"}
    made = setup(raw(threads=threads, peer=guest))
    assert made.vm_of == {"a": "vm1", "b": "vm2", "peer/worker1": "vm2", "guest1/worker1": "vm1", "c": ""}
    assert made.peer_tap == "other0", "what no arm has is the peer's"


def test_both_ways_of_saying_what_the_host_changes() -> None:
    arms = raw()["arms"]
    path = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    arms[0].update(host=[{"path": path, "value": 1}], module={"vhost_net": {"experimental_zcopytx": 1}})
    arms[1].update(host={path: "1"}, module={"module": "vhost_net", "parameter": "experimental_zcopytx", "value": "1"})
    one, other = setup(raw(arms=arms)).arms.values()
    assert one.host == other.host == {path: "1"}
    assert one.module == other.module == [("vhost_net", "experimental_zcopytx", "1")]


def workload(**changes: Any) -> dict[str, Any]:
    return {"workloads": {"tcp_out": {"kind": "iperf3", "from": "dut", "to": "peer", **changes}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (workload(kind="iperf2"), "workload tcp_out: kind cannot be 'iperf2'. Way out: one of iperf3, netperf, pktgen"),
        (workload(to="moon"), "to cannot be 'moon'"),
        (workload(kind="netperf", test="TCP_X"), "test cannot be 'TCP_X'"),
        (workload(kind="pktgen", **{"from": "host", "to": "dut"}), "from cannot be 'host'"),
        (workload(**{"from": "host"}), "does not go over the NIC under test"),
        (workload(packet_size=9000), "packet_size cannot be 9000"),
        ({"trials": [trial(1, "nobody", "on")]}, "trial 1 has an unknown arm (found: nobody)"),
        ({"trials": [trial(1, "baseline", "on", "nothing")]}, "unknown workload (found: nothing)"),
        ({"trials": [{**trial(1, "baseline", "on"), "cell": {"knob": "x"}}]}, "cell lacks level, workload"),
        ({"window_seconds": 0.1}, "window_seconds cannot be 0.1"),
        ({"warmup_seconds": 99.0}, "warmup_seconds cannot be 99"),
        ({"peer": None}, "there is no peer"),
        ({"peer": {"name": "guest2", "through": ["ssh"]}}, "nothing says which NIC of guest2 is meant"),
        ({"dut": {"name": "guest1", "through": []}}, "nothing says how dut guest1 is reached"),
        ({"vms": []}, "vm1 is none of the VMs"),
        ({"threads": [{"label": "a", "role": "cook", "pid": 1, "tid": 1}]}, "thread a cannot be watched"),
    ],
)
def test_what_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError) as caught:
        setup(raw(**change))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mac": "52:54:00:6B:01:02"}, "have one mac"),
        ({"number": 2}, "have one number"),
        ({"tap": "vpk2"}, "have one tap"),
        ({"name": "event_idx=off"}, "have one name"),
        ({"number": 255}, "number cannot be 255"),
    ],
)
def test_arms_are_nics_of_their_own(change: dict[str, Any], message: str) -> None:
    arms = raw()["arms"]
    arms[0].update(change)
    with pytest.raises(VirtperfError, match=message):
        setup(raw(arms=arms))
