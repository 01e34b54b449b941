# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A short description of a lab, turned into hosts with addresses, MACs, groups and a way in. No host is asked.

What a host gets depends on its place in the description and its name alone, so that it keeps it when guests are added
at the end of a list, and hypervisors after the last one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

try:
    import netaddr  # type: ignore[import-untyped]
except ImportError:  # told by plan(): a plugin that cannot be imported could not be told from one that is not there
    netaddr = None

ROLES = {"server": "servers", "client": "clients"}
WAYS = ("jump", "forward", "direct")

_DEFAULTS: Mapping[str, Any] = {
    "lab": "lab",
    "network": None,
    "addresses_per_hypervisor": 16,
    "first_ssh_port": 2200,
    "ssh_key": None,
    "known_hosts": None,
    "new_host_keys": "refuse",
    "guest_defaults": {},
    "hypervisors": None,
}
_HYPERVISOR = ("address", "guest_ssh", "guests", "port_file", "variables")
_GUEST_DEFAULTS = ("python", "roles", "user", "variables")
_GUEST = ("address", "mac", "name", "port", *_GUEST_DEFAULTS)
_SSH_ARGUMENTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args")
_STATE = "~/.local/state/virtperf/labs"

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_RESERVED = ("all", "ungrouped", "hypervisors", "guests", *ROLES.values())


class LabError(Exception):
    """What is wrong with a description: where, what was found, what is allowed."""

    def __init__(self, key: str, found: str, allowed: str) -> None:
        super().__init__(f"{key}: found {found}. Allowed: {allowed}")


@dataclass
class Lab:
    """What becomes of a description: variables by host, and hosts by group, in the order they were written."""

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Guest:
    """A guest with what it was given; ``key`` is where it was described, ``slot`` its number on the hypervisor."""

    key: str
    slot: int
    name: str
    given: Mapping[str, Any]


def plan(description: Mapping[str, Any], directory: str = ".") -> Lab:
    """The hosts and groups of a lab; LabError for the first thing wrong. Paths are relative to ``directory``."""
    if netaddr is None:
        raise LabError("network", "no Python package netaddr on this controller", "install it: pip install netaddr")
    _check_keys("", description, [*_DEFAULTS, "plugin"])
    asked = {**_DEFAULTS, **{key: value for key, value in description.items() if value is not None}}
    lab = _word("lab", asked["lab"])
    network = _network(asked["network"])
    paths = {
        "key": _path("ssh_key", asked["ssh_key"] or f"{_STATE}/{lab}/id_ed25519", directory),
        "known_hosts": _path("known_hosts", asked["known_hosts"] or f"{_STATE}/{lab}/known_hosts", directory),
        "directory": os.path.expanduser(f"{_STATE}/{lab}"),
    }
    if asked["new_host_keys"] not in ("refuse", "accept"):
        raise LabError("new_host_keys", repr(asked["new_host_keys"]), "refuse, accept")
    builder = _Builder(lab, network, asked, paths, directory)
    for number, (name, given) in enumerate(_mapping("hypervisors", asked["hypervisors"]).items()):
        builder.hypervisor(number, name, given)
    return builder.result


class _Builder:
    """Collects the hosts; whatever has to be different on each is remembered with where it came from."""

    def __init__(
        self, lab: str, network: Any, asked: Mapping[str, Any], paths: Mapping[str, str], directory: str
    ) -> None:
        self.directory = directory
        self.result = Lab(groups={name: [] for name in ("hypervisors", "guests", *ROLES.values())})
        self.lab = lab
        self.network = network
        self.paths = paths
        self.accept = asked["new_host_keys"] == "accept"
        self.block = _integer("addresses_per_hypervisor", asked["addresses_per_hypervisor"], 2, 1 << 16)
        self.first_port = _integer("first_ssh_port", asked["first_ssh_port"], 1, 65535)
        self.defaults = _mapping("guest_defaults", asked["guest_defaults"])
        _check_keys("guest_defaults", self.defaults, _GUEST_DEFAULTS)
        self.taken: dict[tuple[str, Any], str] = {}

    def hypervisor(self, number: int, name: Any, given: Any) -> None:
        """Add a hypervisor and its guests."""
        key = f"hypervisors.{name}"
        name = _host_name("hypervisors", name)
        given = _mapping(key, {} if given is None else given)
        _check_keys(
            key, {k: v for k, v in given.items() if not str(k).startswith("ansible_")}, _HYPERVISOR, "ansible_*"
        )
        self._claim("host name", name.lower(), key)
        group = f"guests_of_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"
        self._claim("group", group, key)
        local = given.get("ansible_connection") == "local"
        way = given.get("guest_ssh") or ("forward" if local else "jump")
        if way not in WAYS or (way == "jump" and local):
            allowed = "forward, direct" if local else "jump, forward, direct"
            raise LabError(f"{key}.guest_ssh", repr(way), f"{allowed} ({'local' if local else 'SSH'} hypervisor)")
        variables = {
            **_variables(key, given.get("variables")),
            **{k: _at_home(k, v) for k, v in given.items() if str(k).startswith("ansible_") and v is not None},
            **_port_from_file(key, given, self.directory),
            **self._lab(),
            "lab_guests": [],
            "lab_address": self._address(f"{key}.address", given.get("address"), number * self.block + 1),
            "lab_prefix_length": self.network.prefixlen,
        }
        self.result.hosts[name] = variables
        self.result.groups["hypervisors"].append(name)
        self.result.groups[group] = []
        for guest in self._guests(key, name, given.get("guests")):
            self._guest(guest, name, group, way, number * self.block + 2 + guest.slot)

    def _lab(self) -> dict[str, Any]:
        """What all hosts of the lab have in common."""
        return {
            "lab_name": self.lab,
            "lab_network": str(self.network),
            "lab_directory": self.paths["directory"],
            "lab_ssh_key": self.paths["key"],
            "lab_known_hosts": self.paths["known_hosts"],
        }

    def _guests(self, key: str, hypervisor: str, given: Any) -> list[_Guest]:
        key = f"{key}.guests"
        if given is None:
            return []
        most = self.block - 2
        allowed = (
            f"up to {most} guests (addresses_per_hypervisor - 2; raise it, which moves later hypervisors' addresses)"
        )
        if isinstance(given, int) and not isinstance(given, bool):
            if not 0 <= given <= most:
                raise LabError(key, str(given), allowed)
            return [_Guest(key, slot, f"{hypervisor}-guest{slot + 1}", {}) for slot in range(given)]
        if not isinstance(given, (list, tuple)):
            raise LabError(key, repr(given), "a number of guests, or a list of {name: ...}")
        if len(given) > most:
            raise LabError(key, f"{len(given)} guests", allowed)
        guests = []
        for slot, entry in enumerate(given):
            where = f"{key}[{slot}]"
            guest = _mapping(where, {"name": entry} if isinstance(entry, str) else entry)
            _check_keys(where, guest, _GUEST)
            name = _host_name(f"{where}.name", guest.get("name", f"{hypervisor}-guest{slot + 1}"))
            guests.append(_Guest(where, slot, name, guest))
        return guests

    def _guest(self, guest: _Guest, hypervisor: str, group: str, way: str, offset: int) -> None:
        key, name, given = guest.key, guest.name, {**self.defaults, **guest.given}
        self._claim("host name", name.lower(), f"{key} ({name})")
        address = self._address(f"{key}.address", given.get("address"), offset)
        port = self._port(f"{key}.port", given.get("port"), way, offset)
        user = given.get("user", "root")
        if not isinstance(user, str) or not _USER.fullmatch(user):
            raise LabError(f"{key}.user", repr(user), "a user name")
        self.result.hosts[name] = {
            **_variables("guest_defaults", self.defaults.get("variables")),
            **_variables(key, guest.given.get("variables")),
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1" if way == "forward" else address,
            "ansible_port": port,
            "ansible_user": user,
            "ansible_python_interpreter": given.get("python", "/usr/bin/python3"),
            "ansible_ssh_private_key_file": self.paths["key"],
            # Ansible's own default. These come first in ssh's arguments, and of two of a kind ssh takes the first: what
            # the user has here on host keys would win over the lab's.
            "ansible_ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s",
            # By default that of another lab's guest with the same address.
            "ansible_control_path": f"%(directory)s/{self._hash(name, hypervisor)}",
            "ansible_ssh_common_args": self._ssh_arguments(f"hypervisors.{hypervisor}", name, hypervisor, way),
            "hypervisor": hypervisor,
            **self._lab(),
            "vm_name": name,
            "vm_address": address,
            "vm_prefix_length": self.network.prefixlen,
            "vm_gateway": self.result.hosts[hypervisor]["lab_address"],
            "vm_mac": self._mac(f"{key}.mac", given.get("mac"), name),
            "vm_roles": (roles := _roles(f"{key}.roles", given.get("roles", []))),
        }
        self.result.hosts[hypervisor]["lab_guests"].append(name)
        for member in ("guests", group, *(ROLES[role] for role in roles)):
            self.result.groups[member].append(name)

    def _address(self, key: str, given: Any, offset: int) -> str:
        if given is None:
            if offset >= self.network.size:
                raise LabError("network", f"{self.network}, too small for {_parent(key)}", self._room(offset))
            address = self.network[offset]
        else:
            address = _parse_address(key, given)
        if address not in self.network or address in _not_for_hosts(self.network):
            raise LabError(key, str(address), f"an address for hosts in {self.network}; {self._room(offset)}")
        self._claim("address", address, key, ": pin one of them elsewhere with address:")
        return str(address)

    def _room(self, offset: int) -> str:
        """What would do for so many addresses, the last one being nobody's."""
        length = (32 if self.network.version == 4 else 128) - (offset + 1).bit_length()
        return f"a network of /{length} or larger, or fewer addresses_per_hypervisor (now {self.block})"

    def _port(self, key: str, given: Any, way: str, offset: int) -> int:
        if way != "forward":
            return 22 if given is None else _integer(key, given, 1, 65535)
        if given is None and self.first_port + offset > 65535:
            raise LabError("first_ssh_port", str(self.first_port), f"{65535 - offset} or less for {_parent(key)}")
        port = self.first_port + offset if given is None else _integer(key, given, 1, 65535)
        self._claim("forwarded port", port, key, ": give one of them another with port:")
        return port

    def _mac(self, key: str, given: Any, name: str) -> str:
        derived = netaddr.EUI((0x02 << 40) | int(self._hash(name), 16))
        mac = derived if given is None else _parse_mac(key, given)
        self._claim("MAC", int(mac), key, ": give one of them another with mac:")
        return str(mac.format(netaddr.mac_unix_expanded))

    def _hash(self, *names: str) -> str:
        """Ten hex digits that stand for these names in this lab."""
        return hashlib.sha256("\0".join([self.lab, *map(str.lower, names)]).encode()).hexdigest()[:10]

    def _claim(self, kind: str, value: Any, key: str, hint: str = "") -> None:
        other = self.taken.setdefault((kind, value), key)
        if other != key:
            shown = netaddr.EUI(value).format(netaddr.mac_unix_expanded) if kind == "MAC" else value
            raise LabError(key, f"{kind} {shown}, which {other} has as well", f"each {kind} once{hint}")

    def _ssh_arguments(self, key: str, name: str, hypervisor: str, way: str) -> str:
        """Arguments of ssh for a guest, quoted as ansible splits them: like a shell."""
        options = [
            # The guest's line in known_hosts begins with its name: addresses and ports may be given to another one.
            f"HostKeyAlias={name}",
            f"UserKnownHostsFile={_in_config(self.paths['known_hosts'])}",
            "GlobalKnownHostsFile=/dev/null",
            f"StrictHostKeyChecking={'accept-new' if self.accept else 'yes'}",
            "IdentitiesOnly=yes",
        ]
        if way != "direct" and self.result.hosts[hypervisor].get("ansible_connection") != "local":
            options.append(_jump(key, hypervisor, self.result.hosts[hypervisor]))
        return " ".join(f"-o {shlex.quote(option)}" for option in options)


def _at_home(name: Any, value: Any) -> Any:
    """With ``~/`` in arguments of ssh as ansible reads it: ssh asks the user database where that is, and not HOME."""
    if name not in _SSH_ARGUMENTS or not isinstance(value, str):
        return value
    return re.sub(r"(?<![^\s=])~/", lambda _home: shlex.quote(os.path.expanduser("~/")), value)


def _port_from_file(key: str, given: Mapping[Any, Any], directory: str) -> dict[str, int]:
    """The port of a hypervisor that gets another one at each start, as whoever starts it has written it down."""
    if given.get("port_file") is None:
        return {}
    key = f"{key}.port_file"
    path = _path(key, given["port_file"], directory)
    if given.get("ansible_port") is not None:
        raise LabError(key, "ansible_port as well", "one of them")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except OSError as error:
        allowed = "a file with a port: start the hypervisor first (the sandbox: make sandbox-up)"
        raise LabError(key, f"{path}: {error.strerror}", allowed) from error
    return {"ansible_port": _integer(key, text, 1, 65535)}


def _jump(key: str, hypervisor: str, variables: Mapping[str, Any]) -> str:
    """The way over a hypervisor, as ansible itself gets to it. Its key is not in this lab's known_hosts."""
    host = str(variables.get("ansible_host") or hypervisor)
    user, port = variables.get("ansible_user"), variables.get("ansible_port")
    for variable, value in (("ansible_host", host), ("ansible_user", user), ("ansible_port", port)):
        if value is not None and ("{{" in str(value) or re.search(r"[\s,@'\"\\]", str(value)) or str(value)[:1] == "-"):
            raise LabError(f"{key}.{variable}", repr(value), "a plain value, since guests are reached by it too")
    identity = variables.get("ansible_ssh_private_key_file")
    arguments = " ".join(str(variables[name]) for name in _SSH_ARGUMENTS if variables.get(name))
    if not identity and not arguments:
        target = f"[{host}]" if ":" in host else host
        return f"ProxyJump={f'{user}@' if user else ''}{target}{f':{port}' if port else ''}"
    # ProxyJump knows nothing of keys and options but what ~/.ssh/config says. A shell reads this, and ssh replaces %h.
    command = ["ssh", *shlex.split(arguments)]
    command += ["-i", os.path.expanduser(str(identity))] if identity else []
    command += ["-p", str(port)] if port else []
    command += ["-l", str(user)] if user else []
    return "ProxyCommand=" + shlex.join([part.replace("%", "%%") for part in command] + ["-W", "[%h]:%p", host])


def _in_config(path: str) -> str:
    """A path as ssh reads it in its configuration, where % begins a token and blanks part files."""
    return '"' + path.replace("%", "%%") + '"'


def _parent(key: str) -> str:
    return key.rpartition(".")[0]


def _check_keys(key: str, given: Mapping[Any, Any], known: Iterable[str], *more: str) -> None:
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        where = f"{key}.{unknown[0]}" if key else unknown[0]
        raise LabError(where, "a key that is not known here", ", ".join([*sorted(known), *more]))


def _mapping(key: str, given: Any) -> Mapping[Any, Any]:
    if not isinstance(given, Mapping):
        raise LabError(key, "nothing" if given is None else repr(given), "a mapping of keys and values")
    return given


def _variables(key: str, given: Any) -> dict[str, Any]:
    variables = _mapping(f"{key}.variables", {} if given is None else given)
    for name in variables:
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise LabError(f"{key}.variables", repr(name), "names of letters, digits and _, no digit first")
    return dict(variables)


def _roles(key: str, given: Any) -> list[str]:
    roles = [given] if isinstance(given, str) else given
    if not isinstance(roles, Sequence):
        raise LabError(key, repr(given), f"a list of {', '.join(sorted(ROLES))}")
    for role in roles:
        if not isinstance(role, str) or role not in ROLES:
            raise LabError(key, repr(role), ", ".join(sorted(ROLES)))
    return [str(role) for role in dict.fromkeys(roles)]


def _host_name(key: str, given: Any) -> str:
    allowed = "a host name: letters, digits and - in parts of up to 63, with dots between them"
    if not isinstance(given, str) or len(given) > 253 or not all(map(_LABEL.fullmatch, given.split("."))):
        raise LabError(key, repr(given), allowed)
    # Digits and dots alone would be taken for an address.
    if given.lower() in _RESERVED or given.replace(".", "").isdigit():
        raise LabError(key, repr(given), f"{allowed}; no number, and none of {', '.join(_RESERVED)}")
    return str(given)


def _word(key: str, given: Any) -> str:
    if not isinstance(given, str) or not _LABEL.fullmatch(given):
        raise LabError(key, repr(given), "up to 63 letters, digits and -")
    return str(given)


def _integer(key: str, given: Any, low: int, high: int) -> int:
    text = str(given)
    if isinstance(given, bool) or not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise LabError(key, repr(given), f"{low} to {high}")
    return int(text)


def _path(key: str, given: Any, directory: str) -> str:
    # Quotes and line ends are what ssh's configuration has no way to write.
    if not isinstance(given, (str, os.PathLike)) or re.search(r"[\"\n\r\0]", os.fspath(given)):
        raise LabError(key, repr(given), "a path without double quotes and line ends")
    return os.path.abspath(os.path.join(directory, os.path.expanduser(os.fspath(given))))


def _network(given: Any) -> Any:
    allowed = "a network such as 192.0.2.0/24, its first address and its length"
    try:
        if not isinstance(given, str) or "/" not in given:
            raise ValueError
        network = netaddr.IPNetwork(given)
    except (netaddr.AddrFormatError, ValueError, TypeError) as error:
        raise LabError("network", "nothing" if given is None else repr(given), allowed) from error
    if network.ip != network.network:
        raise LabError("network", repr(given), f"{network.cidr} if that is meant")
    return network


def _not_for_hosts(network: Any) -> tuple[Any, ...]:
    """The network itself and, for IPv4, everybody in it."""
    return (network[0], network[-1]) if network.version == 4 else (network[0],)


def _parse_address(key: str, given: Any) -> Any:
    try:
        return netaddr.IPAddress(given if isinstance(given, str) else "", flags=netaddr.INET_PTON)
    except (netaddr.AddrFormatError, ValueError, TypeError) as error:
        raise LabError(key, repr(given), "an IP address") from error


def _parse_mac(key: str, given: Any) -> Any:
    try:
        mac = netaddr.EUI(given if isinstance(given, str) else "", version=48)
    except (netaddr.AddrFormatError, ValueError, TypeError) as error:
        raise LabError(key, repr(given), "a MAC address such as 02:00:00:00:00:05, in quotes") from error
    if (int(mac) >> 40) & 1 or not int(mac):
        raise LabError(key, repr(given), "the address of one interface: the first byte even, not all bytes zero")
    return mac
