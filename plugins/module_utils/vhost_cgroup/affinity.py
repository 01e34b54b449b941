# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPUs that threads were pinned to, kept while they go from one cpuset to another.

Linux before 6.2 gives a thread all CPUs of the cpuset it comes into; later ones keep what it was pinned to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import Tree
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import thread_is
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.checks import effective


def note(threads: Sequence[tuple[int, int, int]], scheduler: Scheduler) -> list[dict[str, Any]]:
    """The CPUs of (group, tid, start) now, for the journal; what has ended is left out."""
    found = []
    for group, tid, start in threads:
        with contextlib.suppress(ProcessLookupError):
            cpus = cpulist.render(scheduler.get(tid).cpus)
            found.append({"group": group, "tid": tid, "start": start, "cpus": cpus})
    return found


def differing(
    tree: Tree, noted: Sequence[Mapping[str, Any]], scheduler: Scheduler
) -> list[tuple[int, tuple[int, ...]]]:
    """The threads that lost some of theirs that their cpuset has: each with the CPUs it may have of them."""
    found = []
    for one in noted:
        tid = int(one["tid"])
        if not thread_is(tree.host, int(one["group"]), tid, int(one["start"])):
            continue
        before = set(cpulist.parse(str(one["cpus"])))
        allowed = set(cpulist.parse(effective(tree, tree.group_of(tid) or "/", "cpus")[0]))
        wanted = (before & allowed if allowed else before) or allowed
        with contextlib.suppress(ProcessLookupError):
            if wanted and set(scheduler.get(tid).cpus) != wanted:
                found.append((tid, tuple(sorted(wanted))))
    return found


def keep(tree: Tree, noted: Sequence[Mapping[str, Any]], scheduler: Scheduler) -> None:
    """Give them back what they lost."""
    for tid, cpus in differing(tree, noted, scheduler):
        with contextlib.suppress(ProcessLookupError):
            scheduler.set_cpus(tid, cpus)
