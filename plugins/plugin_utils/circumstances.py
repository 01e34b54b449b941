# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader has to know before the numbers: how guests were run, and what the host was warned of meanwhile."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import listed

_ACCELERATORS = {"tcg": "tcg (emulation)"}


def accelerators(grid: Grid) -> str:
    """What ran the guests of a grid, "" where there were none."""
    found = dict.fromkeys(
        str(record.observed["accel"]) for cell in grid.cells for record in cell.records if record.observed.get("accel")
    )
    return listed([_ACCELERATORS.get(name, name) for name in found])


def warnings(grid: Grid) -> list[str]:
    """Each warning that came with a trial, once."""
    found: dict[str, None] = {}
    for cell in grid.cells:
        for record in cell.records:
            said = record.observed.get("warnings")
            found.update(dict.fromkeys(str(warning) for warning in said) if isinstance(said, list) else {})
    return list(found)
