# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal has of a call: all that its undo needs to know, noted before the first change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import FILES
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import Tree
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import thread_ids
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id, stat_fields
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import affinity
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.plan import Plan


def note(tree: Tree, cgroup: str, planned: Plan, scheduler: Scheduler) -> dict[str, Any]:
    """What the journal needs to undo a plan that has not begun."""
    limits = []
    for group in planned.groups:
        if group.exists:
            names = [name for _c, name, _d in FILES.values()] if group.turns else []
            names += [FILES[limit.key][1] for limit in group.limits if limit.changes]
            limits += [[group.group, name, tree.read(group.group, name)] for name in dict.fromkeys(names)]
    threads = {
        **{
            tid: (move.pid, tid, _start(tree.host, move.pid, tid))
            for move in planned.processes
            for tid in thread_ids(tree.host, move.pid)
        },
        **{
            one.worker.tid: (one.worker.group, one.worker.tid, one.worker.start) for one in planned.workers if one.moves
        },
    }
    return {
        "cgroup": cgroup,
        "mount": tree.mount,
        "boot": boot_id(tree.host),
        "made": list(dict.fromkeys(path for group in planned.groups for path in group.makes)),
        "enabled": [[path, names] for group in planned.groups for path, names in group.enables],
        "turned": [group.group for group in planned.groups if group.turns and group.exists],
        "limits": limits,
        "processes": [
            {
                "who": move.who,
                "pid": move.pid,
                "start": move.start,
                "was": move.before,
                "became": move.group,
            }
            for move in planned.processes
        ],
        "workers": [
            {
                "who": one.who,
                "vm": one.vm.name,
                "pid": one.vm.pid,
                "tid": one.worker.tid,
                "group": one.worker.group,
                "start": one.worker.start,
                "interface": one.worker.served.interface or None,
                "layout": one.worker.layout,
                "was": one.before,
                "became": one.group,
            }
            for one in planned.workers
            if one.moves
        ],
        "affinity": affinity.note(list(threads.values()), scheduler),
    }


def _start(host: Host, pid: int, tid: int) -> int:
    return int(stat_fields(host.read(f"{host.proc}/{pid}/task/{tid}/stat"))[19])


def merged(records: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Several calls as one, the oldest first: what was there before the first, and what became of it in the last."""
    if not records:
        return None
    whole: dict[str, Any] = {**records[0]}
    for key in ("made", "enabled", "turned"):
        whole[key] = [item for record in records for item in record[key]]
    whole["limits"] = list({(one[0], one[1]): one for record in reversed(records) for one in record["limits"]}.values())
    whole["affinity"] = list({one["tid"]: one for record in reversed(records) for one in record["affinity"]}.values())
    for key, name in (("processes", "pid"), ("workers", "tid")):
        first: dict[tuple[int, int], dict[str, Any]] = {}
        for record in records:
            for one in record[key]:
                which = (one[name], one["start"])
                first[which] = {**first.get(which, one), "became": one["became"]}
        whole[key] = list(first.values())
    return whole
