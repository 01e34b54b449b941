# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one study measured on one host, however it is laid out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import JudgedCell
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count


class CellGroup:
    """Cells of one study on one host. Who lays them out says in what order ``cells`` gives them."""

    __slots__ = ()

    if TYPE_CHECKING:
        host: str
        study: str

    @property
    def cells(self) -> Sequence[JudgedCell]:
        """All cells."""
        raise NotImplementedError

    @property
    def asked(self) -> list[JudgedCell]:
        """The cells that were not skipped."""
        return [cell for cell in self.cells if not cell.skipped]

    @property
    def incomplete(self) -> list[JudgedCell]:
        """The cells with fewer valid trials than were asked for."""
        return [cell for cell in self.cells if not cell.is_complete]

    def skipped(self) -> dict[str, list[JudgedCell]]:
        """The cells that were not to be measured after all, by the reason."""
        by_reason: dict[str, list[JudgedCell]] = {}
        for cell in self.cells:
            if cell.skipped:
                by_reason.setdefault(cell.skipped, []).append(cell)
        return by_reason

    def limits(self) -> list[tuple[str, int]]:
        """Each verdict with the number of cells it holds for, the most frequent first."""
        return Counter(cell.verdict.limit for cell in self.asked).most_common()

    @property
    def trials(self) -> str:
        """How many valid trials a measured cell has: 3 trials, or 2 to 3 trials."""
        numbers = sorted({len(cell.counted) for cell in self.cells if cell.counted} or {0})
        return count(numbers[0], "trial") if len(numbers) == 1 else f"{numbers[0]} to {count(numbers[-1], 'trial')}"
