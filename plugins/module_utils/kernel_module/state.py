# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's modules as they are: loaded or built in, who holds them, and their parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.system import System

# Devices that are called otherwise than the module that has them.
_DEVICES = {"kvm_amd": "kvm", "kvm_intel": "kvm"}


@dataclass(frozen=True)
class Line:
    """A line of /proc/modules. ``references`` is None on a kernel that cannot unload modules.

    ``references`` counts each holder once, and everybody else who uses the module.
    """

    name: str
    references: int | None
    holders: tuple[str, ...]
    permanent: bool
    state: str

    @property
    def users(self) -> int:
        """References of others than holders."""
        return max(0, (self.references or 0) - len(self.holders))


@dataclass(frozen=True)
class Parameter:
    """A parameter as the kernel shows it, and whether it can be written while the module is loaded."""

    value: str
    writable: bool


@dataclass(frozen=True)
class Module:
    """A module of the kernel; one that is built in has no line."""

    name: str
    line: Line | None = None
    built_in: bool = False
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    @property
    def loaded(self) -> bool:
        """Whether the kernel has it."""
        return self.built_in or self.line is not None

    def values(self) -> dict[str, str]:
        """The values of its parameters."""
        return {name: parameter.value for name, parameter in sorted(self.parameters.items())}


def canonical(name: str) -> str:
    """As the kernel calls it: vhost-net is vhost_net."""
    return name.strip().replace("-", "_")


def parse_lines(text: str) -> dict[str, Line]:
    """The lines of /proc/modules by name, without those that make no sense."""
    lines = {}
    for words in map(str.split, text.splitlines()):
        # name, size, references, holders, state, address. Without CONFIG_MODULE_UNLOAD two of them are dashes.
        if len(words) >= 5 and (words[2] == "-" or _is_number(words[2])):
            holders = [holder for holder in words[3].split(",") if holder not in ("", "-")]
            lines[words[0]] = Line(
                words[0],
                None if words[2] == "-" else int(words[2]),
                tuple(holder for holder in holders if not holder.startswith("[")),
                "[permanent]" in holders,
                words[4],
            )
    return lines


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()


def lines(host: Host) -> dict[str, Line]:
    """What is loaded, by name; nothing on a kernel without modules."""
    return parse_lines(host.read_or(f"{host.proc}/modules"))


def read(host: Host, system: System, name: str) -> Module:
    """Look at a module. What is in /sys/module and not in /proc/modules is built in."""
    line = lines(host).get(name)
    built_in = line is None and (os.path.isdir(f"{host.sys}/module/{name}") or system.is_built_in(name))
    return Module(name, line, built_in, _parameters(host, name))


def _parameters(host: Host, name: str) -> dict[str, Parameter]:
    folder = f"{host.sys}/module/{name}/parameters"
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return {}
    found = {}
    for parameter in names:
        path = f"{folder}/{parameter}"
        try:
            found[parameter] = Parameter(host.read(path), bool(os.stat(path).st_mode & 0o200))
        except OSError:
            continue  # it can be written only, or has gone with its module
    return found


def parameter_path(host: Host, module: str, parameter: str) -> str:
    """Where a parameter is."""
    return f"{host.sys}/module/{module}/parameters/{parameter}"


def holders_first(known: Mapping[str, Line], names: Sequence[str]) -> list[str]:
    """These modules and all that hold them, each after its own holders: the order to unload them in."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in known and name not in order:
            for holder in known[name].holders:
                visit(holder)
            order.append(name)

    for name in names:
        visit(name)
    return order


def users(host: Host, system: System, name: str) -> list[str]:
    """The processes that have a device of a module open, by the device's name: ``qemu-system-x86 (pid 4711)``."""
    wanted = _DEVICES.get(name, name)
    found = []
    for pid in host.process_ids():
        links = []
        folder = f"{host.proc}/{pid}/fd"
        try:
            links = [_link(f"{folder}/{number}") for number in os.listdir(folder)]
        except OSError:
            continue  # it has ended
        paths = {path for path in links if path.startswith(f"{system.dev}/")}
        opened = sorted(path for path in paths if canonical(os.path.basename(path)) == wanted)
        if opened:
            found.append(f"{host.read_or(f'{host.proc}/{pid}/comm', '?')} (pid {pid}) has {', '.join(opened)} open")
    return found


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
