# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run was asked to measure: its cells on each of its hosts, and how many trials each of them needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import cell_key


@dataclass(frozen=True, slots=True)
class WantedCell:
    """One cell on one host. ``skipped`` is the reason why it was not to be measured after all, or empty."""

    host: str
    study: str
    cell: Mapping[str, Any]
    trials: int
    skipped: str = ""


def wanted_cells(studies: Mapping[str, Any], hosts: Sequence[str]) -> list[WantedCell]:
    """Every cell asked for, in the order it was asked for.

    ``studies`` maps a study's name to its resolved definition: ``cells`` and ``trials``; ``skipped``, cells with a
    ``reason`` (and a ``host``, where it holds for that one only); ``hosts``, where the study runs on some of
    ``hosts`` only. A cell skipped without a reason is not skipped, it is missing.
    """
    wanted = []
    for study, definition in studies.items():
        for host in definition.get("hosts") or hosts:
            skipped = {
                cell_key(skip["cell"]): (skip["cell"], skip["reason"])
                for skip in definition.get("skipped") or ()
                if skip.get("reason") and skip.get("host", host) == host
            }
            for cell in definition["cells"]:
                _cell, reason = skipped.pop(cell_key(cell), (cell, ""))
                wanted.append(WantedCell(host, study, cell, definition["trials"], reason))
            # Whoever resolved the definition may have taken the skipped cells out of the list.
            wanted += [WantedCell(host, study, cell, 0, reason) for cell, reason in skipped.values()]
    return wanted
