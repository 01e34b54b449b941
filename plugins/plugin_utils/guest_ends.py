# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests as ends of a measurement: the VM that runs for each, its threads, and a way in beside what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.ssh import Access
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_vms import vm_name

# Of a guest in the inventory, or of a VM as M(virtperf.vhost.vhost_info) tells it.
Facts = Mapping[str, Any]


def known_guest(guest: str, end: str, variables: Mapping[str, Facts], named_by: str) -> Facts:
    """What the inventory says of a guest; ``end`` is what it is there for, ``named_by`` the variables that name it."""
    if guest not in variables:
        raise VirtperfError(
            f"the {end} {guest} is not in the inventory",
            way_out=f"name one that is with {named_by}, see the inventory plugin lab",
        )
    return variables[guest]


def running_vm(guest: str, known: Facts, vms: Sequence[Facts]) -> Facts:
    """Its VM among those that run; VirtperfError where there is none, or more than one."""
    name = vm_name(guest, known)
    fitting = [vm for vm in vms if vm["name"] == name]
    if len(fitting) != 1:
        raise VirtperfError(
            f"guest {guest}: there is no VM called {name}" if not fitting else f"guest {guest}: {name} is several VMs",
            found=", ".join(str(vm["name"]) for vm in vms) or "no VM at all",
            way_out="see why it does not run (make restore removes what is left of a run)",
        )
    return fitting[0]


def threads_of(end: str, vm: Facts) -> list[dict[str, Any]]:
    """Those that its traffic runs on, with a label of their own: ``server/worker0``."""
    return [
        {
            "label": f"{end}/{thread['role']}{thread['number']}",
            **{key: thread[key] for key in ("role", "pid", "tid", "start")},
        }
        for thread in vm["threads"]
    ]


def way_in(guest: str, known: Facts, keys: Mapping[str, str], what_happens: str) -> list[str]:
    """ssh, by a way that does not lead over the lab's network; ``what_happens`` to that says why it must not."""
    address = str(known.get("ansible_host") or "")
    if not address or address == known.get("vm_address"):
        raise VirtperfError(
            f"guest {guest} is reached over the network that is {what_happens}",
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
