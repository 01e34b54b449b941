# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not go together is refused, with what does."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    host,
    planned,
    refusal,
)


def test_packet_buffers_for_the_largest_of_all_rings() -> None:
    message = refusal(reflect_ring_size=[256, 4096], reflect_queues=4)
    assert message.startswith("reflect_mbufs=8192 is too few for 4 queues with rings of 4096. Allowed: ")
    needed = int(message.split()[-3])
    planned(reflect_ring_size=4096, reflect_queues=4, reflect_mbufs=needed)
    assert refusal(reflect_ring_size=4096, reflect_queues=4, reflect_mbufs=needed - 1)


def test_the_largest_of_all_can_be_had() -> None:
    most = {"reflect_ring_size": 32768, "reflect_queues": 16}
    needed = int(refusal(**most).split()[-3])
    memory = int(refusal(**most, reflect_mbufs=needed).split()[-3])
    assert planned(**most, reflect_mbufs=needed, reflect_memory_mib=memory)


def test_a_burst_fits_a_ring() -> None:
    assert planned(reflect_burst=64, reflect_ring_size=64)
    message = refusal(reflect_burst=[32, 65], reflect_ring_size=64)
    assert message == "reflect_burst=65 does not fit a ring of 64. Allowed: up to the ring's size"


def test_memory_for_the_packet_buffers() -> None:
    message = refusal(reflect_mbufs=65536, reflect_memory_mib=128)
    assert message.startswith("reflect_memory_mib=128 is too little for 65536 packet buffers. Allowed: ")
    planned(reflect_mbufs=65536, reflect_memory_mib=int(message.split()[-3]))


def test_two_links_fill_twice_the_rings() -> None:
    message = refusal(reflect_ring_size=1024, reflect_queues=2, reflect_links=2)
    assert message.startswith("reflect_mbufs=8192 is too few for 4 queues with rings of 1024.")


class TestVectorized:
    """DPDK turns the path off without an error; the trials would all be invalid."""

    @pytest.mark.parametrize("driver", ["virtio_user_split", "uio_pci_generic"])
    def test_split_rings_need_both_features_off(self, driver: str) -> None:
        asked: dict[str, Any] = {"reflect_drivers": driver, "reflect_vectorized": True}
        for mrg_rxbuf, in_order in ((True, True), (True, False), (False, True)):
            message = refusal(**asked, reflect_mrg_rxbuf=mrg_rxbuf, reflect_in_order=in_order)
            assert message.endswith("Allowed: both of them false, or driver virtio_user_packed")
        assert planned(**asked, reflect_mrg_rxbuf=False, reflect_in_order=False)

    def test_packed_rings_need_in_order(self) -> None:
        asked: dict[str, Any] = {"reflect_drivers": "virtio_user_packed", "reflect_vectorized": True}
        assert planned(**asked)
        assert refusal(**asked, reflect_in_order=False).endswith("Allowed: reflect_in_order=true")

    def test_the_kernel_has_no_such_path(self) -> None:
        message = refusal(reflect_drivers="virtio-net", reflect_vectorized=True, reflect_mrg_rxbuf=False)
        assert message.startswith("reflect_vectorized=true does not go with driver virtio-net")


class TestGenerator:
    def test_pktgen_is_a_guest_s(self) -> None:
        message = refusal(reflect_generator="pktgen")
        assert message.startswith("reflect_generator=pktgen does not go with driver virtio_user_split")
        assert "Allowed: drivers uio_pci_generic, igb_uio," in message

    def test_the_kernel_makes_its_own_packets(self) -> None:
        assert "driver virtio-net" in refusal(
            reflect_generator="pktgen", reflect_drivers="igb_uio,virtio-net", reflect_queues=1
        )

    def test_pktgen_reflects_nothing(self) -> None:
        pktgen: dict[str, Any] = {"reflect_drivers": "igb_uio", "reflect_generator": "pktgen", "reflect_queues": 1}
        message = refusal(**pktgen, reflect_direction="vswitch,far_end")
        assert message.startswith("reflect_generator=pktgen does not go with reflect_direction=far_end")

    def test_pktgen_has_a_core_for_each_queue(self) -> None:
        asked: dict[str, Any] = {"reflect_drivers": "igb_uio", "reflect_generator": "pktgen", "reflect_queues": 2}
        assert "and 2 queues: it drives each of them by a core of its own" in refusal(**asked)
        assert planned(**asked, reflect_forwarding_cores="per_queue")
        assert refusal(**{**asked, "reflect_queues": 1}, reflect_links=2)

    def test_only_pktgen_looks_at_the_speed_of_its_link(self) -> None:
        message = refusal(reflect_drivers="igb_uio", reflect_link_speed=100000)
        assert message.startswith("reflect_link_speed=100000 does not go with reflect_generator=testpmd")
        pktgen: dict[str, Any] = {"reflect_generator": "pktgen", "reflect_queues": 1}
        assert planned(**pktgen, reflect_drivers="igb_uio", reflect_link_speed=100000)


class TestGuest:
    @pytest.mark.parametrize("size", [128, 2048])
    def test_rings_that_qemu_does_not_take(self, size: int) -> None:
        message = refusal(
            reflect_drivers="igb_uio", reflect_ring_size=size, reflect_mbufs=65536, reflect_memory_mib=512
        )
        assert message.startswith(f"reflect_ring_size={size} does not go with driver igb_uio")
        assert message.endswith("Allowed: 256, 512, 1024")

    def test_memory_is_whole_pages(self) -> None:
        message = refusal(reflect_drivers="igb_uio", reflect_hugepage_size="1G", reflect_guest_memory_mib=1536)
        assert message.endswith("is no whole number of pages of 1G. Allowed: multiples of 1024")

    @pytest.mark.parametrize(("generator", "queues"), [("testpmd", 1), ("pktgen", 4)])
    def test_memory_for_its_own_and_the_far_end(self, generator: str, queues: int) -> None:
        asked: dict[str, Any] = {
            "reflect_drivers": "igb_uio",
            "reflect_generator": generator,
            "reflect_queues": queues,
            "reflect_forwarding_cores": "per_queue",
            "reflect_memory_mib": 512,
            "reflect_guest_memory_mib": 512,
        }
        needed = int(refusal(**asked).split()[-3])
        assert refusal(**{**asked, "reflect_guest_memory_mib": needed - 1})
        assert planned(**{**asked, "reflect_guest_memory_mib": needed})

    def test_a_qemu_without_in_order(self) -> None:
        old = {**host(4), "qemu": {"version": "8.2.2"}}
        assert refusal(old, reflect_drivers="igb_uio").startswith("reflect_in_order=true does not go with QEMU 8.2.2")
        assert planned(old, reflect_drivers="igb_uio", reflect_in_order=False)
        assert planned({**old, "qemu": {"version": "10.0.2"}}, reflect_drivers="igb_uio")
        # Nobody knows yet which one will be installed.
        assert planned({**old, "qemu": None}, reflect_drivers="igb_uio")

    def test_both_levels_of_what_the_kernel_s_driver_does_not_know(self) -> None:
        message = refusal(reflect_drivers="virtio-net", reflect_in_order="true,false")
        assert message.startswith("reflect_in_order has two levels, and driver virtio-net knows but one.")
