# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches: cells that the same two ends can serve, those in the same VM one after another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition
from ansible_collections.virtperf.vhost.plugins.plugin_utils.cpu_choice import node_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect import ends, guests
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.asked import cores_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.cpus import choose_cpus, housekeeping


def launch_for(
    levels: Mapping[str, Any], asked: Mapping[str, Any], settings: Mapping[str, Any], host: Mapping[str, Any]
) -> dict[str, Any]:
    """Both ends, and the VM around the far one, or None. PlanError where the host has no CPUs for them."""
    vswitch_cpus, far_end_cpus = choose_cpus(
        cores_of(levels),
        settings["vswitch_cpus"],
        settings["far_end_cpus"],
        host["cpus"],
        overlap=settings["allow_overlap"],
    )
    node = node_of(vswitch_cpus[0], host["cpus"])
    vswitch = ends.vswitch(asked, settings, vswitch_cpus, node)
    if asked["place"] == "host":
        return {"vswitch": vswitch, "far_end": ends.far_end(asked, settings, far_end_cpus, node), "guest": None}
    # The vswitch copies every packet: the guest's memory is near it.
    vm = guests.vm(levels, settings, len(far_end_cpus), [node] if host.get("numa_nodes") else [])
    vcpus = list(range(1, vm["vcpus"]))
    return {
        "vswitch": vswitch,
        "far_end": guests.far_end(asked, settings, vcpus, guests.addresses(vm)),
        "guest": {
            "vm": vm,
            "driver": asked["driver"],
            "hugepages": {"count": guests.far_end_mib(asked, settings) // guests.PAGE_MIB},
            "pins": guests.pins(far_end_cpus, housekeeping(host["cpus"], {*vswitch_cpus, *far_end_cpus})),
        },
    }


def in_order(launches: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that can share a boot one after another, each group where its first one stood; the others stay."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for number, launch in enumerate(launches):
        groups.setdefault(boot_of(launch) or f"launch {number}", []).append(launch)
    return [launch for group in groups.values() for launch in group]


def boot_of(launch: Mapping[str, Any]) -> str:
    """The same text for launches that one boot of a VM can serve, "" without a VM.

    A vswitch that has to be started anew takes the VM with it: the guest's driver would find its rings gone.
    """
    if launch["guest"] is None:
        return ""
    lasting = {key: value for key, value in launch["vswitch"].items() if key not in Definition.LIVE}
    return json.dumps([launch["guest"]["vm"], lasting], sort_keys=True)


def boots(launches: Sequence[Mapping[str, Any]]) -> int:
    """How often a VM is booted for them, in their order."""
    number, last = 0, ""
    for launch in launches:
        this = boot_of(launch)
        number += bool(this) and this != last
        last = this
    return number
