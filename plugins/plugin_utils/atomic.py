# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are either whole or not there: written beside their place, flushed, and put into it by a rename."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def write_atomic(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts, one after the other, as the file ``path``.

    On an OSError the old file, if there was one, is untouched, and nothing else is left behind.
    """
    # Not tempfile: its files are for their owner alone, and results are there to be read.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    flush_directory(path.parent)


def flush_directory(path: Path) -> None:
    """Make what was renamed or created in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_mib(path: Path) -> float:
    """MiB that this user can still write on the file system which ``path``, or its nearest ancestor, lies on."""
    # os.path.exists, because Path.exists raises where a directory on the way may not be entered.
    while not os.path.exists(path):
        path = path.parent
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize / (1 << 20)
