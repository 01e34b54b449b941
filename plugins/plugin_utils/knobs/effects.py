# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a variant does to a metric, from pairs of trials that were taken one next to the other.

The effect
    is the ratio of variant to baseline: the mean over the pairs of the logarithms of their ratios, with its 95 %
    interval by Student's t, and back from logarithms. Drift that both trials of a pair see cancels out.

    A metric that is 0 in one of its pairs has no ratio there, and one that counts what should be rare (drops, stops,
    retransmits) often is. Of those the effect is the difference, variant minus baseline, its mean and interval alike. A
    difference of counts is not taken to be steadier than counts of random events are (Poisson): three pairs of 0 and 1
    would have no spread at all.

The verdict
    - *does not matter*: the whole interval lies within 3 % of no change (of a difference: 3 % of the baseline's mean);
    - *matters*: the interval excludes no change, and this is no chance finding by the guard below;
    - *cannot tell yet*: all else, and fewer than 3 pairs always. It says how many more pairs would tell if what comes
      is like what was seen; None where that is more than MORE_PAIRS_AT_MOST.

The guard
    A 95 % interval excludes no change in 1 of 20 comparisons of equal things: a screening that makes a hundred of them
    would find five knobs that matter where none does. So a change counts only if its chance under no change is

    - at most 1 in 100 by itself, and
    - at most 1 in 50 when adjusted (Benjamini and Hochberg) for the other comparisons of its family, which are those
      that a reader goes through: a column of the table. Where nothing matters, at most one screening in fifty says that
      anything does; where much does, at most one in fifty of what is said to matter is expected to be chance.

    Five pairs know little about their own spread: they would need 4.6 standard errors for the first, and 6 to 8 for the
    second, which hides a factor of 2 while trials scatter by a sixth. But they are not alone. The chance is that of a
    moderated t (Smyth 2004): the spread of a comparison is taken between its own and that of its family, the nearer to
    the latter the more alike all are. So a factor of 2 passes in a screening of sixty while trials scatter by a fifth.
    A comparison without a family has its own spread only. Tests of ranks are no way out: five pairs cannot get below 1
    in 16 with them, whatever they show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, inf, log, sqrt

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import student

MATTERS, SAME, UNKNOWN = "matters", "does not matter", "cannot tell yet"

# 1 minus the level of the intervals.
OUTSIDE = 0.05
# No more than this off no change is no change that matters.
TOLERANCE = 0.03
PAIRS_AT_LEAST = 3
# The guard: of one comparison, and of all of its family.
CHANCE_AT_MOST = 0.01
ADJUSTED_AT_MOST = 0.02
# Nobody runs more than this to settle a line of a table.
MORE_PAIRS_AT_MOST = 100

# Readings of a metric, baseline first.
Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Contrast:
    """A metric of a variant and its baseline, in pairs.

    ``metric`` is its name: those of one metric know something about each other's spread. ``is_count``: it counts
    events, of which there may be none.
    """

    pairs: Sequence[Pair]
    metric: str = ""
    is_count: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """What a variant does to a metric. ``baseline`` and ``variant`` are the means of either side.

    ``value``, ``low`` and ``high`` are a ratio or a difference with its interval; without an interval (one pair) the
    edges are infinitely far away. ``more`` is how many more pairs would tell, where that is not known yet.
    """

    is_ratio: bool
    pairs: int
    value: float
    low: float
    high: float
    baseline: float
    variant: float
    verdict: str
    more: int | None

    @property
    def size(self) -> float:
        """How large the change is, whichever way it goes (2 is as far as 1/2): effects are sorted by it."""
        if self.is_ratio:
            return abs(log(self.value)) if 0 < self.value < inf else inf
        if self.value == 0:
            return 0.0
        return abs(self.value) / self.baseline if self.baseline > 0 else inf


@dataclass(frozen=True, slots=True)
class _Estimate:
    """On the scale on which no change is 0: logarithms of ratios, or differences."""

    is_ratio: bool
    # Those of the same name have spreads that are alike; "" where nobody's is.
    alike: str
    pairs: int
    mean: float
    deviation: float
    baseline: float
    variant: float

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the deviation."""
        return float(self.pairs - 1)

    def error(self, deviation: float | None = None) -> float:
        """The standard error of the mean, with its own deviation or another one."""
        return (self.deviation if deviation is None else deviation) / sqrt(self.pairs)

    def off(self, deviation: float) -> float:
        """How many standard errors the mean is away from no change."""
        if self.mean == 0:
            return 0.0
        error = self.error(deviation)
        return self.mean / error if error > 0 else inf

    @property
    def tolerated(self) -> tuple[float, float]:
        """What is no change that matters."""
        if self.is_ratio:
            return log(1 - TOLERANCE), log(1 + TOLERANCE)
        edge = TOLERANCE * abs(self.baseline)
        return -edge, edge

    def is_same(self, half: float) -> bool:
        """Whether an interval that reaches so far to either side lies inside of what is tolerated."""
        low, high = self.tolerated
        return low <= self.mean - half and self.mean + half <= high


@dataclass(frozen=True, slots=True)
class _Guard:
    """Which estimates (by their ids) are no chance findings, what the chance of others has to be, and their priors."""

    passed: set[int]
    needed: float
    priors: Mapping[str, student.Prior]


def judge(family: Sequence[Contrast]) -> list[Effect | None]:
    """The effect of each contrast, None where it has no pair. A family is what somebody looks through for changes."""
    estimates = [_estimate(contrast) for contrast in family]
    tested = [one for one in estimates if one and one.pairs >= PAIRS_AT_LEAST]
    priors = _priors(tested)
    moderated = [priors[one.alike].moderate(one.deviation, one.freedom) for one in tested]
    off = [one.off(deviation) for one, (deviation, _freedom) in zip(tested, moderated, strict=True)]
    chances = student.chances(off, [freedom for _deviation, freedom in moderated])
    passed = {
        id(one)
        for one, chance, among_all in zip(tested, chances, student.adjusted(chances), strict=True)
        if chance <= CHANCE_AT_MOST and among_all <= ADJUSTED_AT_MOST
    }
    # What the chance of the next one has to be for it to pass too.
    needed = min(CHANCE_AT_MOST, ADJUSTED_AT_MOST * (len(passed) + 1) / max(len(tested), 1))
    guard = _Guard(passed, needed, priors)
    return [None if one is None else _effect(one, guard) for one in estimates]


def _priors(tested: Sequence[_Estimate]) -> dict[str, student.Prior]:
    alike: dict[str, list[_Estimate]] = {}
    for one in tested:
        alike.setdefault(one.alike, []).append(one)
    # Differences have the units of what they differ in, and say nothing about each other's spread.
    return {
        name: student.prior([one.deviation for one in those], [one.freedom for one in those])
        if name
        else student.NO_PRIOR
        for name, those in alike.items()
    }


def _estimate(contrast: Contrast) -> _Estimate | None:
    pairs = contrast.pairs
    if not pairs:
        return None
    number = len(pairs)
    baseline, variant = (fsum(side) / number for side in zip(*pairs, strict=True))
    is_ratio = not contrast.is_count and all(before > 0 and after > 0 for before, after in pairs)
    changes = [log(after) - log(before) if is_ratio else after - before for before, after in pairs]
    mean = fsum(changes) / number
    deviation = sqrt(fsum((change - mean) ** 2 for change in changes) / (number - 1)) if number > 1 else inf
    if contrast.is_count:
        deviation = max(deviation, sqrt(max(baseline + variant, 0.0)))
    alike = contrast.metric if is_ratio else ""
    return _Estimate(is_ratio, alike, number, mean, deviation, baseline, variant)


def _effect(of: _Estimate, guard: _Guard) -> Effect:
    half = student.reach(OUTSIDE, of.freedom) * of.error() if of.pairs > 1 else inf
    verdict, more = UNKNOWN, None
    if of.pairs < PAIRS_AT_LEAST:
        more = PAIRS_AT_LEAST - of.pairs
    elif of.is_same(half):
        verdict = SAME
    elif id(of) in guard.passed and abs(of.mean) > half:
        verdict = MATTERS
    else:
        more = _more(of, guard)
    scale = _exp if of.is_ratio else float
    return Effect(
        is_ratio=of.is_ratio,
        pairs=of.pairs,
        value=scale(of.mean),
        low=scale(of.mean - half),
        high=scale(of.mean + half),
        baseline=of.baseline,
        variant=of.variant,
        verdict=verdict,
        more=more,
    )


def _more(of: _Estimate, guard: _Guard) -> int | None:
    """How many more pairs would tell, if their mean and spread stay what they are."""
    deviation, freedom = guard.priors[of.alike].moderate(of.deviation, of.freedom)
    own = student.reaches(OUTSIDE, of.freedom + 1, MORE_PAIRS_AT_MOST)
    guarded = student.reaches(guard.needed, freedom + 1, MORE_PAIRS_AT_MOST)
    for more in range(1, MORE_PAIRS_AT_MOST + 1):
        root = sqrt(of.pairs + more)
        half = own[more - 1] * of.deviation / root
        if of.is_same(half) or abs(of.mean) > max(half, guarded[more - 1] * deviation / root):
            return more
    return None


def _exp(value: float) -> float:
    """Half an interval of three wild pairs may be beyond any number."""
    return exp(value) if value < 700 else inf
