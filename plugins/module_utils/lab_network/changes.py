# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that a network is changed by, each with its way back: what was made is removed, what was set is set back.

A step knows what it does to interfaces that are only thought of, so that check mode, the difference and what is looked
at afterwards all come from the same steps.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Union

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.ip import Ip
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.links import (
    BRIDGE,
    MACVTAP,
    TAP,
    VETH,
    Link,
    Links,
    ipv6_switch,
)


@dataclass(frozen=True)
class Make:
    """Make a bridge, a tap or a macvtap with all that it shall have."""

    link: Link

    @property
    def name(self) -> str:
        """The interface."""
        return self.link.name

    def on(self, links: Links) -> Links:
        """The interfaces as they are then."""
        return {**links, self.name: self.link}

    def undo(self) -> dict[str, Any]:
        """What the way back needs to know."""
        return {"step": "make", "name": self.name, "kind": self.link.kind}

    def describe(self) -> str:
        """In plain words."""
        link = self.link
        parts = [f"{link.kind} {link.name}"]
        parts += ["with several queues"] if link.multi_queue else []
        parts += [f"of user {link.user}"] if link.user else []
        parts += [f"with {', '.join(link.addresses)}"] if link.addresses else []
        parts += [f"on {link.lower}"] if link.lower else []
        parts += [f"in {link.master}"] if link.master else []
        return f"make {' '.join(parts)}"

    def apply(self, host: Host, ip: Ip) -> None:
        """Do it."""
        link = self.link
        if link.kind == BRIDGE:
            quiet = ("stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
            ip.run("link", "add", "name", link.name, "type", "bridge", *quiet)
        elif link.kind == MACVTAP:
            ip.run("link", "add", "link", link.lower, "name", link.name, "type", MACVTAP, "mode", link.mode)
        else:
            flags = [flag for flag in ("multi_queue", "vnet_hdr", "pi") if getattr(link, flag)]
            owner = [word for key in ("user", "group") if getattr(link, key) for word in (key, getattr(link, key))]
            ip.run("tuntap", "add", "name", link.name, "mode", TAP, *flags, *owner)
        _set_up(host, ip, link)


@dataclass(frozen=True)
class Pair:
    """Make a veth pair: ``outer`` is the end in a bridge, ``inner`` the one that a macvtap is made on."""

    outer: Link
    inner: Link

    @property
    def name(self) -> str:
        """The interface that it is known by: with it, the other one goes as well."""
        return self.outer.name

    def on(self, links: Links) -> Links:
        """The interfaces as they are then."""
        return {**links, self.outer.name: self.outer, self.inner.name: self.inner}

    def undo(self) -> dict[str, Any]:
        """What the way back needs to know."""
        return {"step": "make", "name": self.name, "kind": VETH}

    def describe(self) -> str:
        """In plain words."""
        return f"make veth pair {self.inner.name} and {self.outer.name}, this one in {self.outer.master}"

    def apply(self, host: Host, ip: Ip) -> None:
        """Do it."""
        ip.run("link", "add", "name", self.outer.name, "type", VETH, "peer", "name", self.inner.name)
        for link in (self.inner, self.outer):
            _set_up(host, ip, link)


@dataclass(frozen=True)
class Remove:
    """Remove an interface. Its ports or users are left with nothing."""

    link: Link

    @property
    def name(self) -> str:
        """The interface."""
        return self.link.name

    def on(self, links: Links) -> Links:
        """The interfaces as they are then."""
        gone = self.gone(links)
        left = {name: link for name, link in links.items() if name not in gone}
        return {n: replace(link, master="") if link.master == self.name else link for n, link in left.items()}

    def gone(self, links: Links) -> set[str]:
        """What goes with it: the other end of a veth pair, and what is made on either."""
        ends = {self.name, *([self.link.lower] if self.link.kind == VETH and self.link.lower else [])}
        return ends | {link.name for link in links.values() if link.kind != VETH and link.lower in ends}

    def undo(self) -> dict[str, Any]:
        """What the way back needs to know."""
        return {"step": "remove", "name": self.name, "link": self.link.as_dict()}

    def describe(self) -> str:
        """In plain words."""
        return f"remove {self.link.kind} {self.name}"

    def apply(self, _host: Host, ip: Ip) -> None:
        """Do it."""
        ip.run("link", "delete", "dev", self.name)


@dataclass(frozen=True)
class Set:
    """Change one field of an interface: mtu, txqueuelen, mac, master, up, ipv6 or pinned (its MAC address stays)."""

    name: str
    key: str
    before: Any
    after: Any

    def on(self, links: Links) -> Links:
        """The interfaces as they are then."""
        return {**links, self.name: replace(links[self.name], **{self.key: self.after})}

    def undo(self) -> dict[str, Any]:
        """What the way back needs to know."""
        return {"step": "set", "name": self.name, "key": self.key, "before": self.before}

    def describe(self) -> str:
        """In plain words."""
        if self.key == "master":
            return f"{self.name}: from {self.before or 'no bridge'} to {self.after or 'no bridge'}"
        if self.key == "up":
            return f"{self.name}: {'up' if self.after else 'down'}"
        if self.key == "pinned":
            return f"{self.name}: its MAC address is not to follow its ports"
        if self.key == "ipv6":
            return f"{self.name}: IPv6 {'on' if self.after else 'off'}"
        return f"{self.name}: {self.key} from {self.before} to {self.after}"

    def apply(self, host: Host, ip: Ip) -> None:
        """Do it."""
        if self.key == "ipv6":
            _switch_ipv6(host, self.name, self.after)
            return
        if self.key == "up":
            words = ["up" if self.after else "down"]
        elif self.key == "pinned":
            words = ["address", host.read(f"{host.sys}/class/net/{self.name}/address")]
        elif self.key == "master":
            words = ["master", self.after] if self.after else ["nomaster"]
        else:
            words = ["address" if self.key == "mac" else self.key, str(self.after)]
        ip.run("link", "set", "dev", self.name, *words)


@dataclass(frozen=True)
class Address:
    """Give an interface an address, or take it (``gives`` is false)."""

    name: str
    address: str
    gives: bool = True

    def on(self, links: Links) -> Links:
        """The interfaces as they are then."""
        link = links[self.name]
        others = tuple(address for address in link.addresses if address != self.address)
        return {**links, self.name: replace(link, addresses=(*others, self.address) if self.gives else others)}

    def undo(self) -> dict[str, Any]:
        """What the way back needs to know."""
        return {"step": "address", "name": self.name, "address": self.address}

    def describe(self) -> str:
        """In plain words."""
        return f"{self.name}: {'add' if self.gives else 'remove'} address {self.address}"

    def apply(self, _host: Host, ip: Ip) -> None:
        """Do it."""
        if self.gives:
            _add_address(ip, self.name, self.address)
        else:
            ip.run("address", "delete", self.address, "dev", self.name)


# Written as typing has it: an alias is evaluated when the file is read, where Python 3.9 knows no `|` of types.
Step = Union[Make, Pair, Remove, Set, Address]


def touched(step: Step) -> tuple[str, ...]:
    """The interfaces that a step is about."""
    return (step.outer.name, step.inner.name) if isinstance(step, Pair) else (step.name,)


def inverse(undo: Mapping[str, Any], links: Links) -> Step | None:
    """The way back from a step as its ``undo`` tells, on interfaces as they are by now; None when there is none left.

    Interfaces are known by name and kind: after a remake, or when somebody was here before us, it is another one of
    that name.
    """
    name, step = str(undo["name"]), undo["step"]
    link = links.get(name)
    if step == "remove":
        # What was in a bridge that is gone is in none.
        was = Link.from_dict(undo["link"])
        return Make(was if was.master in links else replace(was, master="")) if link is None else None
    if link is None:
        return None
    if step == "make":
        return Remove(link) if link.kind == undo["kind"] else None
    if step == "address":
        return Address(name, str(undo["address"]), gives=False) if undo["address"] in link.addresses else None
    key, before = str(undo["key"]), undo["before"]
    if key == "pinned":
        return None  # The kernel knows no way back, and it has the MAC address that it had.
    if key == "master" and before not in links:
        before = ""
    return Set(name, key, getattr(link, key), before) if getattr(link, key) != before else None


def _set_up(host: Host, ip: Ip, link: Link) -> None:
    """Up comes last: until then nothing is sent, and IPv6 gives itself no address."""
    words = ["address", link.mac or _new_mac(link.kind), "mtu", str(link.mtu)]
    words += ["txqueuelen", str(link.txqueuelen)] if link.txqueuelen else []
    words += ["master", link.master] if link.master else []
    # With an address of IPv6 it still needs none that it gives itself, and tells everybody of.
    words += ["addrgenmode", "none"] if link.ipv6 and link.kind == BRIDGE else []
    _switch_ipv6(host, link.name, link.ipv6)
    ip.run("link", "set", "dev", link.name, *words)
    if link.up:
        ip.run("link", "set", "dev", link.name, "up")
    for address in link.addresses:
        _add_address(ip, link.name, address)


def _new_mac(kind: str) -> str:
    """One of its own that stays: a bridge would take the lowest of its ports', and another one with each port.

    That of a port is high, so that a bridge whose address follows its ports, and may be known by it, keeps what it has.
    """
    return ":".join(["02" if kind in (BRIDGE, MACVTAP) else "fe", *(f"{byte:02x}" for byte in os.urandom(5))])


def _switch_ipv6(host: Host, name: str, wanted: bool) -> None:
    """A kernel without IPv6 has nothing to switch."""
    path = ipv6_switch(host, name)
    value = "0" if wanted else "1"
    if os.path.exists(path) and host.read(path) != value:
        host.write_kernel(path, value)


def _add_address(ip: Ip, name: str, address: str) -> None:
    # Nobody else is asked whether he has it: the guests are not there yet.
    ip.run("address", "add", address, *(("nodad",) if ":" in address else ("broadcast", "+")), "dev", name)
