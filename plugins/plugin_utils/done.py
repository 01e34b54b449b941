# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an earlier attempt at the same run has valid records of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Done:
    """Valid trials of one study on one host, by cell; ``done`` is what M(virtperf.vhost.run_open) returns."""

    def __init__(self, done: Sequence[Mapping[str, Any]], host: str, study: str) -> None:
        mine = [entry for entry in done if (entry["host"], entry["study"]) == (host, study)]
        self._trials = {_key(entry["cell"]): int(entry["valid_trials"]) for entry in mine}
        self._numbers = {_key(entry["cell"]): frozenset(entry.get("trials", ())) for entry in mine}

    def trials(self, cell: Mapping[str, Any]) -> int:
        """How many there are of a cell."""
        return self._trials.get(_key(cell), 0)

    def numbers(self, cell: Mapping[str, Any]) -> frozenset[int]:
        """Which ones, by their numbers within the cell."""
        return self._numbers.get(_key(cell), frozenset())


def _key(cell: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(cell.items()))
