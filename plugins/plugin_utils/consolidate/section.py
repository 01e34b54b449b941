# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about the study consolidate on one host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate import wording as words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import (
    Consolidation,
    Curves,
    Point,
    rate_metric,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.figures import draw
from ansible_collections.virtperf.vhost.plugins.plugin_utils.figures import Figure
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import MATTERS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.wording import amount
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.section import Material, Section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count


@dataclass(frozen=True, slots=True)
class Part:
    """A workload with its plots. ``key`` tells them, and the buttons that switch their lines, from those of others."""

    key: str
    curves: Curves
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolidateSection(Section):
    """The curves of a host. ``legend`` numbers the policies as their colours are numbered."""

    parts: Sequence[Part]
    legend: Mapping[str, int]

    @property
    def plots(self) -> Mapping[str, Mapping[str, Any]]:
        """Some for each workload."""
        return {f"{part.key}-{figure.key}": figure.plot for part in self.parts for figure in part.figures}


def section(consolidation: Consolidation, material: Material) -> ConsolidateSection:
    """The section about a host's curves."""
    numbers = {
        policy: number for number, policy in enumerate(dict.fromkeys(cell.policy for cell in consolidation.cells))
    }
    return ConsolidateSection(
        parts=[
            Part(f"{material.anchor}-{number}", curves, draw(curves, numbers))
            for number, curves in enumerate(consolidation.curves, start=1)
        ],
        legend=numbers,
        **material.common,
    )


def outcome(record: Record) -> str:
    """812 Mbit/s: what all guests did together."""
    workload = str(record.cell["workload"])
    found = record.metric(rate_metric(workload))
    return "not counted" if found is None else f"{amount(found)} {words.unit(workload)}"


def headline(consolidations: Sequence[Consolidation]) -> tuple[str, str]:
    """In how many cells dedicated I/O cores gained or lost, and where most."""
    found = [
        (one.host, point) for one in consolidations for curves in one.curves for point in curves.points if point.rate
    ]
    if not found:
        return "", ""
    mattering = [each for each in found if each[1].rate and each[1].rate.verdict == MATTERS]
    gained = sum(_value(point) > 1 for _host, point in mattering)
    sentence = (
        f"Against workers that float, other policies carried more in {gained} and less in {len(mattering) - gained} of"
        f" {count(len(found), 'comparison')}."
    )
    furthest = max(mattering, key=lambda each: each[1].rate.size if each[1].rate else 0.0, default=None)
    if furthest is None:
        return sentence, ""
    host, point = furthest
    cell, sign = point.cell, "x " if point.rate and point.rate.is_ratio else ""
    return sentence, (
        f"Furthest: {cell.policy} with {count(cell.guests, 'guest')} in {cell.workload} on {host},"
        f" {words.unit(cell.workload)} {sign}{words.value(point.rate)} ({words.interval(point.rate)})."
    )


def _value(point: Point) -> float:
    """The ratio; of a difference only its sign counts."""
    if point.rate is None:
        return 1.0
    return point.rate.value if point.rate.is_ratio else 1.0 + point.rate.value
