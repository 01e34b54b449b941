# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a boot of the study ``knobs`` runs: the two VMs, their threads, and the way into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_ends import (
    Facts,
    known_guest,
    running_vm,
    threads_of,
    way_in,
)


def place(
    boot: Mapping[str, Any],
    vms: Sequence[Facts],
    variables: Mapping[str, Facts],
    keys: Mapping[str, str],
) -> dict[str, Any]:
    """The boot with all that M(virtperf.vhost.knobs_run) needs of the running VMs.

    ``vms`` are those of M(virtperf.vhost.vhost_info), ``variables`` those of the guests in the inventory, ``keys`` the
    files ``identity`` and ``known_hosts`` with which the hypervisor gets in. VirtperfError for a VM that cannot be
    measured so.
    """
    ends: dict[str, Any] = {}
    threads: list[dict[str, Any]] = []
    running: list[dict[str, Any]] = []
    for end, guest in boot["guests"].items():
        known = known_guest(guest, end, variables, "knobs_dut, knobs_peer")
        vm = running_vm(guest, known, vms)
        _check_taps(guest, vm, [str(tap["ifname"]) for tap in boot["taps"][guest]])
        ends[end] = {
            "name": guest,
            "vm": vm["name"],
            "address": str(known.get("vm_address") or ""),
            "through": way_in(guest, known, keys, "measured"),
        }
        if end == "peer":
            # It has one NIC, and its addresses in the networks of all arms on that.
            (tap,) = boot["taps"][guest]
            ends[end].update(mac=tap["mac"], tap=tap["ifname"])
        served = {worker["tid"]: worker["interface"] for worker in vm["workers"]}
        threads += [{**thread, "interface": served.get(thread["tid"])} for thread in threads_of(end, vm)]
        running.append({"name": vm["name"], "pid": vm["pid"]})
    return {**boot, **ends, "threads": threads, "vms": running}


def _check_taps(guest: str, vm: Facts, wanted: Sequence[str]) -> None:
    found = [str(tap["interface"]) for tap in vm["taps"]]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise VirtperfError(
            f"guest {guest} was not started with {', '.join(missing)}",
            found=", ".join(found) or "no tap at all",
            way_out="see whether it was running already (make restore removes what is left of a run)",
        )
