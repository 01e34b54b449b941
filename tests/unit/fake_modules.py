# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's modules in a directory: they load with what they need, hold each other, and refuse as the kernel does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.system import System

# As on Debian's 6.12: what each needs, and its parameters (default, type, mode).
NEEDS = {
    "vhost_iotlb": [],
    "vhost": ["vhost_iotlb"],
    "tun": [],
    "vhost_net": ["vhost", "tun"],
    "vhost_vsock": ["vhost"],
    "dummy": [],
}
PARAMETERS = {
    "vhost": {
        "fork_from_owner_default": ("Y", "bool", 0o444),
        "max_mem_regions": ("64", "ushort", 0o444),
    },
    "vhost_net": {"experimental_zcopytx": ("0", "int", 0o444), "poll": ("5", "int", 0o644)},
    "dummy": {"numdummies": ("0", "int", 0o000)},
}


class FakeSystem(System):
    """Loads and unloads in the directory; ``calls`` are the changes made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.dev = str(root / "dev")
        self.modules = str(root / "lib/modules")
        self.calls: list[str] = []
        self.loaded: dict[str, list[str]] = {}  # and who holds them
        self.users: dict[str, int] = {}
        self.broken: set[str] = set()
        self.deaf: set[str] = set()  # parameters that keep their defaults without an error
        self.defaults: dict[str, str] = {}
        self.unloadable = True
        self.show()

    def has(self, name: str) -> bool:
        """Whether the directory's kernel knows it; an alias is known as well."""
        return name in NEEDS or name == "char_major_10_238"

    def needed(self, name: str) -> list[str]:
        """Depth first, as modprobe tells it."""
        name = {"char_major_10_238": "vhost_net"}.get(name, name)
        if name not in NEEDS:
            return []
        return list(dict.fromkeys([*(each for need in NEEDS[name] for each in self.needed(need)), name]))

    def parameters(self, name: str) -> dict[str, str]:
        """As modinfo tells them."""
        return {key: kind for key, (_default, kind, _mode) in PARAMETERS.get(name, {}).items()}

    def load(self, name: str, parameters: Mapping[str, str]) -> None:
        """What it needs first; parameters are for the module alone, and only while it is not there."""
        for module in self.needed(name):
            if module in self.loaded:
                continue
            if module in self.broken:
                raise VirtperfError(f"the module {module} cannot be loaded", found="Key was rejected by service")
            self.loaded[module] = []
            for need in NEEDS[module]:
                self.loaded[need].insert(0, module)
            given = parameters if module == name else {}
            words = "".join(f" {key}={value}" for key, value in given.items())
            self.calls.append(f"load {module}{words}")
            self._write_parameters(module, given)
        self.show()

    def unload(self, name: str) -> None:
        """Refused while it is held or used."""
        if self.loaded[name] or self.users.get(name):
            raise VirtperfError(f"the module {name} cannot be unloaded", found="Module is in use")
        del self.loaded[name]
        for holders in self.loaded.values():
            if name in holders:
                holders.remove(name)
        shutil.rmtree(self.root / "sys/module" / name)
        self.calls.append(f"unload {name}")
        self.show()

    def use(self, name: str, pid: int, comm: str, device: str = "") -> None:
        """A process that has it open; without a device nobody can tell."""
        self.users[name] = self.users.get(name, 0) + 1
        if device:
            fd = self.root / "proc" / str(pid) / "fd"
            fd.mkdir(parents=True)
            (fd.parent / "comm").write_text(f"{comm}\n")
            (fd / "0").symlink_to("/dev/null")
            (fd / "7").symlink_to(f"{self.dev}/{device}")
        self.show()

    def built_in(self, name: str, **parameters: tuple[str, int]) -> None:
        """A module that is in /sys/module alone, with (value, mode) of its parameters."""
        folder = self.root / "sys/module" / name / "parameters"
        folder.mkdir(parents=True)
        for key, (value, mode) in parameters.items():
            (folder / key).write_text(f"{value}\n")
            (folder / key).chmod(mode)

    def values(self, name: str) -> dict[str, str]:
        """What its parameters say."""
        folder = self.root / "sys/module" / name / "parameters"
        return {path.name: path.read_text().strip() for path in folder.glob("*")}

    def _write_parameters(self, module: str, given: Mapping[str, str]) -> None:
        folder = self.root / "sys/module" / module / "parameters"
        folder.mkdir(parents=True)
        for key, (default, kind, mode) in PARAMETERS.get(module, {}).items():
            value = self.defaults.get(key, default)
            if key in given and key not in self.deaf:
                value = given[key]
            if kind == "bool":
                value = {"1": "Y", "0": "N"}.get(value, value)
            if mode:
                (folder / key).write_text(f"{value}\n")
                (folder / key).chmod(mode)

    def show(self) -> None:
        """Write /proc/modules."""
        lines = []
        for name, holders in reversed(self.loaded.items()):
            count = len(holders) + self.users.get(name, 0) if self.unloadable else "-"
            held = "".join(f"{holder}," for holder in holders) if holders and self.unloadable else "-"
            lines.append(f"{name} 65536 {count} {held} Live 0xffffffffc0000000\n")
        (self.root / "proc").mkdir(exist_ok=True)
        (self.root / "proc/modules").write_text("".join(lines))


@dataclass(frozen=True)
class ModuleHost(Host):
    """A host whose kernel files are files; ``written`` are the writes, ``refuses`` the paths' ends that refuse one."""

    written: list[tuple[str, str]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    def write_kernel(self, path: str, value: str) -> None:
        """Replace the text, as the kernel shows it then."""
        if any(path.endswith(end) for end in self.refuses):
            raise OSError(22, "Invalid argument", path)
        self.written.append((path, value))
        was = Path(path).read_text().strip()
        shown = {"1": "Y", "0": "N"}.get(value, value) if was in ("Y", "N") else value.strip()
        Path(path).write_text(f"{shown}\n")


def module_host(root: Path) -> ModuleHost:
    """A host with nothing loaded."""
    boot = root / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("this-boot\n")
    (root / "proc/sys/kernel/osrelease").write_text("6.12.1\n")
    os.makedirs(root / "sys/module")
    return ModuleHost(proc=str(root / "proc"), sys=str(root / "sys"), run=str(root / "run"), state=str(root / "state"))
