# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMs of this host: every QEMU process, whoever started it, with its name and what it was started with."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Identity, identify
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import instance
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.netdevs import options, value_of

_PROGRAM = re.compile(r"qemu-system-\w+|qemu-kvm|kvm", re.ASCII)
OURS, LIBVIRT, OTHER = "virtperf", "libvirt", "other"


@dataclass(frozen=True)
class Vm:
    """A QEMU process. ``manager`` is who started it: this collection, libvirt, or somebody else."""

    name: str
    manager: str
    identity: Identity
    words: tuple[str, ...]

    @property
    def pid(self) -> int:
        """Its process."""
        return self.identity.pid

    @property
    def uuid(self) -> str:
        """As given to QEMU, or ""."""
        return value_of(self.words, "uuid")

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def find(host: Host, unreadable: list[str] | None = None) -> list[Vm]:
    """All of them, by pid. Where only root may see which of them are ours, none is, and ``unreadable`` says so."""
    try:
        names = instance.names(host)
    except PermissionError as error:
        names = []
        if unreadable is not None:
            unreadable.append(str(error.filename))
    ours = {}
    for name in names:
        identity = instance.Instance(host, name).identity()
        if identity:
            ours[identity] = name
    found = []
    for pid in host.process_ids():
        words = _words(host, pid)
        if not words or not _PROGRAM.fullmatch(_program(host, pid, words)):
            continue
        try:
            identity = identify(host, pid)
        except VirtperfError:
            continue  # it ended since we looked
        manager = OURS if identity in ours else LIBVIRT if _is_libvirts(words) else OTHER
        found.append(Vm(ours.get(identity) or _name(words) or f"pid {pid}", manager, identity, tuple(words)))
    return found


def pick(vms: list[Vm], name: str, pid: int | None) -> Vm:
    """The one that is meant; VirtperfError when there is none, or more than one."""
    fitting = [vm for vm in vms if (pid is None or vm.pid == pid) and name in ("", vm.name, vm.uuid)]
    if len(fitting) == 1:
        return fitting[0]
    what = " and ".join([*([f"name {name!r}"] if name else []), *([f"pid {pid}"] if pid is not None else [])])
    if fitting:
        raise VirtperfError(
            f"{len(fitting)} VMs have the {what}",
            found=", ".join(map(str, fitting)),
            way_out="give the pid of the one that is meant",
        )
    raise VirtperfError(
        f"there is no running VM with the {what}",
        found=", ".join(map(str, vms)) or "no QEMU process at all",
        way_out="start it, or give the name or pid of one that runs",
    )


def _words(host: Host, pid: int) -> list[str]:
    return [word for word in host.read_or(f"{host.proc}/{pid}/cmdline").split("\0") if word]


def _program(host: Host, pid: int, words: list[str]) -> str:
    """The program's file; whoever may not see that has to believe its first word."""
    try:
        path = os.readlink(f"{host.proc}/{pid}/exe")
    except OSError:
        path = words[0]
    return os.path.basename(path.replace(" (deleted)", ""))


def _is_libvirts(words: list[str]) -> bool:
    """libvirt calls its monitor so, in every version, and gives the name as ``guest=``."""
    return any("id=charmonitor" in word or '"chardev":"charmonitor"' in word for word in words)


def _name(words: list[str]) -> str:
    given = options(value_of(words, "name"))
    return given.get("guest") or given.get("type", "")
