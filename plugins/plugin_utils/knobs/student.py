# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statistics that effects need, from scipy. It is imported where it is used: other studies work without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log, sqrt
from statistics import fmean, variance
from types import ModuleType
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

SCIPY_VERSION = "1.17.1"
# Fewer spreads than this say nothing about how spreads are spread.
_SPREADS_AT_LEAST = 3
# Beyond so many degrees of freedom Student's distribution is the normal one, as far as anybody can tell.
_CERTAIN = 1e4


class ScipyError(VirtperfError):
    """scipy is missing."""


def load_scipy() -> ModuleType:
    """scipy, with stats, special and optimize; ScipyError says how to install it."""
    try:
        import scipy.optimize
        import scipy.special
        import scipy.stats
    except ImportError as error:
        raise ScipyError(
            "effects need the Python package scipy, which the controller's Python lacks",
            found=str(error),
            way_out=f"pip install scipy=={SCIPY_VERSION}, into the environment that ansible-playbook runs from",
        ) from error
    return scipy


@cache
def reaches(chance: float, freedom: float, number: int) -> tuple[float, ...]:
    """How many standard errors an estimate is off with a ``chance`` of this or less, both sides together.

    For ``freedom`` degrees of freedom, one more, and so on: ``number`` values.
    """
    return tuple(map(float, load_scipy().stats.t.isf(chance / 2, [freedom + more for more in range(number)])))


def reach(chance: float, freedom: float) -> float:
    """The first of them."""
    return reaches(chance, freedom, 1)[0]


def chances(off: Sequence[float], freedom: Sequence[float]) -> list[float]:
    """The chance that each estimate is so many standard errors off, or more."""
    return list(map(float, 2 * load_scipy().stats.t.sf(list(map(abs, off)), list(freedom)))) if off else []


def adjusted(chances: Sequence[float]) -> list[float]:
    """The chances of a family as Benjamini and Hochberg adjust them for there being so many (false discovery rate)."""
    return list(map(float, load_scipy().stats.false_discovery_control(list(chances)))) if chances else []


@dataclass(frozen=True, slots=True)
class Prior:
    """What a family of standard deviations says about each of its members: as much as ``freedom`` degrees of it."""

    freedom: float
    deviation: float

    def moderate(self, deviation: float, freedom: float) -> tuple[float, float]:
        """A member's standard deviation between its own and the family's, and the degrees of freedom it now has."""
        if not self.freedom:
            return deviation, freedom
        both = self.freedom + freedom
        squares = self.freedom * self.deviation**2 + freedom * deviation**2
        return sqrt(squares / both), both


NO_PRIOR = Prior(0.0, 0.0)


def prior(deviations: Sequence[float], freedom: Sequence[float]) -> Prior:
    """The prior of a family, by Smyth's way for many comparisons of few values (2004, limma's moderated t).

    The less the deviations differ beyond what chance makes of equal ones, the more the family says about each.
    """
    known = [(deviation, degrees) for deviation, degrees in zip(deviations, freedom, strict=True) if deviation > 0]
    if len(known) < _SPREADS_AT_LEAST:
        return NO_PRIOR
    special = load_scipy().special
    halves = [degrees / 2 for _deviation, degrees in known]
    logs = [_centred(deviation, degrees / 2, special) for deviation, degrees in known]
    middle = fmean(logs)
    beyond = variance(logs, middle) - fmean(map(float, special.polygamma(1, halves)))
    half = _inverse_trigamma(beyond)
    return Prior(2 * half, sqrt(exp(middle + float(special.digamma(half)) - log(half))))


def _centred(deviation: float, half: float, special: Any) -> float:
    """The logarithm of a deviation's square, free of how it is off because of its few degrees of freedom."""
    return 2 * log(deviation) - float(special.digamma(half)) + log(half)


def _inverse_trigamma(value: float) -> float:
    """What has this trigamma, up to half of _CERTAIN."""
    scipy = load_scipy()

    def off(half: float) -> float:
        return float(scipy.special.polygamma(1, half)) - value

    low, high = 1e-3, _CERTAIN / 2
    if off(high) >= 0:
        return high
    return low if off(low) <= 0 else float(scipy.optimize.brentq(off, low, high))
