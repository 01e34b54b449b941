# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls for other cgroups that are in force at the same time, as the journal has them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import Tree
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal

RESOURCE = "vhost_cgroup"


@dataclass
class Others:
    """Calls for other cgroups that are in force: what they made, and whose threads they placed, each with its cgroup.

    ``heir`` is what the last of them was for, "" without any.
    """

    made: dict[str, str] = field(default_factory=dict)
    processes: dict[int, str] = field(default_factory=dict)
    heir: str = ""

    def user_of(self, group: str) -> str:
        """One of theirs below a cgroup, or ""."""
        places = [*self.made, *self.processes.values()]
        return next((place for place in places if place.startswith(f"{group}/")), "")


def look_at_others(tree: Tree, cgroup: str) -> Others:
    """The calls in the journal that are for other cgroups than this one."""
    found = Others()
    for entry in Journal(tree.host).entries():
        if entry.resource != RESOURCE or entry.undo["cgroup"] == cgroup:
            continue
        made = {str(path): str(path) for path in entry.undo["made"] if tree.exists(path)}
        placed = {
            int(one["group"]): str(one["became"])
            for one in entry.undo["workers"]
            if one["group"] != one["tid"] and tree.group_of(int(one["tid"])) == one["became"]
        }
        found.made.update(made)
        found.processes.update(placed)
        found.heir = str(entry.undo["cgroup"]) if made or placed else found.heir
    return found
