# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a guest's clock is from ours: measured, recorded, and never taken for granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# A guest whose clock is further off than this was never set right. It is said; what is measured takes it into account.
_MINUTES_S = 60.0
# One-way delays are told only if the clocks are known to within this.
KNOWN_S = 0.05


@dataclass(frozen=True)
class Round:
    """A question for the time and its answer: our clock before and after, the guest's in between. Seconds."""

    before_s: float
    guest_s: float
    after_s: float

    @property
    def offset_s(self) -> float:
        """The guest's clock less ours, if the answer was given halfway."""
        return self.guest_s - (self.before_s + self.after_s) / 2

    @property
    def uncertainty_s(self) -> float:
        """The answer may have been given at any instant between question and answer."""
        return (self.after_s - self.before_s) / 2


@dataclass(frozen=True)
class Offset:
    """The guest's clock less ours, known to within ``uncertainty_s``. Both are None where nobody could tell."""

    offset_s: float | None
    uncertainty_s: float | None
    note: str = ""

    @property
    def is_known(self) -> bool:
        """Whether instants of the guest's clock can be compared with ours, for delays."""
        return self.uncertainty_s is not None and self.uncertainty_s <= KNOWN_S

    def ours(self, guest_s: float) -> float:
        """An instant of the guest's clock on ours; only where ``is_known``."""
        return guest_s - (self.offset_s or 0.0)

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {
            "offset_s": None if self.offset_s is None else round(self.offset_s, 6),
            "uncertainty_s": None if self.uncertainty_s is None else round(self.uncertainty_s, 6),
            "note": self.note,
        }


def offset(before: Sequence[Round], after: Sequence[Round] = ()) -> Offset:
    """From rounds before and after a timeline. The fastest of each tells most (as NTP has it).

    A clock that was stepped, or drifts, in between is known no better than by how much it moved.
    """
    if not before:
        return Offset(None, None, "the guest did not tell its time")
    first = min(before, key=lambda round_: round_.uncertainty_s)
    last = min(after, key=lambda round_: round_.uncertainty_s) if after else first
    moved_s = abs(last.offset_s - first.offset_s)
    middle_s = (first.offset_s + last.offset_s) / 2
    uncertainty_s = max(first.uncertainty_s, last.uncertainty_s) + moved_s / 2
    notes = []
    if abs(middle_s) > _MINUTES_S:
        notes.append(f"the guest's clock is {abs(middle_s) / 60:.1f} minutes {'ahead' if middle_s > 0 else 'behind'}")
    if moved_s / 2 > KNOWN_S:
        notes.append(f"it moved by {moved_s:.3f} s against ours while we measured")
    return Offset(middle_s, uncertainty_s, "; ".join(notes))
