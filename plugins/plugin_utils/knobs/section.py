# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about the study knobs on one host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.boxes import Box, Choice
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import wording as words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Comparison, Screening
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.answers import Answer, answers, gone_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import MATTERS, SAME
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.equals import compare_equals
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.figures import drawable, effects
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.gone import GoneLevel
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import BESIDE, METRICS, primary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.section import Material, Section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count

# Heights in rem: of a row, and of what is beside the rows.
_ROW, _REST = 1.5, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnobsSection(Section):
    """A screening. ``main`` is the plot of what the workloads are about, ``beside`` that of other metrics."""

    screening: Screening
    answers: Sequence[Answer]
    gone: Sequence[GoneLevel]
    apart: str
    equals: str
    uncounted: Sequence[tuple[str, str]]
    tally: Sequence[tuple[str, int]]
    main: Box | None
    beside: Box | None

    @property
    def plots(self) -> Mapping[str, Mapping[str, Any]]:
        """One of each workload, and one of each further metric."""
        return {name: figure.plot for box in (self.main, self.beside) if box for name, figure in box.plots}


def section(screening: Screening, material: Material) -> KnobsSection:
    """The section about a host's screening."""
    definition = material.manifest["studies"].get(screening.study, {})
    gone = gone_of(definition, screening.host)
    return KnobsSection(
        screening=screening,
        answers=answers(screening, gone),
        gone=gone,
        apart=words.apart(screening, definition),
        equals=words.equals(compare_equals(screening)),
        uncounted=words.uncounted(screening.comparisons),
        tally=words.tally(screening.comparisons),
        main=_by_workload(screening, f"{material.anchor}-effects"),
        beside=_by_metric(screening, f"{material.anchor}-beside"),
        **material.common,
    )


def _by_workload(screening: Screening, key: str) -> Box | None:
    """The effects on what each workload is about."""
    workloads = dict.fromkeys(comparison.variant.workload for comparison in screening.comparisons)
    choices = []
    for number, workload in enumerate(sorted(workloads), start=1):
        metric = primary(workload)
        of_it = [comparison for comparison in screening.comparisons if comparison.variant.workload == workload]
        if rows := drawable(of_it, metric):
            title = f"{workload}: effects on {METRICS[metric].title}"
            choices.append((len(rows), Choice(workload, effects(f"w{number}", title, rows, metric, named=False))))
    return _box(key, "Effects by workload", choices)


def _by_metric(screening: Screening, key: str) -> Box | None:
    """The effects on kicks, interrupts, exits and CPU, over all workloads."""
    choices = []
    for name in BESIDE:
        if rows := drawable(screening.comparisons, name):
            title = METRICS[name].title
            choices.append((len(rows), Choice(title, effects(name, f"effects on {title}", rows, name, named=True))))
    return _box(key, "Effects on what it takes", choices)


def _box(key: str, title: str, choices: Sequence[tuple[int, Choice]]) -> Box | None:
    if not choices:
        return None
    rows = max(number for number, _choice in choices)
    # The workload, or metric, with the most effects comes first.
    first = max(choices, key=lambda each: each[0])[1]
    return Box(key, title, [choice for _rows, choice in choices], first, words.VERDICTS, rem=rows * _ROW + _REST)


def outcome(record: Record) -> str:
    """812 Mbit/s: what the trial's workload is about."""
    metric = METRICS[primary(str(record.cell["workload"]))]
    found = metric.read(record)
    return "not counted" if found is None else f"{words.amount(found)} {metric.title}"


def headline(screenings: Sequence[Screening]) -> tuple[str, str]:
    """How many knobs matter and which most, and which comparison that was."""
    found = [(one.host, comparison) for one in screenings for comparison in one.comparisons if comparison.effect]
    mattering = [each for each in found if words.verdict(each[1].effect) == MATTERS]
    same = sum(words.verdict(comparison.effect) == SAME for _host, comparison in found)
    if not found:
        return "", ""
    sentence = (
        f"Of {count(len(found), 'change')} of a knob {len(mattering)} matter and {same} do not;"
        f" {len(found) - len(mattering) - same} cannot be told yet."
    )
    largest = max(mattering, key=_size, default=None)
    if largest is None:
        return sentence, ""
    host, comparison = largest
    return sentence, f"The largest: {_told(comparison)} on {host}."


def _size(each: tuple[str, Comparison]) -> float:
    effect = each[1].effect
    return effect.size if effect else 0.0


def _told(comparison: Comparison) -> str:
    """vhost on -> off, tcp_out_64k: Mbit/s x 0.31 (0.28 to 0.34)."""
    effect = comparison.effect
    title = METRICS[comparison.primary].title
    sign = "x " if effect and effect.is_ratio else ""
    return (
        f"{comparison.variant.knob} {comparison.change}, {comparison.variant.workload}:"
        f" {title} {sign}{words.value(effect)} ({words.interval(effect)})"
    )
