# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vhost workers in cgroups of their own: look, plan, check, change, read back, and take back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup import hierarchy
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import FILES, same
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import Tree
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Entry, Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import WORKER_NAME, thread_ids, thread_is
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import is_running
from ansible_collections.virtperf.vhost.plugins.module_utils.steps import Step, all_or_nothing
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import vms, workers
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import affinity, plan, record, undo
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.others import RESOURCE
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.outcome import group_facts, worker_facts
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.plan import GroupPlan, Placed, Plan
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.request import Request


def ensure_present(
    host: Host, request: Request, *, run_id: str = "", check_mode: bool = False, scheduler: Scheduler | None = None
) -> dict[str, Any]:
    """Have the workers in the cgroup, with its limits. All of it is done, or nothing."""
    scheduler = scheduler or Scheduler()
    if not request.vms:
        raise VirtperfError("no VM is listed", way_out="list the VMs whose vhost workers are meant")
    tree = open_tree(host, request.controllers)
    found = vms.find(host)
    picked = [vms.pick(found, wish.name, wish.pid) for wish in request.vms]
    vhosts = workers.find(host, picked)
    planned = plan.make(tree, request, list(zip(request.vms, vhosts)))
    before, after = planned.texts(done=False), planned.texts(done=True)
    done = planned.changed and not check_mode
    if done:
        journal = Journal(host, run_id)
        all_or_nothing(journal, [_step(tree, request, planned, journal, scheduler)])
    return {
        "changed": planned.changed,
        "actions": planned.actions(),
        "groups": [group_facts(tree, group, done=done) for group in planned.groups],
        "workers": [worker_facts(one) for one in planned.workers],
        "diff": {"before": before, "after": after} if planned.changed else {},
    }


def ensure_absent(
    host: Host, cgroup: str, *, check_mode: bool = False, scheduler: Scheduler | None = None
) -> dict[str, Any]:
    """Put back what was put into the cgroup, and remove what was made for it."""
    journal = Journal(host)
    mine = [one for one in journal.entries() if one.resource == RESOURCE and one.undo.get("cgroup") == cgroup]
    known = record.merged([entry.undo for entry in mine])
    if known is None:
        _check_not_lost(host, cgroup)
        return {"changed": False, "actions": [], "groups": [], "workers": [], "diff": {}}
    undoing = undo.look(host, known, scheduler or Scheduler())
    if not check_mode:
        undo.apply(undoing)
        numbers = [entry.number for entry in mine]
        kept = [entry for entry in journal.entries() if entry.number not in numbers]
        if undoing.left:
            # It becomes the business of those who need it.
            kept.insert(0, Entry(numbers[0], RESOURCE, undo.residue(undoing), mine[0].run_id, mine[0].at))
        journal.keep_only(sorted(kept, key=lambda entry: entry.number))
    return {
        "changed": bool(undoing.actions()),
        "actions": undoing.actions(),
        "groups": [],
        "workers": undoing.worker_facts(),
        "diff": {"before": undoing.text(done=False), "after": undoing.text(done=True)} if undoing.actions() else {},
    }


def open_tree(host: Host, controllers: Sequence[str]) -> Tree:
    """The tree of version 2, if it has these controllers."""
    return Tree(host, hierarchy.require(host, controllers).v2)


def undo_vhost_cgroup(host: Host, known: Mapping[str, Any]) -> str:
    """Take back one call; nothing to do when the host was booted since, for cgroups do not outlive that."""
    undoing = undo.look(host, known, Scheduler())
    undo.apply(undoing)
    return undoing.summary()


def _check_not_lost(host: Host, cgroup: str) -> None:
    """VirtperfError for workers that somebody put there: where they came from nobody knows."""
    tree = Tree(host, hierarchy.observe(host).v2)
    inside = tree.members(cgroup) if tree.mount and tree.exists(cgroup) else []
    found = [tid for tid in inside if WORKER_NAME.fullmatch(host.read_or(f"{host.proc}/{tid}/comm"))]
    if found:
        raise VirtperfError(
            f"cgroup {cgroup} has vhost workers, and the journal does not know of them",
            found=f"threads {', '.join(map(str, found))} in {tree.directory(cgroup)}",
            way_out="whoever moved them there has to move them back; where the journal was lost, stop their VMs, or "
            "write their ids to cgroup.threads or cgroup.procs of the cgroup they belong to",
        )


def _step(tree: Tree, request: Request, planned: Plan, journal: Journal, scheduler: Scheduler) -> Step:
    known = record.note(tree, request.cgroup, planned, scheduler)

    def apply() -> None:
        journal.append(RESOURCE, **known)
        _apply(tree, planned, known["affinity"], scheduler)

    def revert() -> str:
        undo.apply(undo.look(tree.host, known, scheduler))
        return ""

    return Step(apply, revert)


def _apply(tree: Tree, planned: Plan, noted: Sequence[Mapping[str, Any]], scheduler: Scheduler) -> None:
    for group in planned.groups:
        _prepare(tree, group)
    for move in planned.processes:
        _place(tree, move.group, "cgroup.procs", move.pid, move.who, planned)
    for one in planned.workers:
        if one.moves:
            _move(tree, one, planned)
    for one in planned.workers:
        _verify(tree, one)
    affinity.keep(tree, noted, scheduler)


def _prepare(tree: Tree, group: GroupPlan) -> None:
    for path in group.makes:
        tree.make(path)
    for path, names in group.enables:
        _write(tree, path, "cgroup.subtree_control", " ".join(f"+{name}" for name in names))
        lacking = [name for name in names if name not in tree.enabled(path)]
        if lacking:
            raise VirtperfError(f"{tree.directory(path)} did not enable {' and '.join(lacking)}, without an error")
    if group.turns:
        _write(tree, group.group, "cgroup.type", "threaded")
    for limit in group.limits:
        name = FILES[limit.key][1]
        if limit.changes:
            _write(tree, group.group, name, limit.after)
        granted = tree.read(group.group, name)
        if not same(limit.key, granted, limit.after):
            raise VirtperfError(
                f"{tree.file(group.group, name)}: asked for {limit.after!r}, the kernel has {granted!r}",
                way_out="see who else writes to this cgroup",
            )


def _write(tree: Tree, group: str, name: str, text: str) -> None:
    try:
        tree.write(group, name, text)
    except OSError as error:
        raise VirtperfError(
            f"the kernel refuses {text!r} in {tree.file(group, name)}",
            found=str(error.strerror),
            way_out="EBUSY, EOPNOTSUPP: processes came into that cgroup this moment, run again. EINVAL with +cpu: "
            "real-time processes on a kernel with CONFIG_RT_GROUP_SCHED",
            file=tree.file(group, name),
            errno=error.errno,
        ) from error


def _move(tree: Tree, one: Placed, planned: Plan) -> None:
    threaded = next(group.threaded for group in planned.groups if group.group == one.group)
    name = "cgroup.threads" if threaded else "cgroup.procs"
    _place(tree, one.group, name, one.worker.tid, one.who, planned)


def _place(tree: Tree, group: str, name: str, tid: int, who: str, planned: Plan) -> None:
    try:
        tree.write(group, name, str(tid))
    except OSError as error:
        _check_alive(tree.host, planned)
        raise _refused(tree, who, tid, group, str(error.strerror), errno=error.errno) from error


def _verify(tree: Tree, one: Placed) -> None:
    now = tree.group_of(one.worker.tid)
    if now == one.group:
        return
    if not thread_is(tree.host, one.worker.group, one.worker.tid, one.worker.start):
        raise VirtperfError(
            f"vhost worker {one.worker.tid} of VM {one.vm} ended while it was being moved",
            way_out="see whether the VM still runs, and run again",
        )
    raise _refused(tree, one.who, one.worker.tid, one.group, f"it is in {now}")


def _refused(tree: Tree, who: str, tid: int, group: str, found: str, **facts: Any) -> VirtperfError:
    return VirtperfError(
        f"{who} refuses to move to {tree.directory(group)}",
        found=found,
        way_out="EINVAL: the kernel keeps this thread where it is (bound to CPUs of its own); EOPNOTSUPP or EBUSY: the "
        "cgroup changed this moment, run again",
        tid=tid,
        **facts,
    )


def _check_alive(host: Host, planned: Plan) -> None:
    for one in planned.workers:
        if not is_running(host, one.vm.identity):
            raise VirtperfError(
                f"VM {one.vm} ended while its workers were being moved", way_out="start it, and run again"
            )
    for one in planned.workers:
        if one.worker.group == one.vm.pid and one.worker.tid not in thread_ids(host, one.vm.pid):
            raise VirtperfError(
                f"vhost worker {one.worker.tid} of VM {one.vm} ended while it was being moved", way_out="run again"
            )
