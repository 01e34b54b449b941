# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at beside the named interfaces: addresses that others have, the way in, and the firewall."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Union

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.changes import Address, Make, Remove, Step
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.links import (
    MACVTAP,
    TAP,
    VETH,
    Link,
    Links,
    users,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import BridgeWish
from ansible_collections.virtperf.vhost.plugins.module_utils.pci import network
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import System

_Interface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]


def kept(host: Host, system: System, links: Links) -> dict[str, list[str]]:
    """The interfaces that carry the default route or an SSH connection. That others are made of one is no reason.

    Nothing comes through a tap that nobody has open, whatever its bridge carries.
    """
    found = network.reasons(host, system).items()
    carrying = {name: [reason for reason in reasons if reason.startswith("it carries")] for name, reasons in found}
    idle = {name for name, link in links.items() if link.kind == TAP and not link.in_use}
    return {
        name: reasons for name, reasons in carrying.items() if reasons and name not in idle | _to_nobody(host, links)
    }


def _to_nobody(host: Host, links: Links) -> set[str]:
    """The ends of veth pairs that have macvtaps on the other end, none of which anybody has open."""
    opened: dict[str, bool] = {}
    for link in links.values():
        below = links.get(link.lower) if link.kind == MACVTAP else None
        if below is not None and below.kind == VETH:
            opened[below.lower] = opened.get(below.lower, False) or bool(users(host, link.name))
    return {name for name, is_open in opened.items() if not is_open}


def check_addresses(host: Host, links: Links, steps: Iterable[Step]) -> None:
    """VirtperfError for an address that is somebody's, or a network that would draw others' packets to it."""
    given: list[tuple[str, str]] = []
    for step in steps:
        if isinstance(step, Make):
            given += [(step.name, address) for address in step.link.addresses]
        elif isinstance(step, Address) and step.gives:
            given.append((step.name, step.address))
    peers = network.connections(host) if given else []
    for name, text in given:
        wanted = ipaddress.ip_interface(text)
        for link in links.values():
            for has in map(ipaddress.ip_interface, link.addresses):
                _check_against(name, wanted, link, has)
        for connection in peers:
            if connection.peer in wanted.network and not connection.local.is_loopback:
                raise VirtperfError(
                    f"bridge {name} cannot have {text}",
                    found=f"{connection.peer}, from which an SSH connection comes, would be looked for behind it",
                    way_out="give the lab a network that nobody has",
                    address=text,
                    interface=name,
                )


def _check_against(name: str, wanted: _Interface, link: Link, has: _Interface) -> None:
    if has.ip == wanted.ip:
        same = link.name == name
        raise VirtperfError(
            f"bridge {name} cannot have {wanted}",
            found=f"it has {has}" if same else f"{link.name} has {has}",
            way_out=f"give the same network, {has}, or remove that address first"
            if same
            else f"remove it from {link.name} first, or give the bridge another one",
            address=str(wanted),
            interface=link.name,
        )
    # What is on the loopback is one address each, whatever its length.
    overlaps = has.version == wanted.version and has.network.overlaps(wanted.network)
    if overlaps and link.name not in (name, "lo"):
        raise VirtperfError(
            f"bridge {name} cannot have {wanted}",
            found=f"{link.name} has {has}, whose network overlaps with that",
            way_out="give the lab a network that nobody has",
            address=str(wanted),
            interface=link.name,
        )


def check_ports(links: Links, steps: Sequence[Step]) -> None:
    """VirtperfError when a bridge would be removed beneath ports that are somebody else's."""
    gone = {step.name for step in steps if isinstance(step, Remove)}
    for name in gone:
        ports = sorted(link.name for link in links.values() if link.master == name and link.name not in gone)
        # Those that leave it on the way are no longer there.
        ports = [port for port in ports if not any(step.name == port for step in steps)]
        if ports:
            raise VirtperfError(
                f"the bridge {name} cannot be removed",
                found=f"it has ports that are not named: {', '.join(ports)}",
                way_out="name them as its taps if they are the lab's, or take them out of it first",
                interface=name,
                ports=ports,
            )


def warnings(host: Host, bridges: Iterable[BridgeWish], links: Links) -> list[str]:
    """What would be measured as well."""
    found = []
    if host.read_or(f"{host.proc}/sys/net/bridge/bridge-nf-call-iptables") == "1":
        found.append(
            "net.bridge.bridge-nf-call-iptables is 1: frames between guests go through the firewall's rules, which"
            " costs time and may drop them; set it to 0 to measure without"
        )
    for bridge in bridges:
        link = links[bridge.name]
        if link.stp:
            found.append(f"the bridge {link.name} was there before and has STP on: its own frames are counted, too")
        if link.ipv6 and not any(":" in address for address in link.addresses):
            found.append(f"the bridge {link.name} carries the way in and keeps IPv6: its own packets are counted, too")
    return found
