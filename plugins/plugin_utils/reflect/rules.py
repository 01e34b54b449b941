# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not go together, and does so nowhere: told before anything is started."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect import guests
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.asked import cores_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.factors import GUEST_DRIVERS, KERNEL_DRIVER
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.settings import page_size_kib
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count

# What QEMU takes as rx_queue_size; tx_queue_size of a vhost-user port is like it.
_GUEST_RINGS = (256, 512, 1024)
# Kernel and userland of the guest, without its hugepages.
_GUEST_OWN_MIB = 320
_IN_ORDER_SINCE = (9, 1)
_PKTGEN_DRIVERS = tuple(driver for driver in GUEST_DRIVERS if driver != KERNEL_DRIVER)


def check_apart(levels: Mapping[str, Sequence[Any]]) -> None:
    """PlanError for levels of one factor that would be the same setup to one driver, measured twice."""
    if KERNEL_DRIVER in levels["driver"] and len(levels["in_order"]) > 1:
        raise PlanError(
            f"reflect_in_order has two levels, and driver {KERNEL_DRIVER} knows but one. Allowed: one level, or other"
            " drivers"
        )


def check_levels(levels: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """PlanError for levels, and the setup that follows from them, which cannot be."""
    _check_generator(levels)
    if asked["vectorized"]:
        _check_vectorized(asked)
    if asked["driver"] in GUEST_DRIVERS and asked["ring_size"] not in _GUEST_RINGS:
        raise PlanError(
            f"reflect_ring_size={asked['ring_size']} does not go with driver {asked['driver']}: QEMU has no such rings."
            f" Allowed: {', '.join(map(str, _GUEST_RINGS))}"
        )


def check_guest(asked: Mapping[str, Any], settings: Mapping[str, Any], host: Mapping[str, Any]) -> None:
    """PlanError for a guest that cannot be, or not with this host's QEMU."""
    page_kib = page_size_kib(settings["hugepage_size"])
    memory_mib = settings["guest_memory_mib"]
    if memory_mib * 1024 % page_kib:
        raise PlanError(
            f"reflect_guest_memory_mib={memory_mib} is no whole number of pages of {settings['hugepage_size']}."
            f" Allowed: multiples of {page_kib // 1024}"
        )
    needed = guests.far_end_mib(asked, settings) + _GUEST_OWN_MIB
    if memory_mib < needed:
        raise PlanError(
            f"reflect_guest_memory_mib={memory_mib} is too little for {guests.kind_of(asked)} with"
            f" {count(asked['queues'] * asked['links'], 'queue')} in the guest. Allowed: {needed} and more"
        )
    version = str((host.get("qemu") or {}).get("version") or "")
    known = re.match(r"(\d+)\.(\d+)", version)
    if asked["in_order"] and known and (int(known[1]), int(known[2])) < _IN_ORDER_SINCE:
        raise PlanError(
            f"reflect_in_order=true does not go with QEMU {version}, which has it since"
            f" {'.'.join(map(str, _IN_ORDER_SINCE))}. Allowed: reflect_in_order=false, or a newer QEMU"
        )


def check_buffers(asked: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """PlanError for too few packet buffers, and for too little memory for them."""
    queues = asked["queues"] * asked["links"]
    # Both rings of each queue can be full while each lcore's cache (250) and each burst hold some more.
    needed = 2 * queues * asked["ring_size"] + 512 * (queues + 1)
    if settings["mbufs"] < needed:
        raise PlanError(
            f"reflect_mbufs={settings['mbufs']} is too few for {queues} queues with rings of"
            f" {asked['ring_size']}. Allowed: {needed} and more"
        )
    if asked["burst"] > asked["ring_size"]:
        raise PlanError(
            f"reflect_burst={asked['burst']} does not fit a ring of {asked['ring_size']}."
            f" Allowed: up to the ring's size"
        )
    room_mib = settings["mbufs"] * 2432 // (1 << 20) + 32
    if settings["memory_mib"] < room_mib:
        raise PlanError(
            f"reflect_memory_mib={settings['memory_mib']} is too little for {settings['mbufs']} packet buffers."
            f" Allowed: {room_mib} and more"
        )


def _check_vectorized(asked: Mapping[str, Any]) -> None:
    """As virtio_dev_configure in DPDK's virtio_ethdev.c turns the path off, without an error."""
    driver = asked["driver"]
    if driver == KERNEL_DRIVER:
        raise PlanError(
            f"reflect_vectorized=true does not go with driver {driver}: it is a path of DPDK's."
            " Allowed: reflect_vectorized=false, or other drivers"
        )
    if asked["packed"] and not asked["in_order"]:
        raise PlanError(
            f"reflect_vectorized=true does not go with driver {driver} and reflect_in_order=false."
            " Allowed: reflect_in_order=true"
        )
    if not asked["packed"] and (asked["mrg_rxbuf"] or asked["in_order"]):
        raise PlanError(
            f"reflect_vectorized=true does not go with driver {driver}, whose rings are split, and"
            f" reflect_mrg_rxbuf={str(asked['mrg_rxbuf']).lower()}, reflect_in_order={str(asked['in_order']).lower()}."
            " Allowed: both of them false, or driver virtio_user_packed"
        )


def _check_generator(levels: Mapping[str, Any]) -> None:
    if levels["generator"] != "pktgen":
        if levels["link_speed"]:
            raise PlanError(
                f"reflect_link_speed={levels['link_speed']} does not go with reflect_generator={levels['generator']}:"
                " only pktgen paces itself to the speed of its link. Allowed: 0, or reflect_generator=pktgen"
            )
        return
    if levels["direction"] != "vswitch":
        raise PlanError(
            f"reflect_generator=pktgen does not go with reflect_direction={levels['direction']}: it makes packets"
            " at the far end. Allowed: reflect_direction=vswitch, or reflect_generator=testpmd"
        )
    if levels["driver"] not in _PKTGEN_DRIVERS:
        raise PlanError(
            f"reflect_generator=pktgen does not go with driver {levels['driver']}: it runs on DPDK in a guest."
            f" Allowed: drivers {', '.join(_PKTGEN_DRIVERS)}, or reflect_generator=testpmd"
        )
    queues = levels["queues"] * levels["links"]
    if cores_of(levels) != queues:
        raise PlanError(
            f"reflect_generator=pktgen does not go with reflect_forwarding_cores={levels['forwarding_cores']} and"
            f" {count(queues, 'queue')}: it drives each of them by a core of its own. Allowed:"
            " reflect_forwarding_cores=per_queue, or one queue of one link"
        )
