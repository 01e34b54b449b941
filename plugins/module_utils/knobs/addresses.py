# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a boot's first trial: NICs with their settings and addresses, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.places import Place, is_alive
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import DUT, HOST, PEER, Arm, Guest, Setup
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.switches import Switches, parameters, unavailable


@dataclass
class Prepared:
    """``described`` is what traffic.nic tells of each arm's NIC, ``faults`` why an arm cannot be measured.

    ``nics`` are the names by which dut's arms ("dut" has none), peer and host are looked at; ``macs`` theirs.
    """

    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    nics: dict[str, str] = field(default_factory=dict)
    macs: dict[str, str] = field(default_factory=dict)


def prepare(setup: Setup, host: Host, places: Mapping[str, Place], switches: Switches) -> Prepared:
    """VirtperfError where no arm could be measured: a guest does not answer, there is no bridge."""
    made = Prepared(nics={HOST: setup.bridge})
    try:
        made.macs[HOST] = host.read(f"{host.sys}/class/net/{setup.bridge}/address")
    except OSError as error:
        raise VirtperfError(
            f"there is no bridge {setup.bridge}", found=str(error), way_out="make it, see the module lab_network"
        ) from error
    if setup.peer is not None and PEER in places:
        _prepare_peer(setup, setup.peer, places[PEER], made)
    for arm in setup.arms.values():
        try:
            _prepare_arm(arm, places[DUT], switches, made)
        except VirtperfError as error:
            if not is_alive(places[DUT]):
                raise
            made.faults[arm.name] = f"{arm.name} could not be set up: {error}"
    return made


def _prepare_peer(setup: Setup, peer: Guest, place: Place, made: Prepared) -> None:
    nic = peer.mac or interface_of(place, peer.address)
    addresses = [f"{arm.address(PEER)}/24" for arm in setup.arms.values()]
    place.arrange({"mac": nic, "addresses": addresses})
    described = place.describe(nic)
    made.nics[PEER], made.macs[PEER] = str(described["name"]), str(described["mac"])


def _prepare_arm(arm: Arm, place: Place, switches: Switches, made: Prepared) -> None:
    asked = parameters(arm)
    fault = unavailable(switches, asked) or unavailable(switches, arm.host)
    if fault:
        made.faults[arm.name] = fault
        return
    # A device that started with what is asked for has it already.
    renew = not all(switches.is_so(path, value) for path, value in asked.items())
    with switches.set(asked):
        place.arrange(
            {
                "mac": arm.mac,
                "addresses": [f"{arm.address(DUT)}/24"],
                "ethtool": dict(arm.guest.get("ethtool") or {}),
                "renew": renew,
            }
        )
    made.described[arm.name] = place.describe(arm.mac)


def interface_of(place: Place, address: str) -> str:
    """The interface that has an address; VirtperfError where none has it."""
    said = place.command(["ip", "-o", "-4", "address", "show", "to", address])
    words = said.split()
    if len(words) < 2:
        raise VirtperfError(
            f"no interface of {place.name} has the address {address}",
            found=place.command(["ip", "-o", "-4", "address"]).strip(),
            way_out="name the NIC by its mac",
        )
    return words[1].partition("@")[0]
