# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of hugepages as the kernel has them.

The kernel's words: a pool has ``nr_hugepages`` pages in total, of which some are ``free``. Of the free ones some are
``reserved``, promised to a process that has not touched them yet. ``surplus`` pages are those above the number that was
asked for; each goes away when its user ends. The number that can be written, and that stays, is total - surplus:
``kept`` here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import hugetlbfs
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import human, label

_DIRECTORY = re.compile(r"hugepages-(\d+)kB")


@dataclass(frozen=True)
class Pool:
    """The pages of one size, on the whole host or on one node, at one moment.

    The kernel counts reservations for the host only; a node's are those that no other node could honour.
    """

    size_kb: int
    node: int | None
    total: int
    free: int
    reserved: int
    surplus: int

    @property
    def kept(self) -> int:
        """Pages that the pool keeps: what was asked for, as far as it was granted."""
        return self.total - self.surplus

    @property
    def in_use(self) -> int:
        """Pages that are somebody's: allocated or promised."""
        return self.total - self.free + self.reserved

    @property
    def available(self) -> int:
        """Pages that the next asker can have."""
        return self.free - self.reserved

    @property
    def name(self) -> str:
        """For messages."""
        return f"hugepages of {label(self.size_kb)}" + ("" if self.node is None else f" on node {self.node}")

    def counts(self) -> dict[str, int]:
        """For results."""
        return {"total": self.total, "free": self.free, "reserved": self.reserved, "surplus": self.surplus}

    def with_kept(self, count: int) -> Pool:
        """What becomes of the pool when ``count`` is written and all of it granted: surplus pages are kept first."""
        surplus = max(0, self.surplus - max(0, count - self.kept))
        grown = count + surplus - self.total
        return replace(self, total=self.total + grown, free=self.free + grown, surplus=surplus)


def sizes(host: Host) -> tuple[int, ...]:
    """The sizes of hugepages that the kernel has, in kB."""
    try:
        names = os.listdir(f"{host.sys}/kernel/mm/hugepages")
    except FileNotFoundError:
        return ()
    return tuple(sorted(int(match[1]) for match in map(_DIRECTORY.fullmatch, names) if match))


def observe(host: Host, size_kb: int, node: int | None = None) -> Pool:
    """Read a pool of a size and node that exist."""
    total, free, surplus = (_count(host, size_kb, node, name) for name in ("nr", "free", "surplus"))
    reserved = _count(host, size_kb, None, "resv")
    if node is not None:
        elsewhere = _count(host, size_kb, None, "free") - free
        reserved = max(0, reserved - elsewhere)
    return Pool(size_kb, node, total, free, reserved, surplus)


def _count(host: Host, size_kb: int, node: int | None, name: str) -> int:
    return int(host.read(f"{directory(host, size_kb, node)}/{name}_hugepages"))


def directory(host: Host, size_kb: int, node: int | None) -> str:
    """Where the kernel has the files of a pool."""
    base = f"{host.sys}/kernel/mm" if node is None else f"{host.sys}/devices/system/node/node{node}"
    return f"{base}/hugepages/hugepages-{size_kb}kB"


def holders(host: Host) -> list[dict[str, Any]]:
    """The processes that have hugepages mapped, of whatever size, and how much of them."""
    found = []
    for pid in host.process_ids():
        status = host.read_or(f"{host.proc}/{pid}/status")
        mapped = re.search(r"^HugetlbPages:\s+([1-9]\d*) kB", status, re.MULTILINE)
        if mapped:
            name = status.partition("\n")[0].partition("\t")[2]
            found.append({"pid": pid, "name": name, "size_kb": int(mapped[1])})
    return found


def held_by(host: Host) -> str:
    """Who may have the pages of a pool, for messages."""
    who = [f"{holder['name']} (pid {holder['pid']}, {human(holder['size_kb'])})" for holder in holders(host)]
    for mount in hugetlbfs.mounts(host):
        if mount.kind == "hugetlbfs" and os.access(mount.path, os.R_OK) and (files := os.listdir(mount.path)):
            who.append(f"files in {mount.path} ({len(files)})")
    return "; hugepages are held by " + ", ".join(who) if who else ""
