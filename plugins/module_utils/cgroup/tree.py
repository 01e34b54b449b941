# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of cgroup v2: its directories and files, who is where, and the kernel's rules on threaded cgroups.

A cgroup is named as /proc/<pid>/cgroup does, from the root of the tree: "/machine.slice/a.scope". The rules are those
of kernel/cgroup/cgroup.c, so that a plan can tell beforehand what would be refused.
"""

from __future__ import annotations

import os
import posixpath

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

# The kernel marks them so (``.threaded = true``); all others are domain controllers.
_THREADED = frozenset({"cpu", "cpuset", "perf_event", "pids"})
DOMAIN, THREADED, THREAD_ROOT = "domain", "threaded", "domain threaded"
# Not a word of the kernel's: the root has no cgroup.type, and may hold anything.
ROOT = "root"
_GONE = " (deleted)"


class Tree:
    """Version 2 where it is mounted; ``mount`` is the directory of "/"."""

    def __init__(self, host: Host, mount: str) -> None:
        self.host = host
        self.mount = mount.rstrip("/")

    # -- directories and files ------------------------------------------------------------------------------------

    def directory(self, group: str) -> str:
        """Where a cgroup is in the file system."""
        return f"{self.mount}{group}".rstrip("/")

    def file(self, group: str, name: str) -> str:
        """Where a file of a cgroup is."""
        return f"{self.directory(group)}/{name}"

    def exists(self, group: str) -> bool:
        """Whether there is such a cgroup."""
        return os.path.isdir(self.directory(group))

    def read(self, group: str, name: str) -> str:
        """The text of a file; "" where it does not exist or refuses to be read."""
        return self.host.read_or(self.file(group, name))

    def write(self, group: str, name: str, text: str) -> None:
        """Write to a file; OSError when the kernel refuses."""
        # A write of nothing never reaches the kernel; a line of nothing does, and empties cpuset.cpus.
        self.host.write_kernel(self.file(group, name), text or "\n")

    def make(self, group: str) -> None:
        """Make a cgroup."""
        os.mkdir(self.directory(group))

    def remove(self, group: str) -> None:
        """Remove one that has nobody in it."""
        os.rmdir(self.directory(group))

    def children(self, group: str) -> list[str]:
        """The cgroups directly below."""
        try:
            with os.scandir(self.directory(group)) as entries:
                return sorted(posixpath.join(group, entry.name) for entry in entries if entry.is_dir())
        except FileNotFoundError:
            return []

    # -- what a cgroup is, and who is in it ------------------------------------------------------------------------

    def kind(self, group: str) -> str:
        """``root``, or the kernel's word: ``domain``, ``threaded``, ``domain threaded`` or ``domain invalid``."""
        return self.read(group, "cgroup.type") or (ROOT if group == "/" else DOMAIN)

    def controllers(self, group: str) -> list[str]:
        """Those a cgroup may enable for its children."""
        return self.read(group, "cgroup.controllers").split()

    def enabled(self, group: str) -> list[str]:
        """Those it has enabled for them."""
        return self.read(group, "cgroup.subtree_control").split()

    def is_populated(self, group: str) -> bool:
        """Whether there is a process in it or below."""
        return "populated 1" in self.read(group, "cgroup.events").splitlines()

    def members(self, group: str) -> list[int]:
        """The threads in it, ascending; the threads of its processes where it is a domain."""
        return sorted(int(word) for word in self.read(group, "cgroup.threads").split())

    def processes(self, group: str) -> list[int]:
        """The processes in it, ascending; none in a threaded cgroup, which has threads only."""
        return sorted(int(word) for word in self.read(group, "cgroup.procs").split())

    def group_of(self, tid: int) -> str:
        """The cgroup of a thread; "" when there is no such thread, or its cgroup has been removed."""
        for line in self.host.read_or(f"{self.host.proc}/{tid}/cgroup").splitlines():
            if line.startswith("0::"):
                path = line[3:]
                return "" if path.endswith(_GONE) else path
        return ""

    def domain_of(self, group: str) -> str:
        """The cgroup whose resources a (perhaps threaded) cgroup's processes are charged to."""
        while group != "/" and self.kind(group) == THREADED:
            group = posixpath.dirname(group)
        return group

    # -- the kernel's rules ----------------------------------------------------------------------------------------

    def thread_root_obstacle(self, group: str, but: str = "") -> str:
        """Why threaded cgroups cannot be made below, or "" (cgroup_can_be_thread_root). ``but`` is overlooked."""
        if self.kind(group) in (ROOT, THREADED, THREAD_ROOT):
            return ""
        domains = [
            child
            for child in self.children(group)
            if child != but and self.kind(child) != THREADED and self.is_populated(child)
        ]
        if domains:
            return f"{', '.join(domains)} below {group} {'have' if len(domains) > 1 else 'has'} processes"
        others = [name for name in self.enabled(group) if name not in _THREADED]
        return f"{group} has enabled {', '.join(others)}, which threads cannot have apart" if others else ""

    def threaded_obstacle(self, group: str) -> str:
        """Why a cgroup that exists cannot be made threaded, or "" (cgroup_enable_threaded)."""
        if self.kind(group) == THREADED:
            return ""
        if self.is_populated(group):
            return f"it has {describe(self.host, self.processes(group)) or 'processes below it'}"
        others = [name for name in self.enabled(group) if name not in _THREADED]
        return f"it has enabled {', '.join(others)}, which threads cannot have apart" if others else ""

    def enable_obstacle(self, group: str) -> str:
        """Why cpu and cpuset cannot be enabled in it, or "" (cgroup_vet_subtree_control_enable)."""
        if self.kind(group) in (ROOT, THREADED, THREAD_ROOT) or not self.thread_root_obstacle(group):
            return ""
        processes = self.processes(group)
        return f"it has {describe(self.host, processes)}" if processes else ""


def describe(host: Host, pids: list[int]) -> str:
    """Processes in words, the first few by name."""
    if not pids:
        return ""
    named = [f"{pid} ({host.read_or(f'{host.proc}/{pid}/comm', '?')})" for pid in pids[:4]]
    more = [f"{len(pids) - 4} more"] if len(pids) > 4 else []
    return f"process{'es' if len(pids) > 1 else ''} {', '.join([*named, *more])}"


def above(group: str) -> list[str]:
    """The cgroups above, the root first."""
    found: list[str] = []
    while group != "/":
        group = posixpath.dirname(group)
        found.insert(0, group)
    return found
