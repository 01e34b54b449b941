# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one kind of failure that the collection's core raises on purpose."""

from __future__ import annotations

from typing import Any


class VirtperfError(Exception):
    """Says what happened, to which object, what was found, and the way out.

    ``facts`` are returned to the playbook beside the message, so that nobody has to parse it.
    """

    def __init__(self, what: str, *, found: str = "", way_out: str = "", **facts: Any) -> None:
        self.what = what
        self.found = found
        self.way_out = way_out
        self.facts = facts
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what
        if self.found:
            text += f" (found: {self.found})"
        if self.way_out:
            text += f". Way out: {self.way_out}"
        return text
