# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader has to know before the numbers: how guests were run, and what the host was warned of meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import listed

_EMULATION = "tcg"
_ACCELERATORS = {_EMULATION: "tcg (emulation)"}


def accelerators(group: CellGroup) -> str:
    """What ran the guests of a study, "" where there were none."""
    return listed([_ACCELERATORS.get(name, name) for name in _accelerators(group)])


def caution(group: CellGroup, facts: Mapping[str, Any]) -> str:
    """Why absolute numbers say little, where they do: the guests were emulated, or the measured host is a VM itself."""
    cpus = facts.get("cpus")
    if _EMULATION in _accelerators(group):
        why = "Guests were emulated"
    elif isinstance(cpus, Mapping) and cpus.get("virtual"):
        why = "The measured host is a virtual machine itself"
    else:
        return ""
    return f"{why}: the effects count, not the absolute numbers."


def _accelerators(group: CellGroup) -> list[str]:
    return list(
        dict.fromkeys(
            str(record.observed["accel"])
            for cell in group.cells
            for record in cell.records
            if record.observed.get("accel")
        )
    )


def warnings(group: CellGroup) -> list[str]:
    """Each warning that came with a trial, once."""
    found: dict[str, None] = {}
    for cell in group.cells:
        for record in cell.records:
            said = record.observed.get("warnings")
            found.update(dict.fromkeys(str(warning) for warning in said) if isinstance(said, list) else {})
    return list(found)
