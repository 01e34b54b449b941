# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook asks for, checked as far as that can be done without looking at the host."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.links import MACVTAP, TAP, user_id

# linux/if.h: IFNAMSIZ with its NUL. dev_valid_name() takes no slash, colon or blank; "%d" would be a pattern.
_NAME = re.compile(r"[^\s/:%\0]{1,15}")
# Names that /proc/sys/net has for something else.
_TAKEN = ("all", "default", "lo")
_MTU = (68, 65521)
# linux/if_tun.h: MAX_TAP_QUEUES.
_MOST_QUEUES = 256
_LONGEST_QUEUE = 1_000_000
KINDS = (TAP, MACVTAP)
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
# The two ends of the veth pair of a macvtap are named after it.
_BELOW, _PORT = "-l", "-b"


@dataclass(frozen=True)
class TapWish:
    """``user`` is his number, "" for what there is, or nobody; ``txqueuelen`` 0 and ``mac`` "" for what there is."""

    name: str
    queues: int = 1
    user: str = ""
    txqueuelen: int = 0
    kind: str = TAP
    mac: str = ""

    @property
    def below(self) -> str:
        """What a macvtap is made on: one end of a veth pair."""
        return f"{self.name}{_BELOW}"

    @property
    def port(self) -> str:
        """The interface in the bridge: the tap itself, or the other end of the macvtap's veth pair."""
        return f"{self.name}{_PORT}" if self.kind == MACVTAP else self.name

    @property
    def interfaces(self) -> tuple[str, ...]:
        """All that there are of it."""
        return (self.name,) if self.kind == TAP else (self.name, self.below, self.port)

    @property
    def multi_queue(self) -> bool:
        """QEMU asks for it with several queues, and the kernel wants the same word each time a tap is opened."""
        return self.queues > 1


@dataclass(frozen=True)
class BridgeWish:
    """``addresses`` are those of the hypervisor on it, with their prefix lengths; ``mtu`` 0 for what there is."""

    name: str
    addresses: tuple[str, ...] = ()
    mtu: int = 0
    taps: tuple[TapWish, ...] = ()


def parse(given: Sequence[Mapping[str, Any]]) -> list[BridgeWish]:
    """The option ``bridges``; VirtperfError names what is wrong."""
    bridges = [_bridge(bridge) for bridge in given]
    seen: dict[str, str] = {}
    for name, kind in [pair for bridge in bridges for pair in _names(bridge)]:
        if name in seen:
            raise VirtperfError(
                f"{name} is asked for twice",
                found=f"as a {seen[name]} and as a {kind}",
                way_out="give each bridge and each tap a name of its own",
            )
        seen[name] = kind
    addresses = [(bridge.name, ipaddress.ip_interface(a)) for bridge in bridges for a in bridge.addresses]
    for number, (name, address) in enumerate(addresses):
        for other_name, other in addresses[:number]:
            if address.version == other.version and address.network.overlaps(other.network):
                where = f"bridge {name} cannot have both" if name == other_name else "two bridges cannot have"
                raise VirtperfError(
                    f"{where} {other} and {address}",
                    found="their networks overlap",
                    way_out="give each address a network of its own"
                    if name == other_name
                    else "give each bridge a network of its own, or put all taps into one",
                )
    return bridges


def names(bridges: Sequence[BridgeWish]) -> set[str]:
    """All interfaces that are named."""
    return {name for bridge in bridges for name, _kind in _names(bridge)}


def _names(bridge: BridgeWish) -> list[tuple[str, str]]:
    taps = [(tap.name, tap.kind) for tap in bridge.taps]
    ends = [(end, "veth") for tap in bridge.taps for end in tap.interfaces[1:]]
    return [(bridge.name, "bridge"), *taps, *ends]


def _bridge(given: Mapping[str, Any]) -> BridgeWish:
    name = _name("bridge", given.get("name"))
    more = [str(address or "") for address in given.get("more_addresses") or ()]
    return BridgeWish(
        name,
        tuple(_address(name, address) for address in (*filter(None, [str(given.get("address") or "")]), *more)),
        _number(name, "mtu", given.get("mtu"), *_MTU),
        tuple(_tap(tap) for tap in given.get("taps") or ()),
    )


def _tap(given: Mapping[str, Any]) -> TapWish:
    kind = str(given.get("kind") or TAP)
    if kind not in KINDS:
        raise VirtperfError(f"{given.get('name')}: kind cannot be {kind!r}", way_out=f"one of {', '.join(KINDS)}")
    name = _name(kind, given.get("name"), 15 if kind == TAP else 15 - len(_PORT))
    queues, user, mac = given.get("queues"), str(given.get("user") or ""), str(given.get("mac") or "")
    if kind == MACVTAP and user:
        raise VirtperfError(
            f"macvtap {name}: user {user!r} cannot open it",
            found="it is opened by its device in /dev, which is root's",
            way_out="leave user out, or kind: tap",
        )
    if kind == TAP and mac:
        raise VirtperfError(
            f"tap {name}: it cannot have the MAC address {mac}",
            found="that of a tap is not the guest's, and with the guest's nothing would reach him",
            way_out="leave mac out and give it to the guest's port, or kind: macvtap",
        )
    return TapWish(
        name,
        1 if queues is None else _number(name, "queues", queues, 1, _MOST_QUEUES),
        _user(name, user),
        _number(name, "txqueuelen", given.get("txqueuelen"), 1, _LONGEST_QUEUE),
        kind,
        _mac(name, mac),
    )


def _mac(macvtap: str, given: str) -> str:
    if given and (not _MAC.fullmatch(given) or int(given[:2], 16) & 1 or not given.strip("0:")):
        raise VirtperfError(
            f"macvtap {macvtap}: {given!r} is no MAC address of an interface",
            way_out="six bytes in lower-case hex between colons, such as 52:54:00:00:00:01, not a multicast one",
        )
    return given


def _name(kind: str, given: Any, most: int = 15) -> str:
    name = str(given or "")
    if not _NAME.fullmatch(name) or len(name.encode()) > most or name in (".", "..") or name.startswith("-"):
        raise VirtperfError(
            f"a {kind} cannot be named {name!r}",
            way_out=f"up to {most} letters, digits, '-', '_' and '.', without blanks, '/', ':', '%', and no '-' first",
        )
    if name in _TAKEN:
        raise VirtperfError(f"a {kind} cannot be named {name!r}: the kernel has that name", way_out="take another name")
    return name


def _address(bridge: str, given: str) -> str:
    try:
        if "/" not in given:
            raise ValueError
        address = ipaddress.ip_interface(given)
    except ValueError as error:
        raise VirtperfError(
            f"bridge {bridge}: {given!r} is no address with the length of its network",
            way_out='give one such as "192.0.2.1/24"',
        ) from error
    whole = address.network
    # The first and the last one of an IPv4 network are nobody's, where there are more than two.
    if address.version == 4 and whole.num_addresses > 2 and address.ip in (whole[0], whole[-1]):
        raise VirtperfError(
            f"bridge {bridge}: {given} is not for hosts",
            found=f"the first or the last address of {whole}",
            way_out=f"take one between them, such as {whole[1]}/{whole.prefixlen}",
        )
    if address.ip.is_link_local or address.ip.is_loopback or address.ip.is_multicast or address.ip.is_unspecified:
        raise VirtperfError(
            f"bridge {bridge}: {given} is not for a network of guests",
            found="a link-local, loopback, multicast or unspecified address",
            way_out="take one of a private network, or of one kept for documentation, such as 192.0.2.1/24",
        )
    return str(address)


def _number(name: str, key: str, given: Any, low: int, high: int) -> int:
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise VirtperfError(f"{name}: {key} cannot be {given!r}", way_out=f"from {low} to {high}")
    return given


def _user(tap: str, given: str) -> str:
    found = user_id(given) if given else ""
    if given and not found:
        raise VirtperfError(
            f"tap {tap}: there is no user {given!r} on this machine", way_out="name one that is there, or give its uid"
        )
    return found
