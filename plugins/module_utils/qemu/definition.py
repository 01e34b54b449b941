# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VM shall be: typed and validated, nothing of it looked up on the host."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, TypeVar

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import label, parse_size

ACCELERATORS = ("auto", "kvm", "tcg")
POLICIES = ("bind", "preferred", "interleave")
CACHES = ("writeback", "none", "unsafe")
ROLES = ("client", "server")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,=+-]*")
_CPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,=+ -]*")
_IFNAME = re.compile(r"[^\s/:\0]{1,15}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_PROPERTY = re.compile(r"[a-z0-9][A-Za-z0-9_-]*")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,254}")
_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_READY = re.compile(r"[A-Za-z0-9 :._-]*")
# These follow from other fields: said twice, they could say two things.
DERIVED_PROPERTIES = frozenset(
    {"id", "netdev", "bus", "addr", "mac", "mq", "vectors", "rx_queue_size", "tx_queue_size"}
)
# sun_path holds 108 bytes with its NUL.
_SOCKET_BYTES = 107
# Slots on the root bus of q35 and pc, clear of the chipset's own; what extra arguments add takes the first one free.
# Ports come after the disks and end before the seed: where they are more than 14, they begin in slots that no disk has.
_MOST_DISKS = 8
_FIRST_DISK_SLOT, _FIRST_PORT_SLOT = 0x08, 0x10
# Behind the disks, which keep their names then.
SEED_SLOT = 0x1E
_MOST_DISKS_AND_PORTS = SEED_SLOT - _FIRST_DISK_SLOT
# PCI has no room for more of them.
_MOST_VECTORS = 2048


@dataclass(frozen=True)
class Memory:
    """Guest memory: from hugetlbfs with ``huge_path``, else from a memfd (``share``) or anonymous."""

    size: str
    huge_path: str = ""
    share: bool = False
    prealloc: bool | None = None
    nodes: tuple[int, ...] = ()
    policy: str = "bind"

    @property
    def size_kb(self) -> int:
        """In kB of 1024 bytes."""
        return parse_size(self.size)

    @property
    def preallocates(self) -> bool:
        """Hugepages are taken at the start unless asked otherwise: a first touch in a trial would be measured."""
        return bool(self.huge_path) if self.prealloc is None else self.prealloc


@dataclass(frozen=True)
class Disk:
    """A disk over a base that is never written to: a qcow2 overlay takes the writes, or nothing does (``readonly``)."""

    base: str
    readonly: bool = False
    cache: str = "writeback"
    min_free: str = "512MiB"


@dataclass(frozen=True)
class VhostUser:
    """A vhost-user port. ``role`` is QEMU's end of the socket; ``reconnect`` in s, 0 for never."""

    socket: str
    queues: int = 1
    role: str = "client"
    reconnect: int = 1
    rx_queue_size: int | None = None
    tx_queue_size: int | None = None
    mac: str = ""
    virtio: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tap:
    """A tap port, served by vhost-net unless ``vhost`` is false. QEMU makes the interface if there is none.

    A ``macvtap`` has to be there, and is opened for QEMU. ``poll_us`` is how long the worker polls before it sleeps,
    ``sndbuf`` how many bytes the guest may have on their way (0: any number), ``vectors`` MSI-X vectors of its own
    choice (0: interrupts as before MSI).
    """

    ifname: str
    queues: int = 1
    vhost: bool = True
    rx_queue_size: int | None = None
    tx_queue_size: int | None = None
    mac: str = ""
    virtio: Mapping[str, str] = field(default_factory=dict)
    poll_us: int | None = None
    sndbuf: int | None = None
    vectors: int | None = None
    macvtap: bool = False


@dataclass(frozen=True)
class Forward:
    """A TCP port of the host's loopback that leads to one of the guest's."""

    host_port: int
    guest_port: int = 22


@dataclass(frozen=True)
class UserNet:
    """QEMU's own network, for SSH: no privileges, no bridge, slow."""

    forwards: tuple[Forward, ...] = ()
    mac: str = ""


@dataclass(frozen=True)
class CloudInit:
    """What cloud-init in the guest is told, for an image without systemd's credentials.

    ``host_key_file`` is its private SSH host key (ed25519) on the host, with the public one beside it in ``.pub``;
    ``network_config`` cloud-init's own, of version 1 or 2; ``ready`` what it says on its serial console in the end.
    """

    hostname: str
    user: str = "root"
    authorized_keys: tuple[str, ...] = ()
    host_key_file: str = ""
    network_config: Mapping[str, Any] = field(default_factory=dict)
    ready: str = ""


@dataclass(frozen=True)
class Definition:
    """A VM. Any change to it needs a new process."""

    name: str
    memory: Memory
    vcpus: int = 1
    cpu: str = ""
    machine: str = "q35"
    accel: str = "auto"
    disks: tuple[Disk, ...] = ()
    overlay_dir: str = ""
    vhost_user: tuple[VhostUser, ...] = ()
    taps: tuple[Tap, ...] = ()
    user_net: UserNet | None = None
    kernel: str = ""
    initrd: str = ""
    append: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict)
    credential_files: Mapping[str, str] = field(default_factory=dict)
    cloud_init: CloudInit | None = None
    arguments: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it: lists for tuples."""
        listed: dict[str, Any] = _listed(asdict(self))
        return listed

    def public(self) -> dict[str, Any]:
        """For results and logs: credentials by their digests."""
        hidden = {name: f"sha256:{_digest(value)}" for name, value in self.credentials.items()}
        return {**self.as_dict(), "credentials": hidden}

    def differing(self, other: Definition) -> list[str]:
        """The fields in which another definition differs."""
        return [key.name for key in fields(self) if getattr(self, key.name) != getattr(other, key.name)]

    def ports(self) -> list[Port]:
        """Its network devices, in the order in which the guest sees them."""
        found: list[tuple[str, UserNet | VhostUser | Tap]] = []
        if self.user_net is not None:
            found.append(("user0", self.user_net))
        found += [(f"vu{number}", port) for number, port in enumerate(self.vhost_user)]
        found += [(f"tap{number}", port) for number, port in enumerate(self.taps)]
        first = min(_FIRST_PORT_SLOT, SEED_SLOT - len(found))
        return [
            Port(key, backend, backend.mac or derived_mac(self.name, key), first + number)
            for number, (key, backend) in enumerate(found)
        ]

    def disk_slot(self, number: int) -> int:
        """The PCI slot of a disk."""
        return _FIRST_DISK_SLOT + number


@dataclass(frozen=True)
class Port:
    """A network device: its id in QEMU, what is behind it, and what the guest knows it by."""

    key: str
    backend: UserNet | VhostUser | Tap
    mac: str
    slot: int

    @property
    def pci(self) -> str:
        """Its PCI address in the guest."""
        return f"0000:00:{self.slot:02x}.0"

    @property
    def queues(self) -> int:
        """Queue pairs."""
        return 1 if isinstance(self.backend, UserNet) else self.backend.queues

    @property
    def vectors(self) -> int:
        """MSI-X vectors: by default one for each ring, one for the control queue and one for the configuration."""
        asked = self.backend.vectors if isinstance(self.backend, Tap) else None
        return 2 * self.queues + 2 if asked is None else asked


def derived_mac(name: str, key: str) -> str:
    """The same for the same VM and port on every start, and another one for any other: QEMU's own are all alike."""
    return "52:54:00:" + ":".join(re.findall("..", _digest(f"{name}/{key}")[:6]))


def parse(raw: Mapping[str, Any]) -> Definition:
    """A validated definition from module arguments or a state file; VirtperfError names the VM and the field."""
    name = check_name(raw.get("name", ""))
    given = {key: value for key, value in raw.items() if value is not None}
    reader = _Reader(name)
    memory = given.get("memory")
    if not isinstance(memory, Mapping):
        raise reader.wrong("memory", repr(memory), "give at least its size, such as memory: {size: 512MiB}")
    user_net, cloud_init = given.get("user_net"), given.get("cloud_init")
    plain = {
        key: given[key]
        for key in given
        if key
        not in {"memory", "disks", "vhost_user", "taps", "user_net", "credentials", "credential_files", "cloud_init"}
    }
    definition = reader.build(
        Definition,
        "",
        {
            **plain,
            "memory": _memory(reader, memory),
            "disks": tuple(reader.each("disks", given, _disk)),
            "vhost_user": tuple(reader.each("vhost_user", given, _vhost_user)),
            "taps": tuple(reader.each("taps", given, _tap)),
            "user_net": None if user_net is None else _user_net(reader, "user_net", user_net),
            "credentials": _credentials(reader, "credentials", given),
            "credential_files": _credentials(reader, "credential_files", given),
            "cloud_init": None if cloud_init is None else _cloud_init(reader, "cloud_init", cloud_init),
        },
    )
    _check(reader, definition)
    return definition


def check_name(name: Any) -> str:
    """A VM's name as it is given; VirtperfError when it cannot be one."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise VirtperfError(
            f"a VM cannot be named {name!r}",
            way_out="use up to 32 letters, digits, '-' and '_', a letter or digit first: it becomes part of file names",
        )
    return name


_Built = TypeVar("_Built")


class _Reader:
    """Reads typed fields out of JSON-like values, and says whose field was wrong."""

    def __init__(self, name: str) -> None:
        self.name = name

    def wrong(self, key: str, found: str, way_out: str) -> VirtperfError:
        return VirtperfError(f"VM {self.name}: {key} is not usable", found=found, way_out=way_out)

    def build(self, kind: type[_Built], where: str, raw: Any) -> _Built:
        """An instance of a dataclass; fields that are not built yet are read by their annotated type."""
        if not isinstance(raw, Mapping):
            raise self.wrong(where, repr(raw), "give names with values")
        known: dict[str, Field[Any]] = {key.name: key for key in fields(kind)}  # type: ignore[arg-type]
        given = {str(key): value for key, value in raw.items() if value is not None}
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise self.wrong(f"{where}.{unknown[0]}".lstrip("."), "no such field", f"known are {', '.join(known)}")
        for key, spec in known.items():
            if key not in given and spec.default is MISSING and spec.default_factory is MISSING:
                raise self.wrong(f"{where}.{key}".lstrip("."), "nothing", "it has to be given")
        read = {key: self._read(str(known[key].type), f"{where}.{key}".lstrip("."), given[key]) for key in given}
        return kind(**read)

    def _read(self, kind: str, where: str, value: Any) -> Any:
        if kind.startswith("str"):
            return self.text(where, value)
        if kind.startswith("int"):
            return self.number(where, value)
        if kind.startswith("bool"):
            if not isinstance(value, bool):
                raise self.wrong(where, repr(value), "true or false")
            return value
        if kind == "tuple[int, ...]":
            return tuple(self.number(where, item) for item in self.items(where, value))
        if kind == "tuple[str, ...]":
            return tuple(self.text(where, item) for item in self.items(where, value))
        return value

    def text(self, where: str, value: Any) -> str:
        if not isinstance(value, str) or any(mark in value for mark in "\0\n\r"):
            raise self.wrong(where, repr(value), "give a text of one line")
        return value

    def number(self, where: str, value: Any) -> int:
        text = "" if isinstance(value, bool) else str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise self.wrong(where, repr(value), "give a whole number, 0 or more")
        return int(text)

    def items(self, where: str, value: Any) -> Sequence[Any]:
        if not isinstance(value, (list, tuple)):
            raise self.wrong(where, repr(value), "give a list")
        return value

    def each(self, key: str, given: Mapping[str, Any], read: Any) -> list[Any]:
        listed = self.items(key, given.get(key, ()))
        return [read(self, f"{key}[{number}]", item) for number, item in enumerate(listed)]

    def between(self, where: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            raise self.wrong(where, str(value), f"from {low} to {high}")

    def choice(self, where: str, value: str, choices: Sequence[str]) -> None:
        if value not in choices:
            raise self.wrong(where, repr(value), f"one of {', '.join(choices)}")

    def path(self, where: str, value: str, *, empty: bool = False) -> None:
        if not (os.path.isabs(value) or (empty and not value)):
            raise self.wrong(where, repr(value), "give an absolute path")

    def size(self, where: str, value: str) -> str:
        try:
            return label(parse_size(value))
        except VirtperfError as error:
            raise self.wrong(where, repr(value), error.way_out) from error


def _memory(reader: _Reader, raw: Mapping[str, Any]) -> Memory:
    memory = reader.build(Memory, "memory", {**raw, "size": reader.size("memory.size", str(raw.get("size") or ""))})
    reader.path("memory.huge_path", memory.huge_path, empty=True)
    reader.choice("memory.policy", memory.policy, POLICIES)
    if memory.size_kb % 1024:
        raise reader.wrong("memory.size", memory.size, "give whole MiB")
    if len(set(memory.nodes)) != len(memory.nodes):
        raise reader.wrong("memory.nodes", str(list(memory.nodes)), "name each node once")
    return memory


def _disk(reader: _Reader, where: str, raw: Any) -> Disk:
    disk = reader.build(Disk, where, raw)
    reader.path(f"{where}.base", disk.base)
    reader.choice(f"{where}.cache", disk.cache, CACHES)
    reader.size(f"{where}.min_free", disk.min_free)
    return disk


def _vhost_user(reader: _Reader, where: str, raw: Any) -> VhostUser:
    port = reader.build(VhostUser, where, _with_virtio(reader, where, raw))
    reader.path(f"{where}.socket", port.socket)
    if len(os.fsencode(port.socket)) > _SOCKET_BYTES:
        raise reader.wrong(f"{where}.socket", repr(port.socket), f"a socket's path has at most {_SOCKET_BYTES} bytes")
    reader.choice(f"{where}.role", port.role, ROLES)
    _check_device(reader, where, port)
    return port


def _tap(reader: _Reader, where: str, raw: Any) -> Tap:
    port = reader.build(Tap, where, _with_virtio(reader, where, raw))
    if not _IFNAME.fullmatch(port.ifname) or port.ifname in (".", ".."):
        raise reader.wrong(f"{where}.ifname", repr(port.ifname), "an interface has up to 15 letters, no blanks or '/'")
    _check_device(reader, where, port)
    if port.poll_us is not None and not port.vhost:
        raise reader.wrong(
            f"{where}.poll_us", str(port.poll_us), "leave it out, or vhost: true: it is vhost's worker that polls"
        )
    if port.vectors is not None:
        reader.between(f"{where}.vectors", port.vectors, 0, _MOST_VECTORS)
    return port


def _check_device(reader: _Reader, where: str, port: VhostUser | Tap) -> None:
    reader.between(f"{where}.queues", port.queues, 1, 256)
    _check_mac(reader, where, port.mac)
    for key in ("rx_queue_size", "tx_queue_size"):
        size = getattr(port, key)
        if size is not None and size not in (256, 512, 1024):
            raise reader.wrong(f"{where}.{key}", str(size), "QEMU takes 256, 512 or 1024")


def _check_mac(reader: _Reader, where: str, mac: str) -> None:
    if mac and (not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1):
        raise reader.wrong(f"{where}.mac", repr(mac), "six bytes in lower-case hex between colons, not a multicast one")


def _with_virtio(reader: _Reader, where: str, raw: Any) -> Any:
    """The free properties as QEMU writes them: ``on`` and ``off`` for truth, digits for numbers."""
    if not isinstance(raw, Mapping):
        return raw
    virtio = raw.get("virtio") or {}
    if not isinstance(virtio, Mapping):
        raise reader.wrong(f"{where}.virtio", repr(virtio), "give names with values")
    read = {}
    for key, value in sorted(virtio.items(), key=lambda pair: str(pair[0])):
        inside = f"{where}.virtio.{key}"
        if not _PROPERTY.fullmatch(str(key)):
            raise reader.wrong(inside, repr(key), "a property's name has letters, digits, '_' and '-'")
        if key in DERIVED_PROPERTIES:
            raise reader.wrong(inside, repr(value), "it follows from the port's own fields")
        if isinstance(value, bool):
            read[str(key)] = "on" if value else "off"
        elif isinstance(value, (str, int)):
            read[str(key)] = reader.text(inside, str(value))
        else:
            raise reader.wrong(inside, repr(value), "give a text, a whole number, true or false")
    return {**raw, "virtio": read}


def _user_net(reader: _Reader, where: str, raw: Any) -> UserNet:
    if not isinstance(raw, Mapping):
        raise reader.wrong(where, repr(raw), "give names with values, {} for one without forwards")
    given = {key: value for key, value in raw.items() if value is not None}
    items = reader.items(f"{where}.forwards", given.get("forwards", ()))
    forwards = tuple(reader.build(Forward, f"{where}.forwards[{number}]", item) for number, item in enumerate(items))
    for number, forward in enumerate(forwards):
        for key in ("host_port", "guest_port"):
            reader.between(f"{where}.forwards[{number}].{key}", getattr(forward, key), 1, 65535)
    user_net = reader.build(UserNet, where, {**given, "forwards": forwards})
    _check_mac(reader, where, user_net.mac)
    return user_net


def _credentials(reader: _Reader, key: str, given: Mapping[str, Any]) -> dict[str, str]:
    raw = given.get(key, {})
    if not isinstance(raw, Mapping):
        raise reader.wrong(key, type(raw).__name__, "give names with values")
    for name, value in raw.items():
        if not _CREDENTIAL.fullmatch(str(name)):
            raise reader.wrong(f"{key}.{name}", repr(name), "systemd's credentials have names such as network.hosts")
        # Not the value: it may be a secret.
        if not isinstance(value, str) or "\0" in value:
            raise reader.wrong(f"{key}.{name}", type(value).__name__, "give a text without NUL")
        if key == "credential_files":
            reader.path(f"{key}.{name}", reader.text(f"{key}.{name}", value))
    return {str(name): raw[name] for name in sorted(raw, key=str)}


def _cloud_init(reader: _Reader, where: str, raw: Any) -> CloudInit:
    seed = reader.build(CloudInit, where, raw)
    reader.path(f"{where}.host_key_file", seed.host_key_file, empty=True)
    if not _HOSTNAME.fullmatch(seed.hostname):
        raise reader.wrong(f"{where}.hostname", repr(seed.hostname), "letters, digits, '-' and '.'")
    if not _USER.fullmatch(seed.user):
        raise reader.wrong(f"{where}.user", repr(seed.user), "a user's name")
    if not _READY.fullmatch(seed.ready):
        raise reader.wrong(f"{where}.ready", repr(seed.ready), "letters, digits, blanks and :._-: a shell says it")
    try:
        json.dumps(seed.network_config)
    except TypeError as error:
        raise reader.wrong(f"{where}.network_config", str(error), "values as JSON has them") from error
    if not isinstance(seed.network_config, Mapping):
        raise reader.wrong(f"{where}.network_config", repr(seed.network_config), "give names with values")
    return seed


def _check(reader: _Reader, definition: Definition) -> None:
    """What concerns several fields, and the ranges of single ones."""
    reader.between("vcpus", definition.vcpus, 1, 1024)
    reader.choice("accel", definition.accel, ACCELERATORS)
    if not _MACHINE.fullmatch(definition.machine):
        raise reader.wrong("machine", repr(definition.machine), "give what -machine takes, such as q35")
    if definition.cpu and not _CPU.fullmatch(definition.cpu):
        raise reader.wrong("cpu", repr(definition.cpu), "give what -cpu takes, such as host or EPYC,+svm,-cx16")
    for key in ("kernel", "initrd", "overlay_dir"):
        reader.path(key, getattr(definition, key), empty=True)
    if not definition.kernel and (definition.initrd or definition.append):
        raise reader.wrong("kernel", "nothing", "initrd and append go with a kernel")
    both = sorted(set(definition.credentials) & set(definition.credential_files))
    if both:
        raise reader.wrong(f"credentials.{both[0]}", "it is in credential_files too", "give it once")
    if len(definition.disks) > _MOST_DISKS:
        raise reader.wrong("disks", str(len(definition.disks)), f"up to {_MOST_DISKS}")
    ports = definition.ports()
    room = _MOST_DISKS_AND_PORTS - len(definition.disks)
    if len(ports) > room:
        raise reader.wrong(
            "ports",
            str(len(ports)),
            f"up to {room} of all kinds beside {len(definition.disks)} disks: one has a PCI slot",
        )
    macs = [port.mac for port in ports]
    twice = sorted({mac for mac in macs if macs.count(mac) > 1})
    if twice:
        raise reader.wrong("mac", f"{twice[0]} twice", "give each port a MAC of its own")
    if definition.vhost_user and not definition.memory.share:
        raise reader.wrong(
            "memory.share", "false", "true: the other end of a vhost-user port has to see the guest's memory"
        )


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(item) for item in value]
    return value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
