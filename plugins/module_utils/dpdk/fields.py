# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the definitions of all DPDK programs have in common: ports, and fields that are read one by one and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_VDEV = re.compile(r"(net|eth)_[a-z0-9_]+")
# EAL splits device arguments at these; there is no way to quote them.
_DEVARGS_BAD = re.compile(r"[,=\s\0]")


@dataclass(frozen=True)
class Port:
    """A port by its device (a virtual device such as net_vhost0, or a PCI address) and its device arguments."""

    device: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_pci(self) -> bool:
        """Whether the device is a PCI function."""
        return bool(_PCI.fullmatch(self.device))

    @property
    def devargs(self) -> str:
        """As EAL's --vdev and --allow take it."""
        return ",".join([self.device, *(f"{key}={value}" for key, value in self.options.items())])

    @property
    def serves(self) -> str | None:
        """The vhost-user socket that this port listens on, if it does."""
        if self.device.startswith(("net_vhost", "eth_vhost")) and self.options.get("client", "0") == "0":
            return self.options.get("iface")
        return None

    @property
    def connects(self) -> str | None:
        """The vhost-user socket that this port connects to, if it does."""
        if self.device.startswith("net_virtio_user") and self.options.get("server", "0") == "0":
            return self.options.get("path")
        return None


@dataclass(frozen=True)
class Memory:
    """Hugepages: so many MiB of those mounted at ``huge_dir``, on one NUMA node."""

    huge_dir: str
    memory_mib: int
    numa_node: int


def eal_arguments(lcores: str, main_lcore: int, file_prefix: str, ports: Sequence[Port], memory: Memory) -> list[str]:
    """EAL's arguments for a process of ours with these ports; ``lcores`` as its option of that name takes them."""
    pci = [port for port in ports if port.is_pci]
    return [
        f"--lcores={lcores}",
        f"--main-lcore={main_lcore}",
        *([] if pci else ["--no-pci"]),
        f"--file-prefix={file_prefix}",
        f"--huge-dir={memory.huge_dir}",
        # vhost-user hands each file to the other end and takes at most eight of them.
        "--single-file-segments",
        f"--socket-mem={','.join(['0'] * memory.numa_node + [str(memory.memory_mib)])}",
        # The ring size and features that were negotiated stand only in this log.
        "--log-level=pmd.net.virtio.init:debug",
        *(f"--allow={port.devargs}" for port in pci),
        *(f"--vdev={port.devargs}" for port in ports if not port.is_pci),
    ]


class Fields:
    """The fields of one raw definition of a program. Its methods raise VirtperfError with the name and the field."""

    def __init__(self, program: str, raw: Mapping[str, Any], known: Collection[str]) -> None:
        self.program = program
        self.name = str(raw.get("name", ""))
        if not _NAME.fullmatch(self.name):
            raise VirtperfError(
                f"a {program} cannot be named {self.name!r}",
                way_out="use up to 32 letters, digits, '-' and '_', a letter or digit first: it becomes part of file"
                " names",
            )
        self.given = {key: value for key, value in raw.items() if value is not None}
        unknown = sorted(set(self.given) - set(known))
        if unknown:
            raise self.wrong(", ".join(unknown), "unknown", f"known are {', '.join(known)}")

    def wrong(self, key: str, found: str, way_out: str) -> VirtperfError:
        """The error for a field."""
        return VirtperfError(f"{self.program} {self.name}: {key} is not usable", found=found, way_out=way_out)

    def cpus(self) -> tuple[int, ...]:
        """One CPU for each forwarding core."""
        cpus = tuple(self.number("cpus", cpu) for cpu in self.listed("cpus"))
        if not cpus:
            raise self.wrong("cpus", "an empty list", "give one CPU for each forwarding core")
        if len(set(cpus)) != len(cpus):
            raise self.wrong("cpus", f"{list(cpus)}", "each forwarding core needs a CPU of its own")
        return cpus

    def ports(self) -> tuple[Port, ...]:
        """The ports, each by its device and options."""
        return tuple(self._port(port) for port in self.listed("ports"))

    def words(self, key: str) -> tuple[str, ...]:
        """Words of a command line."""
        words = tuple(str(word) for word in self.listed(key))
        if "\0" in "".join(words):
            raise self.wrong(key, repr(words), "a command line cannot hold NUL")
        return words

    def numbers(self, keys: Collection[str]) -> dict[str, int]:
        """Those of the fields that are given, as numbers."""
        return {key: self.number(key, self.given[key]) for key in keys if key in self.given}

    def number(self, key: str, value: Any) -> int:
        """A whole number, 0 or more, also from text."""
        text = "" if isinstance(value, bool) else str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise self.wrong(key, repr(value), "give a whole number, 0 or more")
        return int(text)

    def listed(self, key: str) -> Sequence[Any]:
        """A list; empty when it is not given."""
        value = self.given.get(key, ())
        if not isinstance(value, (list, tuple)):
            raise self.wrong(key, repr(value), "give a list")
        return value

    def check_ranges(self, definition: object, ranges: Mapping[str, tuple[int, int]]) -> None:
        """See that a definition's numbers lie within lowest and highest values."""
        for key, (low, high) in ranges.items():
            value = getattr(definition, key)
            if not low <= value <= high:
                raise self.wrong(key, str(value), f"from {low} to {high}")

    def check_huge_dir(self, path: Any) -> None:
        """See that the hugetlbfs mount can be one, as far as its name tells."""
        if not isinstance(path, str) or not os.path.isabs(path) or "\0" in path:
            raise self.wrong("huge_dir", repr(path), "the absolute path of a hugetlbfs mount")

    def _port(self, raw: Any) -> Port:
        if not isinstance(raw, Mapping):
            raise self.wrong("ports", repr(raw), "give each port's device and options")
        device, given = str(raw.get("device", "")), raw.get("options") or {}
        if not isinstance(given, Mapping):
            raise self.wrong(f"ports[{device}]", repr(given), "options are names with values")
        options = {str(key): _option(value) for key, value in given.items()}
        port = Port(device, options)
        if not port.is_pci and not _VDEV.fullmatch(device):
            raise self.wrong("ports", repr(device), "a device is net_vhost0, net_virtio_user0, ... or 0000:03:00.0")
        for key, value in options.items():
            if not key or _DEVARGS_BAD.search(key) or _DEVARGS_BAD.search(value):
                raise self.wrong(
                    f"ports[{device}].{key}", repr(value), "EAL's device arguments cannot hold ',', '=' or blanks"
                )
        path = port.serves or port.connects
        if path is not None and (not os.path.isabs(path) or len(os.fsencode(path)) > 107):
            raise self.wrong(f"ports[{device}]", repr(path), "a socket path is absolute and at most 107 bytes long")
        return port


def _option(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
