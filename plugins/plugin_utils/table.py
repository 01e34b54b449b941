# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""table.txt: what is printed after a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import STUDIES
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table_parts import trouble

WIDTH = 120


def render_table(
    results: Sequence[CellGroup], manifest: Mapping[str, Any], notes: Sequence[str], *, reference: bool = False
) -> str:
    """The tables of all results, one below the other; ends in a newline. ``notes`` tell of lines that were left out.

    ``reference`` adds the figures of the measurement that a study follows.
    """
    blocks = [block for result in results for block in STUDIES[result.study].blocks(result, manifest, reference)]
    troubles = [("FAILED", failure) for failure in manifest["failures"]] + [("NOTE", note) for note in notes]
    if troubles:
        blocks.insert(0, [line for kind, words in troubles for line in trouble(kind, words, WIDTH)])
    return "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks) + "\n"
