# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is there to what is asked for, in steps; what cannot be is refused before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.changes import (
    Address,
    Make,
    Pair,
    Remove,
    Set,
    Step,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.links import (
    BRIDGE,
    MACVTAP,
    TAP,
    VETH,
    Link,
    Links,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import BridgeWish, TapWish

# Who has a tap open, in words; empty when nobody has.
Users = Callable[[Link], Sequence[str]]
# In this mode macvtaps of one interface reach each other; here it is one each, and the bridge that joins them.
_MODE = "bridge"


class Planner:
    """Goes through what is asked for, on a model of the interfaces; ``kept`` must stay as they are, with reasons."""

    def __init__(self, links: Links, kept: dict[str, list[str]], users: Users) -> None:
        self.links = links
        self.steps: list[Step] = []
        self._kept = kept
        self._users = users

    def plan(self, bridges: Sequence[BridgeWish]) -> list[Step]:
        """The steps to it, in their order."""
        for bridge in bridges:
            self._bridge(bridge)
            for tap in bridge.taps:
                (self._macvtap if tap.kind == MACVTAP else self._tap)(bridge, tap)
        return self.steps

    def _take(self, step: Step) -> None:
        name = step.name
        if not isinstance(step, Make) and name in self._kept:
            raise VirtperfError(
                f"{name} must stay as it is, so not: {step.describe()}",
                found="; ".join(self._kept[name]),
                way_out="take another name for the lab's, or change it yourself from a console",
                interface=name,
            )
        self.steps.append(step)
        self.links = step.on(self.links)

    def _set(self, name: str, **wanted: Any) -> None:
        for key, value in wanted.items():
            before = getattr(self.links[name], key)
            if before != value:
                self._take(Set(name, key, before, value))

    def _bridge(self, wish: BridgeWish) -> None:
        link = self.links.get(wish.name)
        if link is None:
            ipv6 = _any_ipv6(wish.addresses)
            self._take(Make(Link(wish.name, BRIDGE, mtu=wish.mtu or 1500, ipv6=ipv6, addresses=wish.addresses)))
            return
        if link.kind != BRIDGE:
            raise _another_kind(link, BRIDGE)
        if wish.mtu:
            self._set(wish.name, mtu=wish.mtu)
        # One that has addresses of IPv6, or carries what must stay, needs it.
        if not _any_ipv6((*link.addresses, *wish.addresses)) and wish.name not in self._kept:
            self._set(wish.name, ipv6=False)
        if _any_ipv6(wish.addresses):
            self._set(wish.name, ipv6=True)
        self._set(wish.name, up=True)
        for address in wish.addresses:
            if address not in link.addresses:
                self._take(Address(wish.name, address))

    def _tap(self, bridge: BridgeWish, wish: TapWish) -> None:
        link = self.links.get(wish.name)
        wanted = Link(
            wish.name,
            TAP,
            mtu=bridge.mtu or self.links[bridge.name].mtu,
            txqueuelen=wish.txqueuelen,
            master=bridge.name,
            multi_queue=wish.multi_queue,
            vnet_hdr=True,
            user=wish.user,
        )
        if link is not None:
            self._check_tap(link)
        if link is None or link.master != bridge.name:
            self._let_in(bridge.name, link)
        if link is None:
            self._take(Make(wanted))
            return
        # A bridge takes the smallest mtu of its ports: who comes in has the bridge's.
        mtu = wanted.mtu if bridge.mtu or link.master != bridge.name else link.mtu
        if link.multi_queue != wish.multi_queue or (wish.user and link.user != wish.user):
            self._check_idle(link, wish)
            self._take(Remove(link))
            new = replace(wanted, mac=link.mac, group=link.group, mtu=mtu)
            new = replace(new, txqueuelen=wish.txqueuelen or link.txqueuelen, user=wish.user or link.user)
            self._take(Make(new))
            return
        self._set(wish.name, mtu=mtu)
        if wish.txqueuelen:
            self._set(wish.name, txqueuelen=wish.txqueuelen)
        self._set(wish.name, ipv6=False, master=bridge.name, up=True)

    def _macvtap(self, bridge: BridgeWish, wish: TapWish) -> None:
        self._check_macvtap(wish)
        port, top = self.links.get(wish.port), self.links.get(wish.name)
        moves = port is None or port.master != bridge.name
        if moves:
            self._let_in(bridge.name, port)
        mtu = self.links[bridge.name].mtu
        if port is None:
            inner = Link(wish.below, VETH, mtu=mtu, lower=wish.port)
            self._take(Pair(Link(wish.port, VETH, mtu=mtu, master=bridge.name, lower=wish.below), inner))
        elif bridge.mtu or moves:
            # None may be larger than what is below it.
            upwards = [name for name in (wish.port, wish.below, wish.name) if name in self.links]
            for name in upwards if mtu > self.links[wish.below].mtu else reversed(upwards):
                self._set(name, mtu=mtu)
        self._set(wish.below, ipv6=False, up=True)
        self._set(wish.port, ipv6=False, master=bridge.name, up=True)
        if top is None:
            made = Link(wish.name, MACVTAP, wish.mac, self.links[wish.below].mtu, wish.txqueuelen)
            self._take(Make(replace(made, lower=wish.below, mode=_MODE)))
            return
        if wish.mac and wish.mac != top.mac:
            if self._users(top):
                raise VirtperfError(
                    f"the macvtap {top.name} cannot have another MAC address: it is in use",
                    found=f"{top.mac} instead of {wish.mac}, {self._by_whom(top)}",
                    way_out="end what uses it first (a VM: virtperf.vhost.qemu_vm, state: absent), or leave mac out",
                    interface=top.name,
                    users=list(self._users(top)),
                )
            self._set(wish.name, mac=wish.mac)
        if wish.txqueuelen:
            self._set(wish.name, txqueuelen=wish.txqueuelen)
        self._set(wish.name, ipv6=False, up=True)

    def _check_macvtap(self, wish: TapWish) -> None:
        """VirtperfError when one of the three interfaces has the name and is another one than ours would be."""
        ends = {wish.port: wish.below, wish.below: wish.port}
        for name, other in ends.items():
            link = self.links.get(name)
            if link is not None and (link.kind != VETH or link.lower != other):
                raise VirtperfError(
                    f"{name} is not an end of the veth pair that the macvtap {wish.name} needs",
                    found=link.what + (f" with {link.lower}" if link.lower else ""),
                    way_out="take another name for the macvtap, or rename that one",
                    interface=name,
                )
        top = self.links.get(wish.name)
        if top is None:
            return
        if top.kind != MACVTAP:
            raise _another_kind(top, MACVTAP)
        if (top.lower, top.mode) != (wish.below, _MODE) or top.addresses:
            addresses = f", with {', '.join(top.addresses)}" if top.addresses else ""
            raise VirtperfError(
                f"{top.name} is a macvtap that was made otherwise",
                found=f"on {top.lower or 'an interface that is not seen from here'}, in mode {top.mode}{addresses}",
                way_out=f"take another name, or remove it: ours is on {wish.below}, in mode {_MODE}, without addresses",
                interface=top.name,
            )

    def _let_in(self, name: str, tap: Link | None) -> None:
        """See to it that a bridge keeps its MAC address; with its last port it would even lose it."""
        bridge = self.links[name]
        if name not in self._kept:
            self._set(name, pinned=True)
            return
        lowest = any(link.master == name and link.mac == bridge.mac for link in self.links.values())
        # It takes the lowest one of its ports, and a tap that is made has one that begins with fe.
        if not bridge.pinned and not (lowest and bridge.mac < (tap.mac if tap else "fe")):
            raise VirtperfError(
                f"{name} must stay as it is, and would take the MAC address of a tap in it",
                found="; ".join(self._kept[name]),
                way_out=f"ip link set dev {name} address {bridge.mac}, by which it keeps its own",
                interface=name,
            )

    def _check_tap(self, link: Link) -> None:
        if link.kind != TAP:
            raise _another_kind(link, TAP)
        if not link.persistent:
            raise VirtperfError(
                f"the tap {link.name} goes away with the process that made it",
                found=self._by_whom(link),
                way_out="end that process (for a VM: virtperf.vhost.qemu_vm, state: absent), or take another name",
                interface=link.name,
            )
        if link.addresses:
            raise VirtperfError(
                f"the tap {link.name} is in use as an interface of its own",
                found=f"it has {', '.join(link.addresses)}, which would do nothing inside a bridge",
                way_out="take another name, or remove its addresses first",
                interface=link.name,
            )

    def _check_idle(self, link: Link, wish: TapWish) -> None:
        """VirtperfError when a tap cannot be made anew since it is in use."""
        if link.in_use or self._users(link):
            kinds = {True: "with several queues", False: "with one queue"}
            was, shall = (
                (kinds[link.multi_queue], kinds[wish.multi_queue])
                if link.multi_queue != wish.multi_queue
                else (f"for user {link.user or 'root'}", f"for user {wish.user}")
            )
            raise VirtperfError(
                f"the tap {link.name} would have to be made anew {shall}, and is in use",
                found=f"a tap {was}, {self._by_whom(link)}",
                way_out="end what uses it first (a VM: virtperf.vhost.qemu_vm, state: absent), or take another name",
                interface=link.name,
                users=list(self._users(link)),
            )

    def _by_whom(self, link: Link) -> str:
        return f"open in {', '.join(self._users(link)) or 'a process that is not seen from here'}"


def _any_ipv6(addresses: Sequence[str]) -> bool:
    return any(":" in address for address in addresses)


def _another_kind(link: Link, wanted: str) -> VirtperfError:
    return VirtperfError(
        f"{link.name} is no {wanted}",
        found=link.what + (f" with {', '.join(link.addresses)}" if link.addresses else ""),
        way_out=f"take another name for the {wanted}",
        interface=link.name,
    )
