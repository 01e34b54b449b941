# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that is changed, behind injectable roots: a directory can stand in for ``/sys`` and ``/proc``."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError


@dataclass(frozen=True)
class Host:
    """Where the host's kernel files, our runtime files and our state are found.

    The defaults are the real ones. Tests give directories of their own.
    """

    proc: str = "/proc"
    sys: str = "/sys"
    run: str = "/run/virtperf"
    state: str = "/var/lib/virtperf"

    def read(self, path: str) -> str:
        """The stripped text of a file; raises OSError as open() does."""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()

    def read_or(self, path: str, default: str = "") -> str:
        """The stripped text of a file, or ``default`` when it cannot be read."""
        try:
            return self.read(path)
        except OSError:
            return default

    def process_ids(self) -> list[int]:
        """Of all processes, ascending; none where nothing is mounted on ``proc``."""
        try:
            return sorted(int(name) for name in os.listdir(self.proc) if name.isdigit())
        except FileNotFoundError:
            return []

    def write_kernel(self, path: str, value: str) -> None:
        """One write(2) to a file of the kernel's, which takes or refuses it as a whole."""
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, value.encode())
        except OSError as error:
            error.filename = path  # write(2) knows no names, the message needs one
            raise
        finally:
            os.close(descriptor)

    def private_directory(self, path: str) -> str:
        """Make ``path`` (and parents that are missing) a directory of ours alone, mode 0700, and return it."""
        parent = os.path.dirname(path)
        if not os.path.isdir(parent):
            self.private_directory(parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        status = os.lstat(path)
        if not os.path.isdir(path) or os.path.islink(path) or status.st_uid != os.geteuid():
            raise VirtperfError(
                f"{path} is not a directory of user {os.geteuid()}",
                found=f"mode {oct(status.st_mode)}, owner {status.st_uid}",
                way_out="remove it if nothing needs it, then run again",
            )
        if status.st_mode & 0o077:
            os.chmod(path, 0o700)
        return path


def write_atomically(path: str, text: str, mode: int = 0o600) -> None:
    """Replace ``path`` by ``text``: a reader sees the old or the new file, after a crash too."""
    directory = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(directory)


def sync_directory(path: str) -> None:
    """Make the names in a directory survive a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_line(path: str, record: Any) -> None:
    """Append one JSON line, on disk when this returns.

    A line torn by an earlier crash is closed first, so that it cannot swallow this one.
    """
    line = json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        written = os.write(descriptor, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, f"wrote {written} of {len(line)} bytes", path)
        os.fsync(descriptor)
        if not size:
            sync_directory(os.path.dirname(path))
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(descriptor)


def read_lines(path: str) -> list[Any]:
    """The JSON lines of a file, without those that a crash tore; none when there is no file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return []
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records
