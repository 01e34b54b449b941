# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was there before we changed it: appended and flushed before each change, replayed backwards by restore."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.host import (
    Host,
    append_line,
    read_lines,
    write_atomically,
)


@dataclass(frozen=True)
class Entry:
    """One change: the kind of resource, and what its undo needs to know."""

    number: int
    resource: str
    undo: Mapping[str, Any]
    run_id: str = ""
    at: str = ""


_FIELDS = frozenset(Entry.__dataclass_fields__)


class Journal:
    """The host's journal, ``<state>/journal.jsonl``.

    A line torn by a crash is skipped: its change had not been made yet.
    """

    def __init__(self, host: Host, run_id: str = "") -> None:
        self.host = host
        self.run_id = run_id
        self.path = os.path.join(host.state, "journal.jsonl")

    def append(self, resource: str, **undo: Any) -> None:
        """Note what ``resource`` was, on disk, before changing it."""
        self.host.private_directory(self.host.state)
        entries = self.entries()
        append_line(
            self.path,
            {
                "number": entries[-1].number + 1 if entries else 1,
                "resource": resource,
                "undo": undo,
                "run_id": self.run_id,
                "at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
        )

    def entries(self) -> list[Entry]:
        """What is still to be undone, oldest first."""
        return [entry for line in read_lines(self.path) if (entry := _entry(line)) is not None]

    def forget(self, resource: str, is_undone: Callable[[Mapping[str, Any]], bool]) -> None:
        """Forget changes of a kind that were undone by other means than restore, so that it does not try again."""
        entries = self.entries()
        kept = [entry for entry in entries if entry.resource != resource or not is_undone(entry.undo)]
        if kept != entries:
            self.keep_only(kept)

    def keep_only(self, entries: list[Entry]) -> None:
        """Forget what was undone."""
        if entries:
            text = "".join(_line(entry) for entry in entries)
            write_atomically(self.path, text)
        elif os.path.exists(self.path):
            os.unlink(self.path)


def _entry(line: Any) -> Entry | None:
    """None for what is no entry. What a later version has to say beyond ours is left out."""
    known = {key: value for key, value in line.items() if key in _FIELDS} if isinstance(line, dict) else {}
    return Entry(**known) if {"number", "resource", "undo"} <= known.keys() else None


def _line(entry: Entry) -> str:
    return json.dumps({**entry.__dict__, "undo": dict(entry.undo)}, sort_keys=True) + "\n"
