# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hugepages, packages and time."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    host,
    planned,
)


def test_both_ends_of_the_largest_need_whole_pages() -> None:
    (pool,) = planned(reflect_memory_mib=129)["needs"]["hugepages"]
    assert pool["count"] == 2 * 65
    (pool,) = planned(reflect_hugepage_size="1G")["needs"]["hugepages"]
    assert (pool["size"], pool["count"]) == ("1G", 2)


def test_on_the_node_that_uses_them() -> None:
    (pool,) = planned(host(8, nodes=2, isolated=(6, 7)))["needs"]["hugepages"]
    assert pool["node"] == 1


def test_without_numa_there_is_one_pool_of_no_node() -> None:
    (pool,) = planned(host(2, numa=False))["needs"]["hugepages"]
    assert "node" not in pool


def test_it_grows_with_each_trial_by_a_trial() -> None:
    few, more = planned()["seconds"], planned(reflect_trials=4)["seconds"]
    assert more - few == pytest.approx(24 * (1 + 0.3), rel=0.1)


def test_it_covers_what_is_slept() -> None:
    assert planned(reflect_trial_seconds=2, reflect_warmup_seconds=1)["seconds"] > 24 * 3 * 3


def test_a_launch_costs_more_than_a_size() -> None:
    launches = planned(reflect_packet_sizes=[64], reflect_burst=[8, 16, 32])
    sizes = planned(reflect_packet_sizes=[64, 128, 256])
    assert len(launches["definition"]["cells"]) == len(sizes["definition"]["cells"])
    assert launches["seconds"] > sizes["seconds"]


def test_a_guest_s_memory_is_of_the_host_s_hugepages() -> None:
    (pool,) = planned(reflect_drivers="igb_uio")["needs"]["hugepages"]
    assert pool["count"] == 64 + 512
    # Far ends beside the vswitch and in guests take turns; pages of one kind may be given back late.
    (pool,) = planned(reflect_drivers=["igb_uio", "virtio_user_split"])["needs"]["hugepages"]
    assert pool["count"] == 64 + 64 + 512


def test_guests_are_needed_where_an_end_is_in_one() -> None:
    without, with_one = (planned(reflect_drivers=drivers)["needs"] for drivers in ("virtio_user_split", "igb_uio"))
    assert (without["packages"], without["guests"]) == (["dpdk-dev"], False)
    assert (with_one["packages"], with_one["guests"]) == (["dpdk-dev"], True)


def test_a_boot_costs_more_than_another_driver() -> None:
    one = planned(reflect_drivers="igb_uio", reflect_queues=1, reflect_packet_sizes=[64, 128])
    drivers = planned(reflect_drivers="igb_uio,uio_pci_generic", reflect_queues=1, reflect_packet_sizes=64)
    queues = planned(reflect_drivers="igb_uio", reflect_queues=[1, 2], reflect_packet_sizes=64)
    assert one["seconds"] < drivers["seconds"] < queues["seconds"] - 10
