# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an end of the VNC workload: its program, and the password of this run."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import pack, password
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.program import ready_file

RESOURCE = "stream_end"
ENDS = ("server", "client")


class StreamEnd:
    """One end. Its files are in ``<run>/vnc`` (mode 0700), where the other end may be too."""

    def __init__(self, host: Host, end: str, run_id: str = "") -> None:
        self.host = host
        self.end = end
        self.run_id = run_id
        self.directory = os.path.join(host.run, pack.DIRECTORY)
        self.program = pack.path(host.run, end)

    def wanted(self, secret: str) -> dict[str, bytes]:
        """The files, by path."""
        return {
            self.program: pack.program(self.end),
            pack.path(self.host.run, pack.PASSWORD): password.contents(secret),
        }

    def there(self) -> list[str]:
        """Those of its files that are there, whatever is in them."""
        return [path for path in (self.program, pack.path(self.host.run, pack.PASSWORD)) if os.path.exists(path)]

    def removable(self) -> list[str]:
        """Those that ``remove`` would remove: the password stays while the other end is there."""
        others = [pack.path(self.host.run, end) for end in ENDS if end != self.end]
        return [path for path in self.there() if path == self.program or not any(map(os.path.exists, others))]

    def differing(self, wanted: Mapping[str, bytes]) -> list[str]:
        """The files that have to be written."""
        return [path for path, data in wanted.items() if _read(path) != data]

    def write(self, wanted: Mapping[str, bytes]) -> None:
        """Write what differs. That they were not there is in the journal before."""
        differing = self.differing(wanted)
        if not differing:
            return
        entries = Journal(self.host).entries()
        if not any(entry.resource == RESOURCE and entry.undo.get("end") == self.end for entry in entries):
            Journal(self.host, self.run_id).append(RESOURCE, end=self.end)
        self.host.private_directory(self.directory)
        for path in differing:
            _replace(path, wanted[path])

    def remove(self) -> None:
        """Take its files away; with the last end all that a killed program may have left."""
        self.discard()
        Journal(self.host).forget(RESOURCE, lambda undo: undo.get("end") == self.end)

    def discard(self) -> None:
        """The same, for who keeps the journal himself."""
        for path in (self.program, ready_file(self.program)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if not any(os.path.exists(pack.path(self.host.run, end)) for end in ENDS):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self.directory)


def undo_stream_end(host: Host, undo: Mapping[str, Any]) -> str:
    """Take away the files that a journal entry speaks of."""
    end = StreamEnd(host, str(undo["end"]))
    was_there = end.removable()
    end.discard()
    return f"removed {', '.join(was_there)}" if was_there else ""


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _replace(path: str, data: bytes) -> None:
    """A program that starts now reads the old or the new file. mkstemp makes it ours alone (0600)."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
