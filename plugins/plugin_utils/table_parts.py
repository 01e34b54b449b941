# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables of all studies share: their head, their columns, and what stands below them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.circumstances import accelerators, warnings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.facts import versions
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import (
    cell_label,
    cells_label,
    count,
    one_line,
)

# Marks of cells that are no number.
MISSING, SKIPPED = "!", "skipped"
# Reasons are told in full in the report; a page of them would push the table off the screen.
_REASONS_AT_MOST = 30


def trouble(kind: str, words: str, width: int) -> list[str]:
    """Told in full: this is what a person needs first."""
    # A file's name is of no use in two halves.
    return wrap(one_line(words), width, initial_indent=f"{kind:8}", subsequent_indent=" " * 8, break_on_hyphens=False)


def header(group: CellGroup, manifest: Mapping[str, Any], width: int, meaning: str) -> Iterator[str]:
    """What was measured where, when and with what; ``meaning`` says what the numbers are."""
    yield one_line(f"{group.study}, run {manifest['run_id']}, host {group.host}", width)
    date = manifest["created_at"].replace("T", " ").replace("Z", " UTC")
    tool = manifest["tool"]
    words = [f"{tool['name']} {tool['version']}", *versions(manifest["facts"].get(group.host, {})), date]
    yield one_line(", ".join(words), width)
    yield meaning
    if accel := accelerators(group):
        yield one_line(f"guests run by {accel}", width)


def align(table: Sequence[Sequence[str]], texts: set[int], width: int) -> Iterator[str]:
    """Columns below one another: texts (by their places) to the left, numbers to the right."""
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    gap = "  " if sum(widths) + 2 * len(widths) - 2 <= width else " "
    for line in table:
        yield gap.join(
            word.ljust(width) if column in texts else word.rjust(width)
            for column, (word, width) in enumerate(zip(line, widths, strict=True))
        )


def footnotes(group: CellGroup, width: int) -> Iterator[str]:
    """Which cells failed or were skipped and why, warnings, and what limited the others."""
    if group.incomplete:
        few = f"{len(group.incomplete)} of {count(len(group.asked), 'cell')}"
        yield f"{MISSING}        fewer valid trials than asked for, in {few}:"
        yield from _short_list(
            (
                f"{cell_label(cell.cell)}: {len(cell.counted)} of {cell.wanted} valid; {'; '.join(cell.reasons)}"
                for cell in group.incomplete
            ),
            width,
        )
    if skipped := group.skipped():
        yield f"{SKIPPED}  not measured, and not asked to be:"
        yield from _short_list(
            (f"{cells_label([cell.cell for cell in cells])}: {reason}" for reason, cells in skipped.items()), width
        )
    for warning in warnings(group):
        yield from trouble("WARNING", warning, width)
    if group.asked:
        yield "verdicts"
        cells = count(len(group.asked), "cell")
        yield from (f"  {one_line(limit, width // 2)}: {number} of {cells}" for limit, number in group.limits())


def _short_list(lines: Iterable[str], width: int) -> Iterator[str]:
    all_lines = list(lines)
    indent = " " * 9
    for line in all_lines[:_REASONS_AT_MOST]:
        yield indent + one_line(line, width - len(indent))
    if len(all_lines) > _REASONS_AT_MOST:
        yield f"{indent}and {len(all_lines) - _REASONS_AT_MOST} more: see report.html"
