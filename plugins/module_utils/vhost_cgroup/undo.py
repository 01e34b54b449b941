# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers back where they were, limits lifted, and what was made for them removed, the deepest first.

It looks at what is there before it plans, so that it can be killed at any moment and run again, and so that it leaves
alone what somebody else moved since.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import FILES, same
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import THREADED, Tree, above, describe
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import thread_is
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import affinity
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.others import Others, look_at_others


@dataclass(frozen=True)
class Return:
    """A process or a thread that goes back. ``known`` is what the record has of it."""

    known: Mapping[str, Any]
    now: str
    to: str
    whole: bool

    def describe(self) -> str:
        """In plain words."""
        return f"move {self.known['who']} from {self.now} back to {self.to}"


@dataclass
class Undoing:
    """What is to be done, in this order."""

    tree: Tree
    record: Mapping[str, Any]
    scheduler: Scheduler
    returns: list[Return] = field(default_factory=list)
    strangers: list[tuple[int, str]] = field(default_factory=list)
    remakes: list[str] = field(default_factory=list)
    limits: list[tuple[str, str, str]] = field(default_factory=list)
    removes: list[str] = field(default_factory=list)
    disables: list[tuple[str, list[str]]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    others: Others = field(default_factory=Others)
    kept: dict[str, list[Any]] = field(default_factory=lambda: {"processes": [], "made": [], "enabled": []})

    def actions(self) -> list[str]:
        """In plain words."""
        return [
            *(one.describe() for one in self.returns),
            *(f"move {describe(self.tree.host, [pid])} to {to}" for pid, to in self.strangers),
            *(f"make {group} a domain again" for group in self.remakes),
            *(
                f"set {name} of {group} back to {text or 'that of the cgroup above'}"
                for group, name, text in self.limits
            ),
            *(f"remove cgroup {group}" for group in self.removes),
            *(f"disable {', '.join(names)} below {group}" for group, names in self.disables),
            *self.left,
        ]

    def summary(self) -> str:
        """The same in one line, without where each was."""
        ways = [f"{one.known['who']} back to {one.to}" for one in self.returns]
        moved = [f"put {', '.join(ways)}"] if ways else []
        return "; ".join([*moved, *self.actions()[len(ways) :]])

    def worker_facts(self) -> list[dict[str, Any]]:
        """For the module's result."""
        returned = {int(one.known["tid"]): one for one in self.returns if "tid" in one.known}
        facts = []
        for known in self.record["workers"]:
            one = returned.get(int(known["tid"]))
            if one:
                keys = ("vm", "pid", "tid", "interface", "layout")
                places = {"cgroup_before": one.now, "cgroup": one.to, "moved": True}
                facts.append({**{key: known[key] for key in keys}, **places})
        return facts

    def text(self, *, done: bool) -> str:
        """Who is where and which cgroups there are, for --diff."""
        lines = [] if done else [f"cgroup {group}" for group in reversed(self.removes)]
        lines += [f"{one.known['who']}: {one.to if done else one.now}" for one in self.returns]
        return "".join(f"{line}\n" for line in lines)


def residue(undoing: Undoing) -> dict[str, Any]:
    """What others still need of a call that is undone: it goes to the last of them, or to restore."""
    empty: dict[str, Any] = {key: [] for key in ("turned", "limits", "workers")}
    affinities = undoing.record["affinity"] if undoing.kept["processes"] else []
    return {**undoing.record, **empty, **undoing.kept, "affinity": affinities, "cgroup": undoing.others.heir}


def look(host: Host, known: Mapping[str, Any], scheduler: Scheduler) -> Undoing:
    """What is left to be undone."""
    tree = Tree(host, str(known["mount"]))
    undoing = Undoing(tree, known, scheduler)
    if known["boot"] != boot_id(host):
        return undoing
    undoing.others = look_at_others(tree, str(known["cgroup"]))
    going = _look_at_processes(undoing)
    for one in known["workers"]:
        group, now = int(one["group"]), tree.group_of(int(one["tid"]))
        if now != one["became"] or not thread_is(host, group, int(one["tid"]), int(one["start"])):
            continue
        to = _home(tree, str(one["was"]), known["made"])
        if group in going and tree.kind(to) != THREADED:
            to = going[group]  # where its process goes or stays
        undoing.returns.append(Return(one, now, to, False))
    _look_at_groups(undoing, going)
    _look_at_controllers(undoing)
    return undoing


def _look_at_processes(undoing: Undoing) -> dict[int, str]:
    """Where each process of the record will be that is still where it was put."""
    tree, going = undoing.tree, {}
    for one in undoing.record["processes"]:
        pid, now = int(one["pid"]), tree.group_of(int(one["pid"]))
        if now != one["became"] or not thread_is(tree.host, pid, pid, int(one["start"])):
            continue
        if pid in undoing.others.processes:
            going[pid] = now
            undoing.kept["processes"].append(one)
            undoing.left.append(
                f"leave {one['who']} in {now}, for threads of it are in {undoing.others.processes[pid]}"
            )
        else:
            going[pid] = _home(tree, str(one["was"]), undoing.record["made"])
            undoing.returns.append(Return(one, now, going[pid], True))
    return going


def _look_at_groups(undoing: Undoing, going: Mapping[int, str]) -> None:
    tree, known = undoing.tree, undoing.record
    moving = {int(one.known["pid" if one.whole else "group"]) for one in undoing.returns}
    for group in sorted((group for group in known["made"] if tree.exists(group)), key=lambda one: -one.count("/")):
        user = undoing.others.user_of(group)
        if user:
            undoing.kept["made"].insert(0, group)
            undoing.left.append(f"leave cgroup {group}, for {user} is in use")
            continue
        undoing.removes.append(group)
        # Such as what QEMU started since: it goes where QEMU goes, or up.
        to = next(iter(going.values()), _home(tree, posixpath.dirname(group), known["made"]))
        undoing.strangers += [(pid, to) for pid in tree.processes(group) if pid not in moving]
    there = {group: tree.exists(group) and group not in known["made"] for group in {*known["turned"], *_limited(known)}}
    undoing.remakes = [group for group in known["turned"] if there[group] and tree.kind(group) == THREADED]
    undoing.limits = [
        (group, name, text)
        for group, name, text in known["limits"]
        if there[group] and not same(_key(name), tree.read(group, name), text)
    ]


def _limited(known: Mapping[str, Any]) -> list[str]:
    return [str(group) for group, _name, _text in known["limits"]]


def _look_at_controllers(undoing: Undoing) -> None:
    tree = undoing.tree
    for group, names in sorted(undoing.record["enabled"], key=lambda pair: -pair[0].count("/")):
        if group in undoing.removes or not tree.exists(group):
            continue
        now = [name for name in names if name in tree.enabled(group)]
        used = {name: user for name in now if (user := _user(undoing, group, name))}
        undoing.left += [f"leave {name} enabled below {group}, for {user} uses it" for name, user in used.items()]
        undoing.kept["enabled"] += [[group, list(used)]] if used else []
        free = [name for name in now if name not in used]
        undoing.disables += [(group, free)] if free else []


def _key(name: str) -> str:
    return next(key for key, (_controller, file, _default) in FILES.items() if file == name)


def _user(undoing: Undoing, group: str, controller: str) -> str:
    """A cgroup of somebody else's, or of another call, that would lose its limits with the controller, or ""."""
    tree = undoing.tree
    for child in tree.children(group):
        if child in undoing.removes:
            continue
        if child in undoing.others.made or child in undoing.kept["made"] or controller in tree.enabled(child):
            return child
        for key, (of, name, default) in FILES.items():
            text = tree.read(child, name)
            if of == controller and text and not same(key, text, default):
                return child
    return ""


def _home(tree: Tree, was: str, made: Sequence[str]) -> str:
    """Where it was; the nearest one above if that has gone since."""
    for group in [was, *reversed(above(was))] if was else ["/"]:
        if group not in made and tree.exists(group):
            return group
    return "/"


def apply(undoing: Undoing) -> None:
    """Do it."""
    tree = undoing.tree
    for one in undoing.returns:
        _return(tree, one)
    for pid, to in undoing.strangers:
        with contextlib.suppress(ProcessLookupError):
            tree.write(to, "cgroup.procs", str(pid))
    for group in undoing.remakes:
        # Threaded cannot be undone in place.
        _remove(tree, group)
        tree.make(group)
    for group, name, text in undoing.limits:
        tree.write(group, name, text)
    for group in undoing.remakes:
        _restore_limits(undoing, group)
    for group in undoing.removes:
        _remove(tree, group)
    for group, names in undoing.disables:
        tree.write(group, "cgroup.subtree_control", " ".join(f"-{name}" for name in names))
    if undoing.record["boot"] == boot_id(tree.host):
        affinity.keep(tree, undoing.record["affinity"], undoing.scheduler)


def _restore_limits(undoing: Undoing, remade: str) -> None:
    for group, name, text in undoing.record["limits"]:
        if group == remade and text and not same(_key(name), undoing.tree.read(group, name), text):
            undoing.tree.write(group, name, text)


def _return(tree: Tree, one: Return) -> None:
    """As a process where it was one, or where it is one; else as a thread below its process's domain."""
    tid = int(one.known["pid"] if one.whole else one.known["tid"])
    group = tid if one.whole else int(one.known["group"])
    try:
        if one.whole or group == tid:
            tree.write(one.to, "cgroup.procs", str(tid))
        elif tree.group_of(tid) != one.to:
            # Not where its process has gone back to, which took it along.
            tree.write(one.to, "cgroup.threads", str(tid))
    except ProcessLookupError:
        return
    except OSError as error:
        if not thread_is(tree.host, group, tid, int(one.known["start"])):
            return
        raise VirtperfError(
            f"{one.known['who']} refuses to move back to {tree.directory(one.to)}",
            found=str(error.strerror),
            way_out=f"see what became of that cgroup; it is in {tree.group_of(tid)}",
        ) from error


def _remove(tree: Tree, group: str) -> None:
    try:
        tree.remove(group)
    except FileNotFoundError:
        return
    except OSError as error:
        children = tree.children(group)
        members = tree.members(group)
        raise VirtperfError(
            f"{tree.directory(group)} cannot be removed",
            found=f"{describe(tree.host, members) or 'cgroups below it: ' + ', '.join(children)}",
            way_out="somebody else put these there: move them elsewhere, and restore again",
        ) from error
