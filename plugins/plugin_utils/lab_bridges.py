# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a lab's guests, as the inventory knows them, to the bridge that has their taps, as lab_network takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError


def lab_bridges(
    guests: Sequence[str],
    variables: Mapping[str, Mapping[str, Any]],
    bridge: str,
    address: str = "",
    prefix_length: int | None = None,
    mtu: int | None = None,
) -> list[dict[str, Any]]:
    """The one bridge of a hypervisor, with the taps of all its guests in their order.

    ``variables`` are those of the inventory, by host; ``address`` is the hypervisor's own in the lab's network, which
    has ``prefix_length``.
    """
    owners: dict[str, str] = {}
    taps = []
    for guest in guests:
        for tap in variables[guest].get("vm_taps") or ():
            name = str(tap.get("ifname") or "") if isinstance(tap, Mapping) else ""
            if not name:
                raise VirtperfError(
                    f"guest {guest} has a tap without a name", found=repr(tap), way_out="vm_taps: [{ifname: tap0}]"
                )
            if name in owners:
                raise VirtperfError(
                    f"guest {guest} cannot have the tap {name}",
                    found=f"guest {owners[name]} has it",
                    way_out="give each tap in vm_taps an ifname of its own",
                )
            owners[name] = guest
            taps.append({"name": name, "queues": int(tap.get("queues") or 1)})
    if address and prefix_length is None:
        raise VirtperfError(
            f"bridge {bridge}: the address {address} comes without the length of its network",
            way_out="give lab_prefix_length beside lab_address",
        )
    made = {"name": bridge, "address": f"{address}/{prefix_length}" if address else "", "taps": taps}
    return [{**made, **({} if mtu is None else {"mtu": mtu})}]
