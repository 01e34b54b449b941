# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks: qcow2 overlays over bases that nobody writes to, made and checked with qemu-img."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import human, parse_size
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Disk

_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Overlay:
    """A disk's overlay; ``path`` is empty for a disk that is only read. ``makes`` when it has to be made (anew)."""

    path: str
    base: str
    base_format: str
    makes: bool


class Owner(Protocol):
    """Whoever has disks: a VM of ours, or a domain of libvirt's."""

    @property
    def name(self) -> str:
        """Becomes part of the overlays' names."""

    @property
    def disks(self) -> Sequence[Disk]:
        """In the order of their numbers."""

    @property
    def overlay_dir(self) -> str:
        """Where the overlays are, or ""."""


def overlay_path(host: Host, definition: Owner, number: int) -> str:
    """Where the overlay of a disk is; "" for one that is only read. Not in the runtime directory: that is memory."""
    if definition.disks[number].readonly:
        return ""
    directory = definition.overlay_dir or own_directory(host, definition.name)
    return os.path.join(directory, f"virtperf-{definition.name}-disk{number}.qcow2")


def overlay_paths(host: Host, definition: Owner) -> tuple[str, ...]:
    """One for each disk."""
    return tuple(overlay_path(host, definition, number) for number in range(len(definition.disks)))


def own_directory(host: Host, name: str) -> str:
    """Where overlays are unless the definition says otherwise."""
    return os.path.join(host.state, "qemu", name)


def plan_overlays(host: Host, definition: Owner) -> list[Overlay]:
    """What is to be made before a start; VirtperfError when a disk cannot be had."""
    overlays = []
    for number, disk in enumerate(definition.disks):
        base_format = _check_base(definition.name, disk)
        path = overlay_path(host, definition, number)
        makes = bool(path) and not _is_good(definition.name, path, disk.base)
        if makes:
            _check_space(definition.name, path, disk)
        overlays.append(Overlay(path, disk.base, base_format, makes))
    return overlays


def make_overlays(host: Host, overlays: list[Overlay]) -> None:
    """Make those that are missing; what qemu-img could only begin is removed."""
    for overlay in overlays:
        if not overlay.makes:
            continue
        directory = os.path.dirname(overlay.path)
        if not os.path.isdir(directory):
            host.private_directory(directory)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(overlay.path)
        words = ["create", "-q", "-f", "qcow2", "-F", overlay.base_format, "-b", overlay.base, overlay.path]
        try:
            _qemu_img(*words)
        except VirtperfError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(overlay.path)
            raise
        os.chmod(overlay.path, 0o600)


def remove_overlays(paths: Sequence[str], directory: str) -> list[str]:
    """Remove overlays, and ``directory`` and its parent as far as they are empty; returns those that were there."""
    removed = []
    for path in filter(None, paths):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            removed.append(path)
    for emptied in (directory, os.path.dirname(directory)):
        with contextlib.suppress(OSError):
            os.rmdir(emptied)
    return removed


def image_info(path: str) -> dict[str, Any]:
    """What qemu-img knows of an image, also of one that is in use."""
    try:
        info = json.loads(_qemu_img("info", "--force-share", "--output=json", path))
    except ValueError as error:
        raise VirtperfError(f"qemu-img says nothing sensible about {path}", found=str(error)) from error
    return info if isinstance(info, dict) else {}


def _check_base(name: str, disk: Disk) -> str:
    """The format of a base that can be read; VirtperfError names it otherwise."""
    try:
        mode = os.stat(disk.base).st_mode
    except OSError as error:
        raise VirtperfError(
            f"VM {name}: the disk image {disk.base} cannot be used",
            found=error.strerror or str(error),
            way_out="build the image first, or name one that is there",
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise VirtperfError(
            f"VM {name}: the disk image {disk.base} cannot be used",
            found="neither a file nor a block device",
            way_out="name a qcow2 or raw image",
        )
    return str(image_info(disk.base).get("format", "raw"))


def _is_good(name: str, path: str, base: str) -> bool:
    """Whether an overlay is there and still fits its base."""
    if not os.path.exists(path):
        return False
    info = image_info(path)
    backing = info.get("full-backing-filename") or info.get("backing-filename")
    if backing is None or os.path.realpath(str(backing)) != os.path.realpath(base):
        return False  # the definition has another base now: the name is ours, so what is there was made by us
    if stat.S_ISREG(os.stat(base).st_mode) and os.stat(base).st_mtime > os.stat(path).st_mtime:
        raise VirtperfError(
            f"VM {name}: the disk image {base} has changed beneath its overlay {path}",
            found="it was written to after the overlay was",
            way_out="state: absent first, which discards the overlay, or bring the old image back",
        )
    return True


def _check_space(name: str, path: str, disk: Disk) -> None:
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    found = os.statvfs(directory)
    free_kb = found.f_bavail * found.f_frsize // 1024
    needed_kb = parse_size(disk.min_free)
    if free_kb < needed_kb:
        raise VirtperfError(
            f"VM {name}: no space for the overlay of {disk.base} in {os.path.dirname(path)}",
            found=f"{human(free_kb)} free, {human(needed_kb)} asked for",
            way_out="make room, name another overlay_dir, or ask for less with min_free",
        )


def _qemu_img(*words: str) -> str:
    program = shutil.which("qemu-img")
    if program is None:
        raise VirtperfError(
            "qemu-img is not installed",
            found=f"nothing of that name on PATH={os.environ.get('PATH', '')}",
            way_out="apt-get install qemu-utils, or run the prepare stage",
        )
    try:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise VirtperfError(
            f"qemu-img {words[0]} of {words[-1]} hangs",
            found=f"no end after {_PATIENCE_S:.0f} s",
            way_out="see whether its file system answers",
        ) from error
    if done.returncode != 0:
        raise VirtperfError(
            f"qemu-img cannot {words[0]} {words[-1]}",
            found=done.stderr.decode(errors="replace").strip(),
            way_out="mend what it names: space, permissions, or an image that is none",
            command=[program, *words],
        )
    return done.stdout.decode(errors="replace")
