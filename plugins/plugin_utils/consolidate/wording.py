# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a policy as they are shown, the same in the table and the report."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import (
    MBPS,
    P50,
    P99,
    Point,
    PolicyCell,
    rate_metric,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import wording as effects
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import Effect
from ansible_collections.virtperf.vhost.plugins.plugin_utils.numbers import Number

NONE = effects.NONE

# What the study is, and what it is not.
EMULATION = (
    "This emulates ELVIS (shared vhost) with what mainline Linux has. baseline: vCPUs and vhost workers share all"
    " cores. sidecore: the workers have the I/O cores, the vCPUs the others, by cgroup cpusets. sidecore_poll: the"
    " same, with workers that poll for a while before they sleep."
)
MISSING = (
    "Missing of ELVIS: one thread that serves many guests (here each guest keeps its own worker, and the scheduler"
    " switches between them), and exitless interrupts (here each interrupt costs what KVM makes it cost, and each kick"
    " that finds no worker polling is an exit)."
)
LEGEND = (
    "ratio: to the baseline policy with as many guests, over pairs of trials of the same number, with its 95 %"
    " interval. fair: Jain's index over the guests, 1 if all have the same. a guest: the slowest and the fastest of all"
    " trials. p50, p99: latency in microseconds, of the guest in the middle and of the worst. I/O: how many of the I/O"
    " cores were busy. per CPU: per core that vCPUs, workers and emulators used."
)

Word = Callable[[Point], str]


def unit(workload: str) -> str:
    """Mbit/s, or transactions/s."""
    return "Mbit/s" if rate_metric(workload) == MBPS else "transactions/s"


def rate(cell: PolicyCell) -> str:
    """812: what all guests did together."""
    return effects.number(cell.rate)


def rate_range(cell: PolicyCell) -> str:
    """790 to 831: from the slowest trial to the fastest."""
    return effects.spread(cell.rate)


def limit(cell: PolicyCell) -> str:
    """io-cpu, or io-cpu (2/3) where trials differ."""
    agreeing = sum(record.limit == cell.verdict.limit for record in cell.counted)
    differ = 0 < agreeing < len(cell.counted)
    return cell.verdict.limit + (f" ({agreeing}/{len(cell.counted)})" if differ else "")


def verdict_in_full(effect: Effect | None) -> str:
    """cannot tell yet (4 more pairs); a dash where there is nothing to compare with."""
    if effect is None:
        return NONE
    more = effects.more_pairs(effect)
    return f"{effect.verdict} ({more})" if more else effect.verdict


def marked(effect: Effect | None) -> str:
    """0.31*: a ratio with the mark of its verdict."""
    return f"{effects.value(effect)}{effects.MARKS[effect.verdict]}" if effect else NONE


def _metric(name: str) -> Word:
    def word(point: Point) -> str:
        return effects.number(point.cell.metric(name))

    return word


def _a_guest(point: Point) -> str:
    return _ends(point.cell.of_a_guest)


def _ends(number: Number | None) -> str:
    return f"{effects.amount(number.low)} to {effects.amount(number.high)}" if number else NONE


def _per_cpu(point: Point) -> str:
    return effects.number(point.cell.per_cpu)


def _latency_ratio(point: Point) -> str:
    return marked(point.latency)


def _per_cpu_ratio(point: Point) -> str:
    return marked(point.per_cpu)


# Beside the rate: what each column is called.
BESIDE: tuple[tuple[str, Word], ...] = (
    ("fair", _metric("fairness")),
    ("a guest", _a_guest),
    ("p50", _metric(P50)),
    ("p99", _metric(P99)),
    ("p99 ratio", _latency_ratio),
    ("I/O", _metric("io_cpu")),
    ("per CPU", _per_cpu),
    ("per CPU ratio", _per_cpu_ratio),
)
MARKS_LEGEND = effects.MARKS_LEGEND
interval = effects.interval
value = effects.value
