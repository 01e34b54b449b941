# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interfaces of this machine as the kernel has them, read from ``ip -details -json address``."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.ip import Ip

BRIDGE, TAP, MACVTAP, VETH = "bridge", "tap", "macvtap", "veth"
# linux/netdevice.h: somebody has set its MAC address.
_NET_ADDR_SET = "3"


@dataclass(frozen=True)
class Link:
    """An interface: all that has to be known to make it again.

    ``kind`` is "bridge", "tap", what else ip calls it, or "" for hardware. ``user`` is a number, ``group`` a number or
    a name, "" for nobody. ``addresses`` are those that somebody gave it. ``txqueuelen`` and ``mac`` of one that is yet
    to be made are 0 and "" where they are left to the kernel and to us. ``lower`` is what a macvtap is made on, in this
    ``mode``, or the other end of a veth pair.
    """

    name: str
    kind: str
    mac: str = ""
    mtu: int = 1500
    txqueuelen: int = 0
    up: bool = True
    master: str = ""
    ipv6: bool = False
    addresses: tuple[str, ...] = ()
    multi_queue: bool = False
    vnet_hdr: bool = False
    pi: bool = False
    user: str = ""
    group: str = ""
    lower: str = ""
    mode: str = ""
    # Whether its MAC address stays what it is; else a bridge has that of one of its ports.
    pinned: bool = True
    # What is only looked at.
    persistent: bool = True
    in_use: bool = False
    stp: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For the journal."""
        return {**asdict(self), "addresses": list(self.addresses)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Link:
        """From the journal; what a later version has to say beyond ours is left out."""
        known = {key.name: given[key.name] for key in fields(cls) if key.name in given}
        return cls(**{**known, "addresses": tuple(known.get("addresses", ()))})

    @property
    def what(self) -> str:
        """What it is, to a person."""
        if self.kind:
            return f"a {self.kind}"
        return "an interface of the hardware, or the loopback"


Links = dict[str, Link]


def observe(host: Host, ip: Ip) -> Links:
    """All interfaces of this network namespace, by name."""
    return parse(host, ip.run("-details", "-json", "address", "show"))


def parse(host: Host, text: str) -> Links:
    """From what ip prints. What is not to be understood is left out, but a text that is no list at all is an error."""
    try:
        listed = json.loads(text)
    except ValueError:
        listed = None
    if not isinstance(listed, list):
        raise VirtperfError(
            "ip does not tell the interfaces as JSON",
            found=text.strip()[:80] or "nothing",
            way_out="iproute2 4.14 or newer is needed",
        )
    # What an older ip does not know it leaves empty.
    links = [_link(host, entry) for entry in listed if isinstance(entry, dict) and _is_name(entry.get("ifname"))]
    return {link.name: link for link in links}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _link(host: Host, entry: Mapping[str, Any]) -> Link:
    name = str(entry["ifname"])
    info = _mapping(entry.get("linkinfo"))
    data = _mapping(info.get("info_data"))
    kind = str(info.get("info_kind", ""))
    flags = given if isinstance(given := entry.get("flags"), list) else []
    queues = [data.get(key) for key in ("numqueues", "numdisabled")]
    return Link(
        name=name,
        kind=str(data.get("type", kind)) if kind == "tun" else kind,
        mac=str(entry.get("address", "")),
        mtu=_number(entry.get("mtu")),
        txqueuelen=_number(entry.get("txqlen")),
        up="UP" in flags,
        master=str(entry.get("master", "")),
        ipv6=_has_ipv6(host, name),
        addresses=tuple(_addresses(entry.get("addr_info"))),
        multi_queue=data.get("multi_queue") is True,
        vnet_hdr=data.get("vnet_hdr") is True,
        pi=data.get("pi") is True,
        user=_user(data.get("user")),
        group="" if data.get("group") is None else str(data["group"]),
        lower=lower if isinstance(lower := entry.get("link"), str) else "",
        mode=str(data.get("mode", "")) if kind == MACVTAP else "",
        pinned=host.read_or(f"{host.sys}/class/net/{name}/addr_assign_type", _NET_ADDR_SET) == _NET_ADDR_SET,
        persistent=data.get("persist") is not False,
        # One that is up has a carrier while somebody has it open.
        in_use="LOWER_UP" in flags or any(map(_number, queues)),
        stp=bool(_number(data.get("stp_state"))),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _user(value: Any) -> str:
    """ip gives a name where there is one, and the number otherwise."""
    return "" if value is None else user_id(str(value)) or str(value)


def user_id(user: str) -> str:
    """The number of a user by his name or number; "" when there is none of that name."""
    if user.isascii() and user.isdigit():
        return str(int(user))
    try:
        return str(pwd.getpwnam(user).pw_uid)
    except (KeyError, ValueError):
        return ""


def ipv6_switch(host: Host, name: str) -> str:
    """The file by which the kernel leaves IPv6 off an interface."""
    return f"{host.proc}/sys/net/ipv6/conf/{name}/disable_ipv6"


def _has_ipv6(host: Host, name: str) -> bool:
    return host.read_or(ipv6_switch(host, name), "1") == "0"


def _addresses(listed: Any) -> list[str]:
    found = []
    for entry in listed if isinstance(listed, list) else ():
        given = _mapping(entry)
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_interface(f"{given.get('local')}/{given.get('prefixlen')}")
            # A link-local one of IPv6 came by itself.
            if not (address.version == 6 and address.is_link_local):
                found.append(str(address))
    return found


def users(host: Host, tap: str) -> list[str]:
    """The processes that have a tap or a macvtap open: ``qemu-system-x86 (pid 4711)``.

    Of those of other network namespaces, which may have a tap of the same name, none is meant.
    """
    found = []
    ours, device = _namespace(host, "self"), _device(host, tap)
    for pid in host.process_ids():
        base = f"{host.proc}/{pid}"
        with contextlib.suppress(OSError):
            targets = {fd: _target(f"{base}/fd/{fd}") for fd in os.listdir(f"{base}/fd")}
            opened = [fd for fd, target in targets.items() if target.endswith("/net/tun")]
            lines = [line for fd in opened for line in host.read_or(f"{base}/fdinfo/{fd}").splitlines()]
            is_user = f"iff:\t{tap}" in lines or (device and device in targets.values())
            if is_user and _namespace(host, str(pid)) in (ours, ""):
                found.append(f"{host.read_or(f'{base}/comm', '?')} (pid {pid})")
    return found


def _device(host: Host, name: str) -> str:
    """The device by which a macvtap is opened; "" for what is none."""
    base = f"{host.sys}/class/net/{name}"
    device = f"tap{host.read_or(f'{base}/ifindex')}"
    return f"/dev/{device}" if os.path.exists(f"{base}/{device}") else ""


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _namespace(host: Host, pid: str) -> str:
    try:
        return os.readlink(f"{host.proc}/{pid}/ns/net")
    except OSError:
        return ""
