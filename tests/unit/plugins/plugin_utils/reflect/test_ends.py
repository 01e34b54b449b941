# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan gives is what the module testpmd takes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import parse
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    host,
    planned,
)


def test_the_other_direction() -> None:
    for launch in planned(reflect_direction="far_end")["launches"]:
        vswitch, far_end = launch["vswitch"], launch["far_end"]
        assert (vswitch["name"], vswitch["forward_mode"]) == ("vswitch", "flowgen")
        assert (far_end["name"], far_end["forward_mode"]) == ("reflector", "io")


def test_both_name_the_same_socket() -> None:
    for launch in planned()["launches"]:
        (server,), (client,) = (parse(launch[end]).ports for end in ("vswitch", "far_end"))
        assert server.serves == client.connects
        assert server.serves


def test_the_factors_reach_the_device() -> None:
    (launch,) = planned(
        reflect_drivers="virtio_user_packed",
        reflect_queues=4,
        reflect_ring_size=512,
        reflect_mrg_rxbuf="no",
        reflect_in_order="yes",
        reflect_vectorized="yes",
        reflect_burst=64,
        reflect_mbufs=16384,
    )["launches"]
    far_end = parse(launch["far_end"])
    options = far_end.ports[0].options
    names = ("queues", "queue_size", "packed_vq", "mrg_rxbuf", "in_order", "vectorized")
    assert [options[name] for name in names] == ["4", "512", "1", "0", "1", "1"]
    assert "--force-max-simd-bitwidth=512" in far_end.eal_arguments
    for end in (far_end, parse(launch["vswitch"])):
        assert (end.queues, end.burst, end.mbufs) == (4, 64, 16384)
    assert parse(launch["vswitch"]).ports[0].options["queues"] == "4"


@settings(max_examples=40)
@given(st.data())
def test_every_launch_that_is_planned_can_be_parsed(data: st.DataObject) -> None:
    def some(values: Any) -> list[Any]:
        return data.draw(st.lists(values, min_size=1, max_size=2, unique=True))

    facts = host(68, nodes=data.draw(st.integers(1, 2)))
    study = planned(
        facts,
        reflect_direction=some(st.sampled_from(["vswitch", "far_end"])),
        reflect_forwarding_cores=some(st.sampled_from(["one", "per_queue"])),
        reflect_burst=some(st.integers(1, 32)),
        reflect_ring_size=some(st.sampled_from([32, 256, 32768])),
        reflect_links=some(st.integers(1, 2)),
        reflect_in_order=some(st.booleans()),
        reflect_queues=some(st.integers(1, 16)),
        reflect_packet_sizes=some(st.integers(64, 1518)),
        reflect_mbufs=1 << 22,
        reflect_memory_mib=data.draw(st.integers(16384, 1 << 18)),
    )
    nodes = {pool["node"] for pool in study["needs"]["hugepages"]}
    for launch in study["launches"]:
        ends = [parse(launch[end]) for end in ("vswitch", "far_end")]
        assert not set(ends[0].cpus) & set(ends[1].cpus)
        assert {end.numa_node for end in ends} <= nodes
        for cell in launch["cells"]:
            asked = cell["asked"]
            assert asked.items() >= cell["cell"].items()
            assert all(end.queues == asked["queues"] for end in ends)
            cores = asked["queues"] * asked["links"] if asked["forwarding_cores"] == "per_queue" else 1
            assert all(len(end.ports) == asked["links"] for end in ends)
            assert all(len(end.cpus) == cores for end in ends)
