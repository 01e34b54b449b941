# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study throttle in table.txt: for each timeline its phases go down, their numbers across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.table_parts import (
    MISSING,
    SKIPPED,
    align,
    footnotes,
    header,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import wording as words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import PhaseSummary, Timeline, Timelines
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import one_line

WIDTH = 100
# Whoever names phases at such length finds the names in full in the report.
_NAME_AT_MOST = 16


def blocks(timelines: Timelines, manifest: Mapping[str, Any], _reference: bool) -> list[list[str]]:
    """The lines of one host's timelines. They follow no measurement that was published as figures."""
    return [block(timelines, manifest)]


def block(timelines: Timelines, manifest: Mapping[str, Any]) -> list[str]:
    """All of them."""
    meaning = f"medians of {timelines.trials} a phase; Mbit/s as they arrived, headers included"
    lines = [*header(timelines, manifest, WIDTH, meaning), ""]
    for timeline in timelines.timelines:
        lines += [*_timeline(timeline), ""]
    lines += wrap(words.STREAM_LEGEND, WIDTH)
    if any(words.has_picture(timeline) for timeline in timelines.timelines):
        lines += wrap(words.PICTURE_LEGEND, WIDTH)
    return [*lines, *footnotes(timelines, WIDTH)]


def _timeline(timeline: Timeline) -> Iterator[str]:
    yield one_line(f"{timeline.workload}, workers as {timeline.layout}", WIDTH)
    names = [name for name, _word in words.STREAM]
    table = [["phase", "cpu.max", "Mbit/s", "min to max", *names, "verdict"]]
    table += [
        [
            one_line(phase.name, _NAME_AT_MOST),
            phase.quota or words.NONE,
            _mbps(phase),
            words.mbps_range(phase),
            *(word(phase) for _name, word in words.STREAM),
            one_line(words.limit(phase), WIDTH // 4),
        ]
        for phase in timeline.phases
    ]
    yield from map(_cut, align(table, {0, 1, len(table[0]) - 1}, WIDTH))
    if words.has_picture(timeline):
        yield ""
        picture = align(
            [
                ["phase", *(name for name, _word in words.PICTURE)],
                *(
                    [one_line(phase.name, _NAME_AT_MOST), *(word(phase) for _name, word in words.PICTURE)]
                    for phase in timeline.phases
                ),
            ],
            {0},
            WIDTH,
        )
        yield from map(_cut, picture)
    if said := words.recovery(timeline):
        yield from wrap(said, WIDTH)


def _cut(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _mbps(phase: PhaseSummary) -> str:
    """Marks stand before the number, so that numbers stay below one another."""
    if not phase.counted:
        return SKIPPED if phase.skipped else MISSING
    return words.mbps(phase) if phase.is_complete else f"{MISSING} {words.mbps(phase)}"
