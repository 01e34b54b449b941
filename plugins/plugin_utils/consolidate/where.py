# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the trials of the study ``consolidate`` run: the VM of each guest, its threads, and the way into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_ends import Facts, known_guest, running_vm, way_in


def place(
    nics: Mapping[str, Mapping[str, Any]],
    vms: Sequence[Facts],
    variables: Mapping[str, Facts],
    keys: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The guests as M(virtperf.vhost.consolidate_run) takes them, in the order of ``nics``, the plan's by guest.

    ``vms`` are those of M(virtperf.vhost.vhost_info), ``variables`` those of the guests in the inventory, ``keys`` the
    files ``identity`` and ``known_hosts`` with which the hypervisor gets in. VirtperfError for a VM that cannot be
    measured so.
    """
    return [_guest(guest, nics[guest], vms, variables, keys) for guest in nics]


def _guest(
    guest: str,
    nics: Mapping[str, Any],
    vms: Sequence[Facts],
    variables: Mapping[str, Facts],
    keys: Mapping[str, str],
) -> dict[str, Any]:
    known = known_guest(guest, "guest", variables, "consolidate_guests")
    vm = running_vm(guest, known, vms)
    if vm.get("manager") != "virtperf":
        raise VirtperfError(
            f"guest {guest} was not started by this collection",
            found=f"its VM {vm['name']} is kept by {vm.get('manager')}",
            way_out="guest_manager: qemu in the inventory: the threads of the VM are pinned by QEMU's own monitor",
        )
    served = {str(tap["interface"]): tap["workers"] for tap in vm["taps"]}
    for name, nic in nics.items():
        if not served.get(nic["tap"]):
            raise VirtperfError(
                f"guest {guest} has no vhost worker for its NIC {name} ({nic['tap']})",
                found=", ".join(f"{tap}: {len(its)} workers" for tap, its in served.items()) or "no tap at all",
                way_out="see whether it was running already (make restore removes what is left of a run)",
            )
    return {
        "name": guest,
        "vm": str(vm["name"]),
        "through": way_in(guest, known, keys, "measured"),
        "nics": {name: dict(nic) for name, nic in nics.items()},
        "threads": [{key: thread[key] for key in ("role", "pid", "tid", "start")} for thread in vm["threads"]],
    }
