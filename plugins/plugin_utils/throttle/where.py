# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a timeline of the study ``throttle`` runs: taps, threads and cgroups of the two VMs, and the way into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import ENDS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_ends import (
    known_guest,
    running_vm,
    threads_of,
    way_in,
)


def place(
    timeline: Mapping[str, Any],
    vms: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, str],
) -> dict[str, Any]:
    """The timeline with all that M(virtperf.vhost.throttle_run) needs of the running VMs.

    ``vms`` are those of M(virtperf.vhost.vhost_info), ``groups`` what M(virtperf.vhost.vhost_cgroup) returned,
    ``variables`` those of the guests in the inventory, ``keys`` the files ``identity`` and ``known_hosts`` with which
    the hypervisor gets in. VirtperfError for a VM that cannot be measured so.
    """
    ends, threads = {}, []
    for end in ENDS:
        guest = str(timeline[end]["name"])
        known = known_guest(guest, end, variables, "throttle_server, throttle_client")
        vm = running_vm(guest, known, vms)
        _check(guest, vm, str(timeline["layout"]))
        ends[end] = {
            **timeline[end],
            "interfaces": _taps(guest, vm, known),
            "through": way_in(guest, known, keys, "throttled"),
        }
        threads += threads_of(end, vm)
    return {**timeline, **ends, "threads": threads, "cgroups": _cgroups(groups)}


def _check(guest: str, vm: Mapping[str, Any], layout: str) -> None:
    workers = [worker for worker in vm["workers"] if worker["device"] in (None, "net")]
    if not workers:
        raise VirtperfError(
            f"guest {guest} has no vhost worker",
            found="vhost=off, or no tap at all",
            way_out="vm_taps: [{ifname: ..., vhost: true}] for the guest in the inventory",
        )
    other = sorted({str(worker["layout"]) for worker in workers} - {layout})
    if other:
        raise VirtperfError(
            f"the vhost workers of guest {guest} do not run as asked",
            found=f"{', '.join(other)}, where {layout} was asked for",
            way_out="a kernel before 6.4 has kthread only; see throttle_layouts",
        )


def _taps(guest: str, vm: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """Those of the lab's network; of a VM that says nothing of them, all."""
    wanted = [tap.get("ifname") for tap in known.get("vm_taps") or ()]
    found = [str(tap["interface"]) for tap in vm["taps"]]
    taps = [name for name in found if name in wanted] if wanted else found
    if not taps:
        raise VirtperfError(
            f"guest {guest} has none of the taps that it shall be measured at",
            found=", ".join(found) or "no tap at all",
            way_out="vm_taps for the guest in the inventory",
        )
    return taps


def _cgroups(groups: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """One has all workers, or each libvirt domain one of its own."""
    if len(groups) == 1:
        return {"workers": str(groups[0]["directory"])}
    return {f"workers{number}": str(group["directory"]) for number, group in enumerate(groups)}
