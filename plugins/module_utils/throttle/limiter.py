# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets ``cpu.max`` of the workers' cgroups, fast enough to be the first instant of a phase; undone from the journal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal

RESOURCE = "cpu_max"


class CpuMaxFiles:
    """The same limit in one cgroup or several (each VM's workers may have one of their own); ``paths`` by label.

    Made before a timeline begins: the journal is written then, so that a change itself is nothing but writes.
    """

    def __init__(self, host: Host, journal: Journal, paths: Mapping[str, str]) -> None:
        self._host = host
        self._paths = dict(paths)
        self._before = {path: _read(host, path) for path in self._paths.values()}
        if self._before:
            inodes = {path: os.stat(path).st_ino for path in self._before}
            journal.append(RESOURCE, before=self._before, inodes=inodes)

    def set(self, cpu_max: str) -> str:
        """Set it everywhere, and return what reads back; where cgroups differ, all that they say."""
        for path in self._paths.values():
            _write(self._host, path, cpu_max)
        said = dict.fromkeys(_read(self._host, path) for path in self._paths.values())
        return ", ".join(said) or cpu_max  # nothing to limit is within any limit

    def restore(self) -> None:
        """Put back what was there. A cgroup that is gone needs nothing."""
        for path, before in self._before.items():
            if os.path.exists(f"{path}/cpu.max"):
                _write(self._host, path, before)


def undo_cpu_max(host: Host, undo: Mapping[str, Any]) -> str:
    """Put back the limits that a journal entry names, in cgroups that are still the same ones."""
    done = []
    for path, before in undo["before"].items():
        file = f"{path}/cpu.max"
        there = os.path.exists(file) and os.stat(path).st_ino == undo["inodes"][path]
        if there and host.read(file) != before:
            _write(host, path, before)
            done.append(f"{path} to {before}")
    return f"set cpu.max of {', '.join(done)}" if done else ""


def _read(host: Host, path: str) -> str:
    try:
        return host.read(f"{path}/cpu.max")
    except OSError as error:
        raise VirtperfError(
            f"cgroup {path} has no cpu.max",
            found=str(error),
            way_out="a cgroup of the unified hierarchy, with the cpu controller enabled in its parent's"
            " cgroup.subtree_control",
        ) from error


def _write(host: Host, path: str, cpu_max: str) -> None:
    try:
        host.write_kernel(f"{path}/cpu.max", cpu_max)
    except OSError as error:
        raise VirtperfError(
            f"the kernel does not take cpu.max {cpu_max!r} of {path}", found=str(error.strerror), cgroup=path
        ) from error
