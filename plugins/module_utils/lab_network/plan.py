# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is there to what is asked for, in steps; what cannot be is refused before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.changes import Address, Make, Remove, Set, Step
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.links import BRIDGE, TAP, Link, Links
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import BridgeWish, TapWish

# Who has a tap open, in words; empty when nobody has.
Users = Callable[[Link], Sequence[str]]


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
                self._tap(bridge, tap)
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
            addresses = (wish.address,) if wish.address else ()
            self._take(
                Make(Link(wish.name, BRIDGE, mtu=wish.mtu or 1500, ipv6=":" in wish.address, addresses=addresses))
            )
            return
        if link.kind != BRIDGE:
            raise _another_kind(link, BRIDGE)
        if wish.mtu:
            self._set(wish.name, mtu=wish.mtu)
        # One that has addresses of IPv6, or carries what must stay, needs it.
        needs_ipv6 = any(":" in address for address in (*link.addresses, wish.address))
        if not needs_ipv6 and wish.name not in self._kept:
            self._set(wish.name, ipv6=False)
        if ":" in wish.address:
            self._set(wish.name, ipv6=True)
        self._set(wish.name, up=True)
        if wish.address and wish.address not in link.addresses:
            self._take(Address(wish.name, wish.address))

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


def _another_kind(link: Link, wanted: str) -> VirtperfError:
    return VirtperfError(
        f"{link.name} is no {wanted}",
        found=link.what + (f" with {', '.join(link.addresses)}" if link.addresses else ""),
        way_out=f"take another name for the {wanted}",
        interface=link.name,
    )
