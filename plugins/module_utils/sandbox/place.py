# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sandbox's files are: apart from those of runs, so that it outlives them.

A run's restore replays the host's journal and removes the directory of runtime files. The sandbox has a journal, keys
and runtime files of its own, which only its own removal touches.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

# Its VM, its host name, and what its line in known_hosts begins with.
NAME = "sandbox"


def apart(host: Host) -> Host:
    """The same host with the sandbox's directories in place of those of runs."""
    return replace(host, run=f"{host.run}-{NAME}", state=f"{host.state}-{NAME}")


def is_there(host: Host) -> bool:
    """Whether anything of a sandbox is there. ``host`` is one that ``apart`` gave, here and below."""
    return os.path.exists(host.state) or os.path.exists(host.run)


@contextlib.contextmanager
def alone(host: Host) -> Iterator[None]:
    """Be the only one who starts or removes it. The directory that is locked is removed with the sandbox."""
    while True:
        directory = os.open(host.private_directory(host.state), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            if _is_still(host.state, directory):
                yield
                return
        finally:
            os.close(directory)


def _is_still(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
