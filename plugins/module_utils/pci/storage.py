# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that must stay: a file system, swap or something else of the kernel's is on them."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import System

_OCTAL = re.compile(r"\\([0-7]{3})")


def uses(host: Host, system: System, disk: str) -> list[str]:
    """What a disk is used for, in plain words; nothing when it may go."""
    names = _stack(host, disk)
    numbers = {host.read_or(f"{host.sys}/class/block/{name}/dev"): name for name in names}
    found = []
    for line in host.read_or(f"{host.proc}/self/mountinfo").splitlines():
        fields = line.split(" ")
        if len(fields) < 9 or "-" not in fields:
            continue
        # A file system over several disks, such as btrfs, has a number of its own, and names one of its disks.
        source = os.path.basename(os.path.realpath(_unescape(fields[fields.index("-") + 2])))
        name = numbers.get(fields[2]) or (source if source in names else "")
        if name:
            found.append(f"{_unescape(fields[4])} is mounted from {name}")
    for line in host.read_or(f"{host.proc}/swaps").splitlines()[1:]:
        name = os.path.basename(os.path.realpath(_unescape(line.split()[0])))
        if name in names:
            found.append(f"{name} is swap")
    for path in glob.glob(f"{glob.escape(host.sys)}/fs/btrfs/*/devices/*"):
        if os.path.basename(path) in names:
            found.append(f"{os.path.basename(path)} is part of a mounted btrfs")
    if not found:
        found = [f"{name} is held by the kernel or a program" for name in names if system.is_claimed(name)][:1]
    return found


def _stack(host: Host, disk: str) -> list[str]:
    """A disk, its partitions, and what is built on any of them (device mapper, RAID), each once."""
    found: list[str] = []
    waiting = [disk]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.append(name)
        base = f"{glob.escape(host.sys)}/class/block/{glob.escape(name)}"
        partitions = [os.path.dirname(path) for path in glob.glob(f"{base}/*/partition")]
        waiting += sorted(map(os.path.basename, [*partitions, *glob.glob(f"{base}/holders/*")]))
    return found


def _unescape(field: str) -> str:
    """The kernel writes blanks, tabs, newlines and backslashes in octal."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)
