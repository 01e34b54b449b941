# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of hugetlbfs, where processes find hugepages as files: what is mounted, ours, and its undo."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import label, meminfo, parse_size

# The device that our mounts name: the mark by which undo knows them from mounts of others.
DEVICE = "virtperf"

_OCTAL = re.compile(r"\\([0-7]{3})")
_MS_NOSUID, _MS_NODEV, _UMOUNT_NOFOLLOW = 2, 4, 8


@dataclass(frozen=True)
class Mount:
    """A line of /proc/self/mounts."""

    device: str
    path: str
    kind: str
    options: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Whether this collection made it."""
        return self.kind == "hugetlbfs" and self.device == DEVICE


@dataclass(frozen=True)
class MountPlan:
    """A mount point as asked for; ``makes`` is the topmost directory to make for it, or empty."""

    path: str
    size_kb: int
    mounts: bool
    makes: str = ""

    def describe(self) -> str:
        """The change in plain words."""
        made = f", making the directory {self.makes}" if self.makes else ""
        return f"mount hugetlbfs with pages of {label(self.size_kb)} at {self.path}{made}"


class System:
    """mount(2) and umount2(2); tests give another one."""

    def mount(self, path: str, size_kb: int) -> None:
        """Mount hugetlbfs for root alone."""
        options = f"pagesize={size_kb}K,mode=0700"
        flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV)
        self._call("mount", path, DEVICE.encode(), os.fsencode(path), b"hugetlbfs", flags, options.encode())

    def unmount(self, path: str) -> None:
        """Unmount, never lazily: what is in use stays."""
        self._call("umount2", path, os.fsencode(path), _UMOUNT_NOFOLLOW)

    @staticmethod
    def _call(name: str, path: str, *arguments: Any) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc[name](*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)


LIBC = System()


def mounts(host: Host) -> list[Mount]:
    """What is mounted here, in the order it was mounted: of two at one path the last is what is seen."""
    found = []
    for line in host.read_or(f"{host.proc}/self/mounts").splitlines():
        fields = line.split(" ")
        if len(fields) >= 4:
            device, path, kind, options = (_unescape(field) for field in fields[:4])
            found.append(Mount(device, path, kind, tuple(options.split(","))))
    return found


def _unescape(field: str) -> str:
    """The kernel writes blanks, tabs, newlines and backslashes in octal; other bytes as they are."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)


def mount_at(host: Host, path: str) -> Mount | None:
    """What is mounted at just this path and seen there."""
    found = [mount for mount in mounts(host) if mount.path == path]
    return found[-1] if found else None


def page_kb(host: Host, mount: Mount) -> int:
    """The size of a mount's pages; a mount that does not name it has the kernel's default."""
    for option in mount.options:
        if option.startswith("pagesize="):
            return parse_size(option.partition("=")[2])
    return meminfo(host).get("Hugepagesize", 0)


def plan_mounts(host: Host, asked: Sequence[tuple[str, int]]) -> list[MountPlan]:
    """One plan for each path and size; VirtperfError also when two of them are at one place."""
    plans = [plan_mount(host, path, size_kb) for path, size_kb in asked]
    seen = ""
    for path in sorted(plan.path for plan in plans):
        if seen and f"{path}/".startswith(f"{seen}/"):
            raise VirtperfError(
                f"cannot mount hugetlbfs both at {seen} and at {path}",
                way_out="name each mount once, none inside another",
                mount=path,
            )
        seen = path
    return plans


def plan_mount(host: Host, path: str, size_kb: int) -> MountPlan:
    """What is to be done to have pages of that size at ``path``; VirtperfError when the path is not fit for it."""
    if not os.path.isabs(path) or os.path.realpath(path) == "/":
        raise VirtperfError(
            f"cannot mount hugetlbfs at {path!r}",
            way_out="name a directory by its absolute path, such as /run/virtperf/hugepages",
            mount=path,
        )
    # The kernel knows mounts by the path without links.
    path = os.path.realpath(path)
    mount = mount_at(host, path)
    if mount:
        _check_mount(host, mount, size_kb)
        return MountPlan(path, size_kb, mounts=False)
    _check_directory(path)
    makes = ""
    directory = path
    while not os.path.lexists(directory):
        makes, directory = directory, os.path.dirname(directory)
    return MountPlan(path, size_kb, mounts=True, makes=makes)


def _check_mount(host: Host, mount: Mount, size_kb: int) -> None:
    """VirtperfError unless the mount is what is asked for."""
    if mount.kind != "hugetlbfs":
        raise VirtperfError(
            f"cannot mount hugetlbfs at {mount.path}: something else is mounted there",
            found=f"{mount.kind} of {mount.device}",
            way_out="name another path, or unmount it",
            mount=mount.path,
        )
    found_kb = page_kb(host, mount)
    if found_kb != size_kb or "ro" in mount.options:
        raise VirtperfError(
            f"the hugetlbfs at {mount.path} is not one of pages of {label(size_kb)} to write to",
            found=f"pages of {label(found_kb)}, options {','.join(mount.options)}",
            way_out="name another path, or unmount it",
            mount=mount.path,
        )


def _check_directory(path: str) -> None:
    """VirtperfError unless ``path`` is free to be mounted on: missing, or an empty directory."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        found = "not a directory"
    elif content := sorted(os.listdir(path)):
        found = f"{content[0]}" + (f" and {len(content) - 1} more" if len(content) > 1 else "")
    else:
        return
    raise VirtperfError(
        f"cannot mount hugetlbfs at {path}: it would hide what is there",
        found=found,
        way_out="name an empty directory, or one that does not exist yet",
        mount=path,
    )


def apply_mount(host: Host, journal: Journal, plan: MountPlan, system: System = LIBC) -> None:
    """Journal, mount, read back."""
    journal.append("hugetlbfs", path=plan.path, made_directory=plan.makes)
    _make_directories(plan.path)
    try:
        system.mount(plan.path, plan.size_kb)
    except OSError as error:
        raise VirtperfError(
            f"cannot mount hugetlbfs at {plan.path}",
            found=error.strerror or str(error),
            way_out="a container needs CAP_SYS_ADMIN to mount: mount it outside, or run on the host",
            mount=plan.path,
            errno=error.errno,
        ) from error
    mount = mount_at(host, plan.path)
    if not mount or not mount.is_ours or page_kb(host, mount) != plan.size_kb:
        raise VirtperfError(
            f"the hugetlbfs just mounted at {plan.path} is not what is seen there",
            found=str(mount),
            way_out="see what else mounts there now, then run again",
            mount=plan.path,
        )


def _make_directories(path: str) -> None:
    """Not makedirs(): that gives the mode to the last one alone."""
    if not os.path.isdir(path):
        _make_directories(os.path.dirname(path))
        os.mkdir(path, mode=0o700)


def undo_mount(host: Host, undo: Mapping[str, Any], system: System = LIBC) -> str:
    """Unmount what we mounted and remove the directories we made; says what was done, "" when nothing was left to do.

    Files that dead processes left there keep their hugepages allocated; they go first. While a living process uses
    the mount nothing is touched, and VirtperfError names it.
    """
    path = str(undo["path"])
    done = []
    mount = mount_at(host, path)
    if mount and mount.is_ours:
        users = users_of(host, path)
        if users:
            raise _busy(path, users)
        left = _remove_files(path)
        try:
            system.unmount(path)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise _busy(path, users_of(host, path) or ["a process that cannot be seen from here"]) from error
            raise VirtperfError(
                f"cannot unmount {path}", found=error.strerror or str(error), way_out="restore as root", mount=path
            ) from error
        done.append(f"unmounted {path}" + (f" (left-over files removed: {left})" if left else ""))
    if undo.get("made_directory") and _remove_directories(path, str(undo["made_directory"])):
        done.append(f"removed {undo['made_directory']}")
    return ", ".join(done)


def _busy(path: str, users: list[str]) -> VirtperfError:
    return VirtperfError(
        f"the hugetlbfs at {path} is in use",
        found=", ".join(users),
        way_out="end them, then restore again",
        mount=path,
        users=users,
    )


def _remove_files(path: str) -> int:
    """Empty a mount of ours; says how many files there were."""
    removed = 0
    for directory, directories, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(os.path.join(directory, name))
        for name in directories:
            # A link to a directory counts as one here.
            child = os.path.join(directory, name)
            remove = os.unlink if os.path.islink(child) else os.rmdir
            remove(child)
        removed += len(files)
    return removed


def _remove_directories(path: str, topmost: str) -> bool:
    """Remove ``path`` and its parents up to ``topmost`` as far as they are empty; whether all of them went."""
    removed = False
    directory = path
    while directory == topmost or directory.startswith(f"{topmost}/"):
        if os.path.isdir(directory):
            try:
                os.rmdir(directory)
            except OSError:
                return False
            removed = True
        directory = os.path.dirname(directory)
    return removed


def users_of(host: Host, path: str) -> list[str]:
    """The processes that have a file below ``path`` open or mapped, or are in it: ``qemu-system-x86 (pid 4711)``."""
    users = []
    for pid in host.process_ids():
        if any(used == path or used.startswith(f"{path}/") for used in _files_of(host, pid)):
            users.append(f"{host.read_or(f'{host.proc}/{pid}/comm', '?')} (pid {pid})")
    return users


def _files_of(host: Host, pid: int) -> list[str]:
    """Paths that a process uses; what ends or hides while we look has none."""
    base = f"{host.proc}/{pid}"
    links = [f"{base}/cwd", f"{base}/root"]
    with contextlib.suppress(OSError):
        links += [f"{base}/fd/{number}" for number in os.listdir(f"{base}/fd")]
    files = []
    for link in links:
        with contextlib.suppress(OSError):
            files.append(os.readlink(link))
    for line in host.read_or(f"{base}/maps").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6:
            files.append(_unescape(fields[5]))
    return files
