# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each cgroup and each worker: the plan that check mode shows, --diff prints and apply makes true."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import FILES, after, same
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import DOMAIN, THREADED, Tree, above
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.vms import Vm
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.workers import Vhost, Worker
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import checks
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.request import Request, VmWish


@dataclass(frozen=True)
class Placed:
    """A worker and the cgroup it shall be in."""

    vm: Vm
    worker: Worker
    before: str
    group: str

    @property
    def moves(self) -> bool:
        """Whether it is elsewhere now."""
        return self.before != self.group

    @property
    def who(self) -> str:
        """In words."""
        serves = f" ({self.worker.served.interface})" if self.worker.served.interface else ""
        return f"vhost worker {self.worker.tid} of {self.vm.name}{serves}"


@dataclass(frozen=True)
class ProcessMove:
    """A process that has to be in another cgroup before threads of it can be in a threaded one below."""

    vm: Vm
    pid: int
    start: int
    before: str
    group: str

    @property
    def who(self) -> str:
        """In words."""
        return f"{'QEMU' if self.pid == self.vm.pid else 'kernel thread'} {self.pid} of {self.vm.name}"


@dataclass(frozen=True)
class Limit:
    """A file of a cgroup's that shall read ``after``."""

    key: str
    before: str
    after: str

    @property
    def changes(self) -> bool:
        """Whether it means something else now."""
        return not same(self.key, self.before, self.after)


@dataclass
class GroupPlan:
    """A cgroup for workers. ``makes`` are the cgroups to be made for it, the topmost first; ``enables`` what each
    cgroup above has to enable; ``controllers`` what it then has; ``turns`` whether it has to be made threaded."""

    group: str
    threaded: bool
    exists: bool
    turns: bool
    controllers: tuple[str, ...]
    makes: list[str] = field(default_factory=list)
    enables: list[tuple[str, list[str]]] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Its type, once all is done."""
        return THREADED if self.threaded else DOMAIN

    @property
    def changes(self) -> bool:
        """Whether there is something to do for it, the workers aside."""
        return bool(self.makes or self.enables or self.turns or any(limit.changes for limit in self.limits))


@dataclass(frozen=True)
class Plan:
    """All of it, in the order in which it is done."""

    groups: tuple[GroupPlan, ...]
    processes: tuple[ProcessMove, ...]
    workers: tuple[Placed, ...]

    @property
    def changed(self) -> bool:
        """Whether there is something to do."""
        return (
            any(group.changes for group in self.groups)
            or bool(self.processes)
            or any(worker.moves for worker in self.workers)
        )

    def actions(self) -> list[str]:
        """In plain words, in order."""
        words = []
        for group in self.groups:
            words += [f"make cgroup {path}" for path in group.makes]
            words += [f"enable {', '.join(names)} below {path}" for path, names in group.enables]
            words += [f"make {group.group} threaded"] if group.turns else []
            words += [
                f"set {FILES[limit.key][1]} of {group.group} to {limit.after or 'that of the cgroup above'}"
                for limit in group.limits
                if limit.changes
            ]
        words += [f"move {move.who} from {move.before} to {move.group}" for move in self.processes]
        words += [f"move {one.who} from {one.before} to {one.group}" for one in self.workers if one.moves]
        return words

    def texts(self, *, done: bool) -> str:
        """Who is where and what each cgroup has, for --diff."""
        lines = []
        for group in self.groups:
            if done or group.exists:
                kind = group.kind if done or not group.turns else DOMAIN
                lines.append(f"{group.group} ({kind})")
                for limit in group.limits:
                    lines.append(f"  {FILES[limit.key][1]} = {limit.after if done else limit.before}".rstrip())
        for move in self.processes:
            lines.append(f"{move.who}: {move.group if done else move.before}")
        for one in self.workers:
            place = one.group if done else one.before
            lines.append(f"{one.who}: {place}")
        return "".join(f"{line}\n" for line in lines)


def make(tree: Tree, request: Request, wanted: Sequence[tuple[VmWish, Vhost]]) -> Plan:
    """The plan; VirtperfError for what cannot be had, before anything is touched."""
    targets: dict[int, tuple[Vhost, Worker, str]] = {}
    for wish, vhost in wanted:
        for worker in checks.wished_workers(wish, vhost):
            targets[worker.tid] = (vhost, worker, _target(tree, request, vhost.vm, worker))
    groups: dict[str, GroupPlan] = {}
    for _vhost, _worker, path in targets.values():
        if path not in groups:
            threads = [one for _v, one, other in targets.values() if other == path and not one.is_kthread]
            groups[path] = _group(tree, request, path, bool(threads))
    placed = [Placed(vhost.vm, worker, tree.group_of(worker.tid), path) for vhost, worker, path in targets.values()]
    processes = _processes(tree, placed, groups)
    return Plan(tuple(groups.values()), tuple(processes), tuple(placed))


def _target(tree: Tree, request: Request, vm: Vm, worker: Worker) -> str:
    """Beside ``emulator`` where libvirt keeps the VM, for a thread cannot leave that; else where it is asked for."""
    home = tree.group_of(vm.pid)
    if posixpath.basename(home) == "emulator" and tree.kind(home) == THREADED and not worker.is_kthread:
        return posixpath.join(posixpath.dirname(home), posixpath.basename(request.cgroup))
    return request.cgroup


def _group(tree: Tree, request: Request, path: str, threads: bool) -> GroupPlan:
    parent = posixpath.dirname(path)
    missing = [group for group in [*above(path), path] if not tree.exists(group)]
    exists = not missing
    top = posixpath.dirname(missing[0]) if missing else parent
    # Below a threaded domain nothing but threaded cgroups can have processes.
    threaded = threads or _is_threaded(tree, path) or checks.is_threaded_below(tree, top)
    enables = checks.to_enable(tree, path, request.controllers, is_libvirts=path != request.cgroup)
    controllers = {*tree.enabled(parent), *(name for group, names in enables if group == parent for name in names)}
    found = GroupPlan(
        path, threaded, exists, threaded and not _is_threaded(tree, path), tuple(sorted(controllers)), missing, enables
    )
    if threaded:
        checks.check_threaded(tree, path)
    checks.check_cpuset(tree, path, request.limits)
    for key, wish in request.limits.wishes():
        _controller, name, default = FILES[key]
        before = tree.read(path, name) or default
        found.limits.append(Limit(key, before, after(key, wish, before)))
    return found


def _is_threaded(tree: Tree, path: str) -> bool:
    return tree.exists(path) and tree.kind(path) == THREADED


def _processes(tree: Tree, placed: Sequence[Placed], groups: dict[str, GroupPlan]) -> list[ProcessMove]:
    moves: dict[int, ProcessMove] = {}
    for one in placed:
        if not groups[one.group].threaded:
            continue
        parent = posixpath.dirname(one.group)
        pid = one.worker.group
        start = one.vm.identity.start if pid == one.vm.pid else one.worker.start
        before = tree.group_of(pid)
        if tree.domain_of(before) == tree.domain_of(parent):
            continue
        move = ProcessMove(one.vm, pid, start, before, parent)
        if moves.setdefault(pid, move).group != parent:
            raise VirtperfError(
                f"QEMU {pid} of {one.vm.name} would have to be in {move.group} and in {moves[pid].group}",
                way_out="put all workers of a VM below the same cgroup",
            )
    for move in moves.values():
        checks.check_nobody_is_left(tree, move.vm, move.pid, move.before, [one.worker.tid for one in placed])
    return list(moves.values())
