# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the trials of a cell fall into two modes.

Two poll loops lock into different batch patterns, and a pattern once found mostly stays for a whole trial. The rates
of such a cell lie in two tight groups, and neither their mean nor their median says what the machine does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# Groups closer together than this share of the median are one group: rates of equal trials differ by a few per cent.
NOISE_FLOOR = 0.05
# The gap must be this many times the width of the wider group.
GAP_TO_WIDTH = 3.0
# A group of a single trial has no width to compare with, so its gap must be beyond any noise, and it must not be
# one odd trial among many.
LONE_GAP = 0.20
LONE_TRIALS_AT_MOST = 4


@dataclass(frozen=True, slots=True)
class TwoModes:
    """The rates of each group, ascending."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def is_proven(self) -> bool:
        """Whether each mode was seen more than once."""
        return len(self.low) > 1 and len(self.high) > 1


def find_two_modes(rates: Sequence[float]) -> TwoModes | None:
    """The two groups that ``rates`` (any unit, none below 0) fall into, or None where there are not two.

    The sorted rates are cut at the widest gap. The two sides are modes if

    - the gap is wider than 5 % of the median, and at least three times as wide as the wider side, and
    - each side has two trials or more; or, with three or four trials in all, one side is a single trial and the gap
      is wider than 20 % of the median.

    One or two rates never are two modes: any two numbers have a gap.

    How much that proves: draws from one bell curve whose standard deviation is 3 % of its mean are taken for two
    modes in no case out of 10,000 with three trials, in 2 of 100 with four, in less than 1 of 100 from six on. With a
    standard deviation of 10 %, three trials are fooled in about 10 of 100 cells. Three trials show that the rate
    jumped, not that there is a second mode it keeps coming back to; ten trials show that.

    What it misses: three modes, and modes whose trials overlap. Their spread is reported all the same.
    """
    if len(rates) < 3:
        return None
    ordered = sorted(rates)
    cut = max(range(1, len(ordered)), key=lambda at: ordered[at] - ordered[at - 1])
    low, high = tuple(ordered[:cut]), tuple(ordered[cut:])
    gap = high[0] - low[-1]
    width = max(low[-1] - low[0], high[-1] - high[0])
    middle = median(ordered)
    found = TwoModes(low, high)
    needed = NOISE_FLOOR if found.is_proven else LONE_GAP
    if gap <= needed * middle or gap < GAP_TO_WIDTH * width:
        return None
    if not found.is_proven and len(ordered) > LONE_TRIALS_AT_MOST:
        return None
    return found
