# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition of a run for all its hosts, from the plans that each of them has of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

# What may differ from host to host: the cells, and where they run.
_OF_A_HOST = frozenset(
    {
        "cells",
        "factors",
        "vswitch_cpus",
        "far_end_cpus",
        "hugepage_size",
        "memory_mib",
        "allow_overlap",
        "guest_memory_mib",
        "guest_cpu",
        "guest_accel",
        "guest_ready_seconds",
    }
)


def merge(
    definitions: Mapping[str, Mapping[str, Any]], study: str = "reflect", of_a_host: Collection[str] = _OF_A_HOST
) -> dict[str, Any]:
    """The cells of all hosts in order, those that a host does not ask for skipped on it.

    ``of_a_host`` names what else may differ from host to host.
    What decides how a trial is taken has to be the same on all of them, or their numbers could not stand in one
    report: PlanError names what differs.
    """
    names = list(definitions)
    first = definitions[names[0]]
    for name in names[1:]:
        differing = [key for key in sorted(first) if key not in of_a_host and definitions[name].get(key) != first[key]]
        if differing:
            key = differing[0]
            raise PlanError(
                f"{study}_{key} is {first[key]!r} on {names[0]} and {definitions[name].get(key)!r} on {name}."
                " Allowed: the same on all hosts of a run"
            )
    cells: list[Any] = []
    for definition in definitions.values():
        cells += [cell for cell in definition["cells"] if cell not in cells]
    skipped = [
        {"cell": cell, "host": name, "reason": f"{name} has other levels in its variables"}
        for name, definition in definitions.items()
        for cell in cells
        if cell not in definition["cells"]
    ]
    of_hosts = {
        key: {name: definition[key] for name, definition in definitions.items()}
        for key in sorted(set(of_a_host) - {"cells"})
        if any(definition[key] != first[key] for definition in definitions.values())
    }
    return {**first, "cells": cells, **({"skipped": skipped} if skipped else {}), **of_hosts}
