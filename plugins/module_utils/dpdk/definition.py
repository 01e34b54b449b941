# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a testpmd shall be: validated, and turned into its command line and its own commands."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

FORWARD_MODES = ("io", "mac", "macswap", "flowgen", "rxonly", "txonly", "csum", "icmpecho", "noisy", "5tswap")
# Modes that make packets, and how many bytes of FCS each of them takes off the length it is told.
# flowgen.c subtracts RTE_ETHER_CRC_LEN itself, txonly.c does not.
_GENERATOR_FCS_TAKEN = {"flowgen": 4, "txonly": 0}
_FCS_BYTES = 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_VDEV = re.compile(r"(net|eth)_[a-z0-9_]+")
# EAL splits device arguments at these; there is no way to quote them.
_DEVARGS_BAD = re.compile(r"[,=\s\0]")
_RANGES = {
    "memory_mib": (16, 1 << 20),
    "queues": (1, 256),
    "mbufs": (512, 1 << 24),
    "burst": (1, 512),
    "packet_size": (64, 9728),
    "numa_node": (0, 63),
}
_NUMBERS = (*_RANGES, "descriptors")


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
class Definition:
    """A testpmd. Fields in ``LIVE`` can change while it runs; any other change needs a new process."""

    name: str
    cpus: tuple[int, ...]
    main_cpu: int
    ports: tuple[Port, ...]
    huge_dir: str
    memory_mib: int = 128
    numa_node: int = 0
    queues: int = 1
    descriptors: int = 0
    mbufs: int = 8192
    eal_arguments: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    forward_mode: str = "io"
    burst: int = 32
    packet_size: int = 64
    forwarding: bool = False

    LIVE = ("forward_mode", "burst", "packet_size", "forwarding")

    @property
    def file_prefix(self) -> str:
        """EAL's name for the files of this process: runtime directory and hugepage files."""
        return f"virtperf-{self.name}"

    @property
    def frame_bytes(self) -> int:
        """Bytes of a generated frame in the ring: the packet size without its FCS."""
        return self.packet_size - _FCS_BYTES

    def launch_part(self) -> dict[str, Any]:
        """What only a new process can change, as JSON holds it."""
        return {key: value for key, value in self.as_dict().items() if key not in self.LIVE}

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it: lists for tuples."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def command(self, testpmd: str) -> list[str]:
        """The command line: EAL's arguments, then testpmd's own.

        Each lcore is bound to one CPU; the main lcore, which only answers, has its own number, so that it may share
        a CPU with a forwarding one on small machines.
        """
        lcores = [f"0@{self.main_cpu}", *(f"{n}@{cpu}" for n, cpu in enumerate(self.cpus, start=1))]
        pci = [port for port in self.ports if port.is_pci]
        virtual = [port for port in self.ports if not port.is_pci]
        memory = ["0"] * self.numa_node + [str(self.memory_mib)]
        return [
            testpmd,
            f"--lcores={','.join(lcores)}",
            "--main-lcore=0",
            *([] if pci else ["--no-pci"]),
            f"--file-prefix={self.file_prefix}",
            f"--huge-dir={self.huge_dir}",
            # vhost-user hands each file to the other end and takes at most eight of them.
            "--single-file-segments",
            f"--socket-mem={','.join(memory)}",
            # The ring size and features that were negotiated stand only in this log.
            "--log-level=pmd.net.virtio.init:debug",
            *(f"--allow={port.devargs}" for port in pci),
            *(f"--vdev={port.devargs}" for port in virtual),
            *self.eal_arguments,
            "--",
            "--interactive",
            f"--nb-cores={len(self.cpus)}",
            f"--rxq={self.queues}",
            f"--txq={self.queues}",
            *([f"--rxd={self.descriptors}", f"--txd={self.descriptors}"] if self.descriptors else []),
            f"--total-num-mbufs={self.mbufs}",
            f"--burst={self.burst}",
            f"--forward-mode={self.forward_mode}",
            "--record-core-cycles",
            "--record-burst-stats",
            *self.arguments,
        ]

    def size_command(self) -> str | None:
        """What tells testpmd the size of the packets it makes; None for modes that make none."""
        taken = _GENERATOR_FCS_TAKEN.get(self.forward_mode)
        return None if taken is None else f"set txpkts {self.frame_bytes + taken}"

    def commands_from(self, old: Definition | None) -> list[str]:
        """testpmd's own commands that lead from a running ``old`` (None: just launched, stopped) to this."""
        steps: list[str] = []
        if old is None or old.forward_mode != self.forward_mode:
            steps += [] if old is None else [f"set fwd {self.forward_mode}"]
        if old is not None and old.burst != self.burst:
            steps.append(f"set burst {self.burst}")
        size = self.size_command()
        if size and (old is None or old.size_command() != size):
            steps.append(size)
        was_forwarding = old is not None and old.forwarding
        if was_forwarding and (steps or not self.forwarding):
            steps.insert(0, "stop")
            was_forwarding = False
        if self.forwarding and not was_forwarding:
            steps.append("start")
        return steps


def parse(raw: Mapping[str, Any]) -> Definition:
    """A validated definition from module arguments or a state file; VirtperfError names the instance and the field."""
    name = str(raw.get("name", ""))
    if not _NAME.fullmatch(name):
        raise VirtperfError(
            f"a testpmd cannot be named {name!r}",
            way_out="use up to 32 letters, digits, '-' and '_', a letter or digit first: it becomes part of file names",
        )
    given = {key: value for key, value in raw.items() if value is not None}
    unknown = sorted(set(given) - set(Definition.__dataclass_fields__))
    if unknown:
        raise _wrong(name, ", ".join(unknown), "unknown", f"known are {', '.join(Definition.__dataclass_fields__)}")
    cpus = tuple(_number(name, "cpus", cpu) for cpu in _list(name, "cpus", given.get("cpus", ())))
    if not cpus:
        raise _wrong(name, "cpus", "an empty list", "give one CPU for each forwarding core")
    if len(set(cpus)) != len(cpus):
        raise _wrong(name, "cpus", f"{list(cpus)}", "each forwarding core needs a CPU of its own")
    definition = Definition(
        **{
            "huge_dir": "",
            **given,
            **{key: _number(name, key, given[key]) for key in _NUMBERS if key in given},
            "name": name,
            "cpus": cpus,
            "main_cpu": _number(name, "main_cpu", given.get("main_cpu", cpus[0])),
            "ports": tuple(_port(name, port) for port in _list(name, "ports", given.get("ports", ()))),
            "eal_arguments": _words(name, "eal_arguments", given),
            "arguments": _words(name, "arguments", given),
        }
    )
    _check_ranges(definition)
    return definition


def _list(name: str, key: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise _wrong(name, key, repr(value), "give a list")
    return value


def _number(name: str, key: str, value: Any) -> int:
    text = "" if isinstance(value, bool) else str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _wrong(name, key, repr(value), "give a whole number, 0 or more")
    return int(text)


def _words(name: str, key: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    words = tuple(str(word) for word in _list(name, key, given.get(key, ())))
    if "\0" in "".join(words):
        raise _wrong(name, key, repr(words), "a command line cannot hold NUL")
    return words


def _port(name: str, raw: Any) -> Port:
    if not isinstance(raw, Mapping):
        raise _wrong(name, "ports", repr(raw), "give each port's device and options")
    device, given = str(raw.get("device", "")), raw.get("options") or {}
    if not isinstance(given, Mapping):
        raise _wrong(name, f"ports[{device}]", repr(given), "options are names with values")
    options = {str(key): _option(value) for key, value in given.items()}
    port = Port(device, options)
    if not port.is_pci and not _VDEV.fullmatch(device):
        raise _wrong(name, "ports", repr(device), "a device is net_vhost0, net_virtio_user0, ... or 0000:03:00.0")
    for key, value in options.items():
        if not key or _DEVARGS_BAD.search(key) or _DEVARGS_BAD.search(value):
            raise _wrong(
                name, f"ports[{device}].{key}", repr(value), "EAL's device arguments cannot hold ',', '=' or blanks"
            )
    path = port.serves or port.connects
    if path is not None and (not os.path.isabs(path) or len(os.fsencode(path)) > 107):
        raise _wrong(name, f"ports[{device}]", repr(path), "a socket path is absolute and at most 107 bytes long")
    return port


def _option(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _check_ranges(definition: Definition) -> None:
    name = definition.name
    if not definition.ports:
        raise _wrong(name, "ports", "an empty list", "give at least one port")
    for key, (low, high) in _RANGES.items():
        value = getattr(definition, key)
        if not low <= value <= high:
            raise _wrong(name, key, str(value), f"from {low} to {high}")
    descriptors = definition.descriptors
    if descriptors and (descriptors & (descriptors - 1) or not 32 <= descriptors <= 32768):
        raise _wrong(name, "descriptors", str(descriptors), "a power of two from 32 to 32768, or 0: the driver's own")
    if definition.forward_mode not in FORWARD_MODES:
        raise _wrong(name, "forward_mode", repr(definition.forward_mode), f"one of {', '.join(FORWARD_MODES)}")
    if not isinstance(definition.forwarding, bool):
        raise _wrong(name, "forwarding", repr(definition.forwarding), "true or false")
    huge_dir: Any = definition.huge_dir
    if not isinstance(huge_dir, str) or not os.path.isabs(huge_dir) or "\0" in huge_dir:
        raise _wrong(name, "huge_dir", repr(definition.huge_dir), "the absolute path of a hugetlbfs mount")


def _wrong(name: str, key: str, found: str, way_out: str) -> VirtperfError:
    return VirtperfError(f"testpmd {name}: {key} is not usable", found=found, way_out=way_out)
