# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of built images: one builder at a time, whole images only, nothing left of an interrupted build."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, sync_directory

_BUILDING = ".building-"
_POLL_S = 0.2


class Cache:
    """``<path>/<image>/`` for each image, ``lock`` beside them, and ``.building-*`` while one is built."""

    def __init__(self, host: Host, path: str) -> None:
        self.host = host
        self.path = path

    def directory(self, name: str) -> str:
        """Where the image of this name is, or will be."""
        return os.path.join(self.path, name)

    def manifest(self, name: str) -> dict[str, Any] | None:
        """The manifest of a whole image; None when there is none, or a file of it is gone or has another size."""
        directory = self.directory(name)
        try:
            manifest = json.loads(self.host.read(os.path.join(directory, "manifest.json")))
            files = manifest["files"]
            whole = all(os.path.getsize(os.path.join(directory, file)) == size for file, size in files.items())
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return manifest if whole and isinstance(manifest, dict) else None

    def stale(self) -> list[str]:
        """What interrupted builds left. Only who holds the lock knows that nobody builds in them."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(os.path.join(self.path, name) for name in os.listdir(self.path) if name.startswith(_BUILDING))
        return []

    def clean(self) -> list[str]:
        """Remove that; says what was removed."""
        removed = self.stale()
        for path in removed:
            remove_tree(self.host, path)
        return removed

    @contextlib.contextmanager
    def locked(self, name: str, patience_s: float) -> Iterator[float]:
        """Be the one builder; gives the seconds that were waited for another, whom an error names."""
        os.makedirs(self.path, mode=0o755, exist_ok=True)
        path = os.path.join(self.path, "lock")
        # The file stays: unlinked, two builders could each hold a lock of that name.
        with open(path, "a+", encoding="utf-8") as file:
            waited = self._acquire(file.fileno(), path, patience_s)
            file.truncate(0)
            since = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            me = processes.identify(self.host, os.getpid())
            file.write(json.dumps({"image": name, "since": since, **me.as_dict()}))
            file.flush()
            try:
                yield waited
            finally:
                file.truncate(0)

    def _acquire(self, descriptor: int, path: str, patience_s: float) -> float:
        begun = time.monotonic()
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() - begun >= patience_s:
                    raise self._held(path, patience_s) from error
                time.sleep(min(_POLL_S, patience_s))
            else:
                return time.monotonic() - begun

    def _held(self, path: str, patience_s: float) -> VirtperfError:
        try:
            holder = json.loads(self.host.read(path))
            who = f"process {holder['pid']} builds {holder['image']} since {holder['since']}"
        except (OSError, ValueError, TypeError, KeyError):
            holder, who = None, "a process that has yet to write its name"
        return VirtperfError(
            f"another builder holds {self.path}, for more than {patience_s:.0f} s",
            found=who,
            way_out="wait for its end, or end that process: what it leaves is removed by the next build",
            holder=holder,
        )

    def check_space(self, needed_mib: int) -> None:
        """Fail unless so many MiB can be written."""
        place = self.path
        while not os.path.exists(place):
            place = os.path.dirname(place)
        status = os.statvfs(place)
        free_mib = status.f_bavail * status.f_frsize >> 20
        if free_mib < needed_mib:
            raise VirtperfError(
                f"not enough space to build a guest image in {self.path}",
                found=f"{free_mib} MiB free, {needed_mib} MiB needed",
                way_out=f"free {needed_mib - free_mib} MiB there, or choose another cache_dir",
                free_mib=free_mib,
                needed_mib=needed_mib,
            )

    @contextlib.contextmanager
    def building(self) -> Iterator[str]:
        """A directory to build in, on the filesystem of the cache; gone afterwards unless it was published."""
        path = tempfile.mkdtemp(prefix=_BUILDING, dir=self.path)
        try:
            yield path
        finally:
            if os.path.lexists(path):
                remove_tree(self.host, path)

    def publish(self, built: str, name: str) -> None:
        """Give a finished directory its name; a reader sees no image, or all of it."""
        for file in os.listdir(built):
            descriptor = os.open(os.path.join(built, file), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(built)
        final = self.directory(name)
        if os.path.lexists(final):  # damaged, or there would have been nothing to build
            damaged = tempfile.mkdtemp(prefix=_BUILDING, dir=self.path)
            os.rename(final, os.path.join(damaged, "damaged"))
            os.rename(built, final)
            remove_tree(self.host, damaged)
        else:
            os.rename(built, final)
        sync_directory(self.path)


def remove_tree(host: Host, path: str) -> None:
    """Remove a directory tree, unless something is mounted below it: that would be removed as well."""
    real = os.path.realpath(path)
    mounts = [line.split(" ")[4] for line in host.read_or(f"{host.proc}/self/mountinfo").splitlines()]
    # The kernel writes blanks and the like in octal.
    below = [mount for mount in mounts if _unescaped(mount) == real or _unescaped(mount).startswith(f"{real}/")]
    if below:
        raise VirtperfError(
            f"cannot remove {path}: something is mounted there",
            found=", ".join(below),
            way_out="unmount it, then run again",
        )
    shutil.rmtree(real)


def _unescaped(path: str) -> str:
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, letter)
    return path
