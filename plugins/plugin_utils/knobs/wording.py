# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Effects and verdicts as they are shown, the same in the table and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Comparison, KnobCell, Screening
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import (
    ADJUSTED_AT_MOST,
    CHANCE_AT_MOST,
    MATTERS,
    MORE_PAIRS_AT_MOST,
    PAIRS_AT_LEAST,
    SAME,
    TOLERANCE,
    UNKNOWN,
    Effect,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.equals import Equals
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import (
    BESIDE,
    FURTHER,
    METRICS,
    NOT_KNOWN,
    Metric,
    primary,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.numbers import Number
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count, level, percent

NONE = "-"
# Stands where a metric could not be counted; the table says below why.
UNCOUNTED = "n/c"
MARKS = {MATTERS: "*", SAME: "=", UNKNOWN: "?"}

MARKS_LEGEND = f"{MARKS[MATTERS]} matters, {MARKS[SAME]} does not matter, {MARKS[UNKNOWN]} cannot tell yet."
LEGEND = (
    "ratio: with the level to with the baseline, over pairs of trials; where a number was 0 there is none, and the"
    f" difference stands with its sign. {MARKS_LEGEND} more: pairs that would tell. kicks (to transmit), interrupts and"
    " exits are per packet; CPU is cores of vCPUs, workers and emulator."
)
RULE = (
    f"does not matter: the 95 % interval (Student's t) lies within {percent(TOLERANCE)} of no change. matters: it"
    f" excludes no change, and that is no chance finding (at most {percent(CHANCE_AT_MOST)} by itself, and"
    f" {percent(ADJUSTED_AT_MOST)} for the column as a whole). cannot tell yet: anything else, with how many more pairs"
    f" would tell if they are like those that were seen; fewer than {PAIRS_AT_LEAST} pairs never tell."
)
COLUMNS = tuple(METRICS[name] for name in BESIDE)
# Each verdict has its colour and shape in plots and tables.
VERDICTS = {MATTERS: 0, UNKNOWN: 1, SAME: 2}
# Rows of a plot: the largest effects are drawn, the others are in the table only.
ROWS_AT_MOST = 60


def value(effect: Effect | None) -> str:
    """0.62, or +12 of a difference."""
    if effect is None:
        return NONE
    return ratio(effect.value) if effect.is_ratio else difference(effect.value)


def interval(effect: Effect | None) -> str:
    """0.55 to 0.70."""
    if effect is None or not (isfinite(effect.low) and isfinite(effect.high)):
        return NONE
    word = ratio if effect.is_ratio else difference
    return f"{word(effect.low)} to {word(effect.high)}"


def more(effect: Effect | None) -> str:
    """4, or > 100: pairs that are still missing; "" where it is settled."""
    if effect is None or effect.verdict != UNKNOWN:
        return ""
    return f"> {MORE_PAIRS_AT_MOST}" if effect.more is None else str(effect.more)


def more_pairs(effect: Effect | None) -> str:
    """1 more pair, 4 more pairs, > 100 more pairs; "" where it is settled."""
    if not more(effect):
        return ""
    return count(effect.more, "more pair") if effect and effect.more else f"{more(effect)} more pairs"


def verdict(effect: Effect | None) -> str:
    """The verdict's words."""
    return UNKNOWN if effect is None else effect.verdict


def verdict_in_full(comparison: Comparison) -> str:
    """cannot tell yet: 5 pairs, 4 more would tell."""
    effect = comparison.effect
    if effect is None:
        return f"{UNKNOWN}: {comparison.absent(comparison.primary)}"
    words = f"{effect.verdict}: {count(effect.pairs, 'pair')}"
    return f"{words}, {more_pairs(effect)} would tell" if more(effect) else words


def beside(comparison: Comparison, name: str) -> str:
    """0.31*: the effect on another metric, with the mark of its verdict; n/c where it could not be counted."""
    effect = comparison.effects.get(name)
    return f"{value(effect)}{MARKS[effect.verdict]}" if effect else UNCOUNTED


def ratio(of: float) -> str:
    """0.62, 0.031, 12.4, 1,204."""
    if of >= 99.95:
        return f"{of:,.0f}"
    return f"{of:.1f}" if of >= 9.995 else f"{of:.2f}" if of >= 0.0995 else f"{of:.2g}"


def difference(of: float) -> str:
    """+12, -0.5, 0."""
    return amount(of, "+")


def amount(of: float, sign: str = "") -> str:
    """Three digits that tell, whatever the size: 812, 9.41, 0.0052; with a ``sign`` if asked for."""
    size = abs(of)
    if size == 0:
        return "0"
    if size >= 99.95:
        return f"{of:{sign},.0f}"
    if size >= 9.995:
        return f"{of:{sign}.1f}"
    return f"{of:{sign}.2f}" if size >= 0.0995 else f"{of:{sign}.2g}"


def number(of: Number | None) -> str:
    """812: a cell's median."""
    return amount(of.median) if of else NONE


def spread(of: Number | None) -> str:
    """790 to 831: from its smallest trial to its largest."""
    return f"{amount(of.low)} to {amount(of.high)}" if of else NONE


def metric(cell: KnobCell, of: Metric) -> str:
    """The median of one of a cell's metrics."""
    return number(cell.metric(of.name))


def unit(cell: KnobCell) -> str:
    """Mbit/s: what the cell's workload is counted in."""
    return METRICS[primary(cell.workload)].title


def further(comparison: Comparison) -> str:
    """tap drops +12, p99 1.31 (1.20 to 1.43): which of the other metrics the level changes as well."""
    found = [(name, effect) for name in FURTHER if (effect := comparison.effects.get(name))]
    changed = [(METRICS[name].title, effect) for name, effect in found if effect.verdict == MATTERS]
    return ", ".join(f"{title} {value(effect)} ({interval(effect)})" for title, effect in changed)


def uncounted(comparisons: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Each column with a gap, and why: (exits, tracepoints are not available)."""
    found: dict[tuple[str, str], None] = {}
    for column in COLUMNS:
        for comparison in comparisons:
            if comparison.pairs and (why := comparison.absent(column.name)):
                found[column.title, why] = None
    # What is not known says less than any reason.
    told = {title for title, why in found if why != NOT_KNOWN}
    return [(title, why) for title, why in found if why != NOT_KNOWN or title not in told]


def tally(comparisons: Sequence[Comparison]) -> list[tuple[str, int]]:
    """How many comparisons have which verdict."""
    return [
        (words, sum(verdict(comparison.effect) == words for comparison in comparisons))
        for words in (MATTERS, SAME, UNKNOWN)
    ]


def apart(screening: Screening, definition: Mapping[str, Any]) -> str:
    """Which pairs were not taken next to each other, "" where all were."""
    knobs = [level(knob) for knob in definition.get("apart") or () if screening.by_knob.get(level(knob))]
    if not knobs:
        return ""
    return (
        f"Of {', '.join(knobs)} baseline and level needed boots of their own: what differs from boot to boot is part of"
        " their effects."
    )


def equals(of: Equals) -> str:
    """How the verdicts fare where nothing can matter; "" where there are too few trials of the baseline."""
    if not of.comparisons:
        return ""
    return (
        f"Of {count(of.comparisons, 'comparison')} of this run's baseline trials with each other, in which nothing can"
        f" matter, {of.found} came out as {MATTERS}."
    )
