# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM and the end inside it are what the modules take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import parse as parse_testpmd
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import parse as parse_pins
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import parse as parse_pktgen
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import parse as parse_vm
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.kernel_end import parse as parse_kernel
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import parse_launch
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    host,
    planned,
    refusal,
)


def launched(facts: dict[str, Any] | None = None, **variables: Any) -> dict[str, Any]:
    levels = {"reflect_drivers": "igb_uio", "reflect_queues": 1, **variables}
    (launch,) = planned(facts or host(2), **levels)["launches"]
    return launch


class TestVm:
    def test_the_factors_reach_the_device(self) -> None:
        launch = launched(
            reflect_queues=2, reflect_ring_size=512, reflect_mrg_rxbuf=False, reflect_in_order=False, reflect_links=2
        )
        vm = parse_vm(launch["guest"]["vm"])
        assert [(port.queues, port.rx_queue_size, port.tx_queue_size) for port in vm.vhost_user] == [(2, 512, 512)] * 2
        # Not even named where it is not asked for: QEMU before 9.1 has no in_order.
        assert [dict(port.virtio) for port in vm.vhost_user] == [{"mrg_rxbuf": "off"}] * 2
        assert dict(parse_vm(launched()["guest"]["vm"]).vhost_user[0].virtio) == {"in_order": "on", "mrg_rxbuf": "on"}

    def test_it_connects_to_what_the_vswitch_serves(self) -> None:
        launch = launched(reflect_links=2)
        served = [port["options"]["iface"] for port in launch["vswitch"]["ports"]]
        assert served == [port["socket"] for port in launch["guest"]["vm"]["vhost_user"]]
        assert len(set(served)) == 2

    def test_memory_that_the_vswitch_can_see_on_its_node(self) -> None:
        memory = parse_vm(launched(host(8, nodes=2, isolated=(6, 7)))["guest"]["vm"]).memory
        assert (memory.share, memory.preallocates, memory.nodes, memory.size_kb) == (True, True, (1,), 1 << 20)
        assert parse_vm(launched(host(2, numa=False))["guest"]["vm"]).memory.nodes == ()

    def test_settings(self) -> None:
        vm = parse_vm(launched(reflect_guest_cpu="EPYC", reflect_guest_accel="tcg")["guest"]["vm"])
        assert (vm.cpu, vm.accel) == ("EPYC", "tcg")
        assert refusal(reflect_drivers="igb_uio", reflect_guest_cpu="-x").startswith(
            "the guest cannot be: VM reflect: cpu"
        )


class TestPins:
    def test_on_two_cpus_the_vswitch_is_alone(self) -> None:
        pins = launched(host(2))["guest"]["pins"]
        assert pins == {"vcpus": [{"vcpu": 0, "cpus": "1"}, {"vcpu": 1, "cpus": "1"}], "emulator": {"cpus": "1"}}

    def test_each_polling_loop_is_alone_where_there_is_room(self) -> None:
        launch = launched(host(8), reflect_queues=2, reflect_forwarding_cores="per_queue")
        assert (launch["vswitch"]["cpus"], launch["guest"]["vm"]["vcpus"]) == ([1, 2], 3)
        rest = "0,5-7"
        assert launch["guest"]["pins"]["vcpus"] == [
            {"vcpu": 0, "cpus": rest},
            {"vcpu": 1, "cpus": "3"},
            {"vcpu": 2, "cpus": "4"},
        ]
        assert launch["guest"]["pins"]["emulator"] == {"cpus": rest}

    def test_the_record_has_vcpus_and_where_they_run(self) -> None:
        asked = launched(reflect_guest_accel="tcg")["cells"][0]["asked"]
        assert (asked["far_end_cpus"], asked["accel"]) == ([1], "tcg")
        assert asked["pins"]["vcpus"][1] == {"vcpu": 1, "cpus": "1"}
        assert "accel" not in launched()["cells"][0]["asked"]


class TestFarEnd:
    def test_testpmd_on_the_vhost_user_ports(self) -> None:
        launch = launched(reflect_links=2, reflect_ring_size=1024, reflect_mbufs=16384)
        far_end = parse_launch(launch).far_end.testpmd()
        # 0000:00:10.0 is the way in.
        assert [port.device for port in far_end.ports] == ["0000:00:11.0", "0000:00:12.0"]
        assert (far_end.cpus, far_end.main_cpu, far_end.forward_mode) == ((1,), 0, "flowgen")
        assert (far_end.descriptors, far_end.arguments) == (1024, ("--port-topology=loop",))
        assert launch["guest"]["hugepages"] == {"count": 64}

    def test_vectorized_is_a_word_to_the_device(self) -> None:
        launch = launched(reflect_vectorized=True, reflect_mrg_rxbuf=False, reflect_in_order=False)
        assert launch["far_end"]["ports"][0]["options"] == {"vectorized": "1"}

    def test_the_kernel_s(self) -> None:
        levels = {"reflect_drivers": "virtio-net", "reflect_queues": 2, "reflect_forwarding_cores": "per_queue"}
        launch = launched(host(16), **levels)
        assert launch["far_end"] == {
            "kind": "kernel",
            "name": "generator",
            "cpus": [1, 2],
            "queues": 2,
            "ports": [{"device": "0000:00:11.0"}],
        }
        assert launch["guest"]["hugepages"] == {"count": 0}
        # A CPU serves its queue of both ports.
        assert launched(host(16), **levels, reflect_links=2)["far_end"]["cpus"] == [1, 2]
        assert launched(reflect_drivers="virtio-net", reflect_direction="far_end")["far_end"]["name"] == "reflector"

    def test_pktgen_with_its_link_and_room_for_its_buffers(self) -> None:
        launch = launched(reflect_generator="pktgen", reflect_link_speed=100000)
        far_end = parse_pktgen(parse_launch(launch).far_end.definition)
        assert (far_end.link_speed_mbps, far_end.memory_mib, far_end.main_cpu) == (100000, 512, 0)
        assert launch["guest"]["hugepages"] == {"count": 256}


@settings(max_examples=40)
@given(st.data())
def test_every_guest_that_is_planned_can_be_parsed(data: st.DataObject) -> None:
    def some(*values: Any) -> list[Any]:
        return data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True))

    cpus = data.draw(st.integers(64, 70))
    study = planned(
        host(cpus, nodes=data.draw(st.integers(1, 2))),
        reflect_drivers=some("uio_pci_generic", "igb_uio", "virtio-net"),
        reflect_direction=some("vswitch", "far_end"),
        reflect_forwarding_cores=some("one", "per_queue"),
        reflect_ring_size=some(256, 512, 1024),
        reflect_mrg_rxbuf=some(True, False),
        reflect_queues=some(1, 3, 16),
        reflect_links=some(1, 2),
        reflect_mbufs=1 << 20,
        reflect_memory_mib=4096,
        reflect_guest_memory_mib=8192,
    )
    for raw in study["launches"]:
        launch = parse_launch(raw)
        assert launch.guest
        far_end = launch.far_end
        parse = {"testpmd": parse_testpmd, "kernel": parse_kernel, "pktgen": parse_pktgen}[far_end.kind]
        assert parse(far_end.definition).cpus == far_end.cpus
        vm = parse_vm(launch.guest.vm)
        assert vm.vcpus == 1 + len(launch.vswitch.cpus)
        (pins,) = parse_pins([{"qmp": "/run/q.sock", **launch.guest.pins}])
        forwarding = [wish.cpus for wish in pins.wishes if wish.role == "vcpu" and wish.which != "0"]
        polling = [*launch.vswitch.cpus, *(cpu for wish in forwarding for cpu in wish or ())]
        assert len(polling) == len(set(polling)) == 2 * len(launch.vswitch.cpus)
        assert set(polling) <= set(range(cpus))


@pytest.mark.parametrize("driver", ["uio_pci_generic", "igb_uio", "virtio-net"])
def test_a_driver_is_bound_by_its_name(driver: str) -> None:
    assert launched(reflect_drivers=driver)["guest"]["driver"] == driver
