# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader has to know before the numbers: how guests were run, and what the host was warned of meanwhile."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import listed

_ACCELERATORS = {"tcg": "tcg (emulation)"}


def accelerators(group: CellGroup) -> str:
    """What ran the guests of a study, "" where there were none."""
    found = dict.fromkeys(
        str(record.observed["accel"]) for cell in group.cells for record in cell.records if record.observed.get("accel")
    )
    return listed([_ACCELERATORS.get(name, name) for name in found])


def warnings(group: CellGroup) -> list[str]:
    """Each warning that came with a trial, once."""
    found: dict[str, None] = {}
    for cell in group.cells:
        for record in cell.records:
            said = record.observed.get("warnings")
            found.update(dict.fromkeys(str(warning) for warning in said) if isinstance(said, list) else {})
    return list(found)
