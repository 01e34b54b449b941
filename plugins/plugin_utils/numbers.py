# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number of a cell over its trials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Number:
    """What a metric was in the trials that have it."""

    median: float
    low: float
    high: float


def number_of(values: Iterable[float | None]) -> Number | None:
    """The number that the values make; None where none of them is known."""
    known = [value for value in values if value is not None]
    return Number(median(known), min(known), max(known)) if known else None
