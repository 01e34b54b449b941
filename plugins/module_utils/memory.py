# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a host or one of its NUMA nodes has, and how broken up it is. Sizes are in kB of 1024 bytes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

_SIZE = re.compile(r"([1-9][0-9]{0,9}) ?([kmgt])(?:i?b)?", re.IGNORECASE | re.ASCII)
_MEMINFO = re.compile(r"^(?:Node \d+ +)?(\S+): +(\d+)", re.MULTILINE)
_BUDDIES = re.compile(r"^Node +(\d+), zone +\S+((?: +\d+)+)", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """Total, unused, and what could be had without swapping; None is what the kernel does not tell."""

    total_kb: int | None
    free_kb: int | None
    available_kb: int | None

    def as_dict(self) -> dict[str, Any]:
        """For results."""
        return dict(self.__dict__)

    def __str__(self) -> str:
        names = (("total", self.total_kb), ("free", self.free_kb), ("available", self.available_kb))
        return ", ".join(f"{name} {human(value)}" for name, value in names if value is not None) or "unknown"


def parse_size(text: str) -> int:
    """The kB of ``2MiB``, ``2M``, ``2048kB`` or ``1GiB``: all units are powers of 1024, as the kernel's are."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise VirtperfError(
            f"{text!r} is not a size of memory",
            way_out="write a whole number and its unit, such as 2MiB, 2M, 2048kB or 1GiB",
            size=text,
        )
    return int(match[1]) << 10 * "kmgt".index(match[2].lower())


def label(size_kb: int) -> str:
    """The shortest exact name of a size: ``2MiB`` for 2048."""
    for unit in ("GiB", "MiB"):
        factor = parse_size(f"1{unit}")
        if size_kb and size_kb % factor == 0:
            return f"{size_kb // factor}{unit}"
    return f"{size_kb}kB"


def human(size_kb: int) -> str:
    """A rounded size for messages: ``20.1 GiB``."""
    for unit in ("GiB", "MiB"):
        factor = parse_size(f"1{unit}")
        if size_kb >= factor:
            return f"{size_kb / factor:.1f} {unit}"
    return f"{size_kb} kB"


def meminfo(host: Host, node: int | None = None) -> dict[str, int]:
    """What the kernel tells of memory, by its own names; nothing when it cannot be read."""
    path = f"{host.proc}/meminfo" if node is None else f"{host.sys}/devices/system/node/node{node}/meminfo"
    return {name: int(value) for name, value in _MEMINFO.findall(host.read_or(path))}


def read_memory(host: Host, node: int | None = None) -> Memory:
    """The memory of the host, or of one node; what is available on a node is an estimate (free and caches)."""
    values = meminfo(host, node)
    available = values.get("MemAvailable")
    if node is not None and "MemFree" in values:
        caches = ("MemFree", "Active(file)", "Inactive(file)", "SReclaimable")
        available = sum(values.get(name, 0) for name in caches)
    return Memory(values.get("MemTotal"), values.get("MemFree"), available)


def nodes(host: Host) -> tuple[int, ...]:
    """The NUMA nodes that are online; none on a kernel without NUMA."""
    return cpulist.parse(host.read_or(f"{host.sys}/devices/system/node/online"))


def free_blocks(host: Host, size_kb: int, node: int | None = None) -> int | None:
    """Pieces of ``size_kb`` that lie free in one piece now; None for sizes that the kernel keeps no count of."""
    order = (size_kb * 1024 // os.sysconf("SC_PAGE_SIZE")).bit_length() - 1
    found = None
    for number, counts in _BUDDIES.findall(host.read_or(f"{host.proc}/buddyinfo")):
        larger = [int(count) for count in counts.split()][order:]
        if node in (None, int(number)) and larger:
            found = (found or 0) + sum(count << above for above, count in enumerate(larger))
    return found
