# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a lab's guests, as the inventory knows them, to the bridge that has their taps, as lab_network takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_vms import guest_taps


def lab_bridges(
    guests: Sequence[str],
    variables: Mapping[str, Mapping[str, Any]],
    bridge: str,
    address: str = "",
    prefix_length: int | None = None,
    mtu: int | None = None,
    taps: Mapping[str, Any] | None = None,
    more_addresses: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The one bridge of a hypervisor, with the taps of all its guests in their order.

    ``variables`` are those of the inventory, by host; ``address`` is the hypervisor's own in the lab's network, which
    has ``prefix_length``; ``more_addresses`` have theirs with them. ``taps`` are lists by guest, in place of vm_taps.
    """
    owners: dict[str, str] = {}
    made = []
    for guest in guests:
        for tap in guest_taps(guest, variables[guest], taps):
            name = str(tap["ifname"])
            if name in owners:
                raise VirtperfError(
                    f"guest {guest} cannot have the tap {name}",
                    found=f"guest {owners[name]} has it",
                    way_out="give each tap in guests_taps or vm_taps an ifname of its own",
                )
            owners[name] = guest
            kind = {"kind": "macvtap", "mac": tap["mac"]} if tap.get("macvtap") else {}
            made.append({"name": name, "queues": int(tap.get("queues") or 1), **kind})
    if address and prefix_length is None:
        raise VirtperfError(
            f"bridge {bridge}: the address {address} comes without the length of its network",
            way_out="give lab_prefix_length beside lab_address",
        )
    return [
        {
            "name": bridge,
            "address": f"{address}/{prefix_length}" if address else "",
            **({"more_addresses": list(more_addresses)} if more_addresses else {}),
            "taps": made,
            **({} if mtu is None else {"mtu": mtu}),
        }
    ]
