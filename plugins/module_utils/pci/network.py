# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that must stay: they carry the way in, the default route, or other interfaces."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import interface_names
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import IpAddress, System, from_proc, plain
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import stat_fields

_SSH_PORT = 22
_ESTABLISHED = "01"
# linux/route.h: the route is in use; it says no.
_RTF_UP, _RTF_REJECT = 0x1, 0x200

_DEVTYPE = re.compile(r"^DEVTYPE=(\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Route:
    """A destination and the interface to it."""

    interface: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    @property
    def is_default(self) -> bool:
        """Whether it is for whatever no other route is for."""
        return self.network.prefixlen == 0


@dataclass(frozen=True)
class Connection:
    """The two ends of a TCP connection; ``scope`` is the interface of a link-local address where it is told."""

    local: IpAddress
    peer: IpAddress
    scope: str = ""


def reasons(host: Host, system: System) -> dict[str, list[str]]:
    """Why interfaces must stay, by interface; those that may go are not in it."""
    kept: dict[str, list[str]] = {}
    for interface, reason in [*_default_routes(host), *_ssh(host, system)]:
        for name, above in _with_lower(host, interface):
            through = f" through {', '.join(above)}" if above else ""
            _note(kept, name, f"it carries {reason}{through}")
    for name in interface_names(host):
        for upper in _linked(host, name, "upper_", "master"):
            _note(kept, name, f"{upper} ({_kind(host, upper)}) is made of it")
    return kept


def _note(kept: dict[str, list[str]], name: str, reason: str) -> None:
    if reason not in kept.setdefault(name, []):
        kept[name].append(reason)


def _default_routes(host: Host) -> Iterator[tuple[str, str]]:
    for route in routes(host):
        if route.is_default:
            yield route.interface, f"the default route of IPv{route.network.version}"


def _ssh(host: Host, system: System) -> Iterator[tuple[str, str]]:
    known = system.addresses()
    table = routes(host)
    for connection in connections(host):
        if connection.local.is_loopback:
            continue
        reason = f"an SSH connection (from {connection.peer})"
        if connection.scope:
            yield connection.scope, reason
        for name, address in known:
            if address == connection.local:
                yield name, reason
        for name in _way_to(connection.peer, table):
            yield name, reason


def _way_to(peer: IpAddress, table: Iterable[Route]) -> set[str]:
    """The interfaces with the longest matching route: which of them the kernel takes depends on more than that."""
    # Every interface has the same route to link-local addresses.
    if peer.is_link_local:
        return set()
    fitting = [route for route in table if route.network.version == peer.version and peer in route.network]
    longest = max((route.network.prefixlen for route in fitting), default=0)
    return {route.interface for route in fitting if route.network.prefixlen == longest}


def connections(host: Host, pid: int | None = None) -> list[Connection]:
    """The SSH connections: the one this process was started over, and all that are established."""
    found = []
    ports = {_SSH_PORT}
    for text in _told_by_sshd(host, os.getpid() if pid is None else pid):
        with contextlib.suppress(ValueError):
            peer, _peer_port, local, port = text.split()
            local, _mark, scope = local.partition("%")
            own = plain(ipaddress.ip_address(local))
            found.append(Connection(own, plain(ipaddress.ip_address(peer.partition("%")[0])), scope))
            ports.add(int(port))
    for table in ("tcp", "tcp6"):
        for line in host.read_or(f"{host.proc}/net/{table}").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 3 and fields[3] == _ESTABLISHED:
                local, _mark, port = fields[1].partition(":")
                if int(port, 16) in ports:
                    found.append(Connection(from_proc(local), from_proc(fields[2].partition(":")[0])))
    return list(dict.fromkeys(found))


def _told_by_sshd(host: Host, pid: int) -> Iterator[str]:
    """SSH_CONNECTION as this process or one above it has it: sudo takes it away on the way to us."""
    seen = set()
    while pid > 1 and pid not in seen:
        seen.add(pid)
        for variable in host.read_or(f"{host.proc}/{pid}/environ").split("\0"):
            name, _mark, value = variable.partition("=")
            if name == "SSH_CONNECTION":
                yield value
        try:
            pid = int(stat_fields(host.read(f"{host.proc}/{pid}/stat"))[1])
        except (OSError, ValueError, IndexError):
            return


def routes(host: Host) -> list[Route]:
    """The routes of IPv4 (the main table) and IPv6 (all tables) that lead somewhere."""
    found = []
    for line in host.read_or(f"{host.proc}/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and _leads(fields[3]):
            found.append(Route(fields[0], ipaddress.IPv4Network(f"{from_proc(fields[1])}/{from_proc(fields[7])}")))
    for line in host.read_or(f"{host.proc}/net/ipv6_route").splitlines():
        fields = line.split()
        if len(fields) > 9 and _leads(fields[8]) and fields[9] != "lo":
            # Here, unlike in tcp6, the bytes are in the order they are sent in.
            network = (int(fields[0], 16), int(fields[1], 16))
            found.append(Route(fields[9], ipaddress.IPv6Network(network)))
    return found


def _leads(flags: str) -> bool:
    return int(flags, 16) & (_RTF_UP | _RTF_REJECT) == _RTF_UP


def _with_lower(host: Host, name: str) -> list[tuple[str, list[str]]]:
    """An interface and those it is made of, down to the hardware; each with what is above it."""
    found: list[tuple[str, list[str]]] = []
    waiting: list[tuple[str, list[str]]] = [(name, [])]
    while waiting:
        interface, above = waiting.pop(0)
        if interface not in (other for other, _above in found):
            found.append((interface, above))
            waiting += [(lower, [interface, *above]) for lower in _linked(host, interface, "lower_")]
    return found


def _linked(host: Host, name: str, prefix: str, single: str = "") -> list[str]:
    """Interfaces that the links of a prefix name, and the one that a single link points to."""
    base = f"{host.sys}/class/net/{name}"
    try:
        entries = os.listdir(base)
    except OSError:
        return []
    linked = {entry[len(prefix) :] for entry in entries if entry.startswith(prefix)}
    if single and os.path.islink(f"{base}/{single}"):
        linked.add(os.path.basename(os.readlink(f"{base}/{single}")))
    return sorted(linked)


def _kind(host: Host, name: str) -> str:
    """What an interface is to a person: bridge, bond, vlan."""
    match = _DEVTYPE.search(host.read_or(f"{host.sys}/class/net/{name}/uevent"))
    return match[1] if match else "an interface"


def global_addresses(system: System, interfaces: Iterable[str]) -> list[str]:
    """The addresses of interfaces that somebody gave them: link-local ones come by themselves."""
    names = set(interfaces)
    return [
        f"{address} on {name}"
        for name, address in system.addresses()
        if name in names and not (address.version == 6 and address.is_link_local)
    ]
