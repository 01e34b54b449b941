# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study knobs in table.txt: the effects, the largest first, and an answer to each question of the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.circumstances import caution
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import wording as words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Comparison, Screening
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.answers import Answer, answers, gone_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.equals import compare_equals
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import BESIDE
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table_parts import align, footnotes, header
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import one_line

WIDTH = 120
# Two knobs that are crossed have long names; the report has them in full.
_NAME_AT_MOST = 32
_UNCOUNTED_AT_MOST = 10


def blocks(screening: Screening, manifest: Mapping[str, Any], _reference: bool) -> list[list[str]]:
    """The lines of one host's screening. The list that it follows has questions and no figures."""
    definition = manifest.get("studies", {}).get(screening.study, {})
    return [
        [*_effects(screening, manifest), "", *footnotes(screening, WIDTH)],
        list(_answers(answers(screening, gone_of(definition, screening.host)))),
    ]


def _effects(screening: Screening, manifest: Mapping[str, Any]) -> Iterator[str]:
    meaning = f"effects against the baseline in pairs of trials, the largest first; {screening.trials} a cell"
    yield from header(screening, manifest, WIDTH, meaning)
    yield from wrap(caution(screening, manifest["facts"].get(screening.host, {})), WIDTH)
    yield ""
    if not screening.comparisons:
        yield "no level was measured against a baseline"
        return
    table = [["knob", "workload", "ratio", "95 % interval", "verdict", "more", *(one.title for one in words.COLUMNS)]]
    table += [_row(comparison) for comparison in screening.comparisons]
    yield from map(_cut, align(table, {0, 1, 4}, WIDTH))
    yield ""
    yield from wrap(words.LEGEND, WIDTH)
    yield from wrap(words.RULE, WIDTH)
    gaps = words.uncounted(screening.comparisons)
    for title, why in gaps[:_UNCOUNTED_AT_MOST]:
        yield one_line(f"{words.UNCOUNTED} {title}: {why}", WIDTH)
    if len(gaps) > _UNCOUNTED_AT_MOST:
        yield f"{words.UNCOUNTED} and {len(gaps) - _UNCOUNTED_AT_MOST} more reasons: see report.html"
    definition = manifest.get("studies", {}).get(screening.study, {})
    for said in (words.apart(screening, definition), words.equals(compare_equals(screening))):
        yield from wrap(one_line(said), WIDTH)


def _row(comparison: Comparison) -> list[str]:
    effect = comparison.effect
    return [
        one_line(f"{comparison.variant.knob} {comparison.change}", _NAME_AT_MOST),
        one_line(comparison.variant.workload, _NAME_AT_MOST),
        words.value(effect),
        words.interval(effect),
        words.verdict(effect),
        words.more(effect),
        *(words.beside(comparison, name) for name in BESIDE),
    ]


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _answers(found: Sequence[Answer]) -> Iterator[str]:
    yield "answers to the questions of the list"
    for answer in found:
        yield from wrap(one_line(f"{answer.knob}: {answer.question}"), WIDTH)
        for line in answer.lines:
            yield from wrap(one_line(line), WIDTH, initial_indent="    ", subsequent_indent="        ")
        if answer.note:
            yield from wrap(one_line(f"({answer.note})"), WIDTH, initial_indent="    ", subsequent_indent="    ")
