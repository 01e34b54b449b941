# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study consolidate in table.txt: for each workload guests and policies go down, their numbers across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.circumstances import caution
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate import wording as words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import Consolidation, Curves, Point
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table_parts import (
    MISSING,
    SKIPPED,
    align,
    footnotes,
    header,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import one_line

WIDTH = 120
_NAME_AT_MOST = 20


def blocks(consolidation: Consolidation, manifest: Mapping[str, Any], _reference: bool) -> list[list[str]]:
    """The lines of one host's curves. The talk that they follow showed its own without figures."""
    meaning = f"medians of {consolidation.trials} a cell"
    lines = [*header(consolidation, manifest, WIDTH, meaning)]
    facts = manifest["facts"].get(consolidation.host, {})
    for said in (caution(consolidation, facts), words.EMULATION, words.MISSING):
        lines += wrap(said, WIDTH)
    lines.append("")
    for curves in consolidation.curves:
        lines += [*_curves(curves), ""]
    lines += wrap(f"{words.LEGEND} {words.MARKS_LEGEND}", WIDTH)
    return [[*lines, *footnotes(consolidation, WIDTH)]]


def _curves(curves: Curves) -> Iterator[str]:
    unit = words.unit(curves.workload)
    yield one_line(f"{curves.workload}, {unit}", WIDTH)
    rates = [["guests", "policy", unit, "min to max", "ratio", "95 % interval", "verdict", "limit"]]
    rates += [_rates(point) for point in curves.points]
    yield from map(_cut, align(rates, {1, 6, 7}, WIDTH))
    yield ""
    beside = [["guests", "policy", *(name for name, _word in words.BESIDE)]]
    beside += [[*_names(point), *(word(point) for _name, word in words.BESIDE)] for point in curves.points]
    yield from map(_cut, align(beside, {1}, WIDTH))


def _rates(point: Point) -> list[str]:
    cell, effect = point.cell, point.rate
    return [
        *_names(point),
        _rate(point),
        words.rate_range(cell),
        words.value(effect),
        words.interval(effect),
        words.verdict_in_full(effect),
        one_line(words.limit(cell), WIDTH // 5),
    ]


def _names(point: Point) -> list[str]:
    return [str(point.cell.guests), one_line(point.cell.policy, _NAME_AT_MOST)]


def _rate(point: Point) -> str:
    """Marks stand before the number, so that numbers stay below one another."""
    cell = point.cell
    if not cell.counted:
        return SKIPPED if cell.skipped else MISSING
    return words.rate(cell) if cell.is_complete else f"{MISSING} {words.rate(cell)}"


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
