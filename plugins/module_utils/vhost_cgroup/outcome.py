# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module returns of cgroups and workers: read back after the change, or as it would then be."""

from __future__ import annotations

import posixpath
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import FILES
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import Tree
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.checks import effective
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.plan import GroupPlan, Placed


def group_facts(tree: Tree, plan: GroupPlan, *, done: bool) -> dict[str, Any]:
    """A cgroup. None is what it has no controller for; what is effective is then that of the cgroup above."""
    facts: dict[str, Any] = {"path": plan.group, "directory": tree.directory(plan.group), "type": plan.kind}
    wished = {limit.key: limit.after for limit in plan.limits}
    for key, (controller, name, default) in FILES.items():
        if controller not in plan.controllers:
            facts[key] = None
        elif done or key not in wished:
            facts[key] = tree.read(plan.group, name) or default
        else:
            facts[key] = wished[key]
    for key in ("cpus", "mems"):
        text = effective(tree, plan.group, key)[0]
        if not done and key in wished:
            above = effective(tree, posixpath.dirname(plan.group), key)[0]
            numbers = set(cpulist.parse(above))
            text = cpulist.render(numbers & set(cpulist.parse(wished[key]) or numbers))
        facts[f"{key}_effective"] = text
    return facts


def worker_facts(placed: Placed) -> dict[str, Any]:
    """A worker."""
    return {
        "vm": placed.vm.name,
        "pid": placed.vm.pid,
        "tid": placed.worker.tid,
        "interface": placed.worker.served.interface or None,
        "layout": placed.worker.layout,
        "cgroup_before": placed.before,
        "cgroup": placed.group,
        "moved": placed.moves,
    }
