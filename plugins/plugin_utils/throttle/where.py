# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a timeline of the study ``throttle`` runs: taps, threads and cgroups of the two VMs, and the way into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.ssh import Access
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import ENDS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_vms import vm_name


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
        if guest not in variables:
            raise VirtperfError(
                f"the {end} {guest} is not in the inventory",
                way_out="name one that is with throttle_server, throttle_client, see the inventory plugin lab",
            )
        vm = _running(guest, variables[guest], vms)
        _check(guest, vm, str(timeline["layout"]))
        ends[end] = {
            **timeline[end],
            "interfaces": _taps(guest, vm, variables[guest]),
            "through": _through(guest, variables[guest], keys),
        }
        threads += [
            {
                "label": f"{end}/{thread['role']}{thread['number']}",
                **{key: thread[key] for key in ("role", "pid", "tid", "start")},
            }
            for thread in vm["threads"]
        ]
    return {**timeline, **ends, "threads": threads, "cgroups": _cgroups(groups)}


def _running(guest: str, known: Mapping[str, Any], vms: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    name = vm_name(guest, known)
    fitting = [vm for vm in vms if vm["name"] == name]
    if len(fitting) != 1:
        raise VirtperfError(
            f"guest {guest}: there is no VM called {name}" if not fitting else f"guest {guest}: {name} is several VMs",
            found=", ".join(str(vm["name"]) for vm in vms) or "no VM at all",
            way_out="see why it does not run (make restore removes what is left of a run)",
        )
    return fitting[0]


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


def _through(guest: str, known: Mapping[str, Any], keys: Mapping[str, str]) -> list[str]:
    """ssh, by a way that does not lead over the network whose workers are throttled."""
    address = str(known.get("ansible_host") or "")
    if not address or address == known.get("vm_address"):
        raise VirtperfError(
            f"guest {guest} is reached over the network that is throttled",
            found=f"its address {address}",
            way_out="guest_ssh: forward for the hypervisor in the lab's description",
        )
    access = Access(
        guest=guest,
        port=int(known.get("ansible_port") or 22),
        identity=str(keys["identity"]),
        known_hosts=str(keys["known_hosts"]),
        address=address,
        user=str(known.get("ansible_user") or "root"),
    )
    return access.prefix()


def _cgroups(groups: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """One has all workers, or each libvirt domain one of its own."""
    if len(groups) == 1:
        return {"workers": str(groups[0]["directory"])}
    return {f"workers{number}": str(group["directory"]) for number, group in enumerate(groups)}
