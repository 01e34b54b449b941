# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a plan, told before anything is touched."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.hierarchy import not_delegated
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import Limits
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.tree import (
    DOMAIN,
    ROOT,
    Tree,
    above,
    describe,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import thread_ids
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.vms import Vm
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.workers import Vhost, Worker
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.request import VmWish


def wished_workers(wish: VmWish, vhost: Vhost) -> list[Worker]:
    """The workers that are meant; VirtperfError when there are none, or when which ones cannot be told.

    Of a VM as a whole those of vhost-vsock and of other devices are left out where they are known as such.
    """
    vm = vhost.vm
    taps = vhost.devices.interfaces() if vhost.devices else []
    if not vhost.workers:
        raise VirtperfError(
            f"VM {vm} has no vhost workers",
            found=f"taps {', '.join(taps)} without vhost" if taps else "no tap with vhost",
            way_out="start it with vhost=on (libvirt: <driver name='vhost'/>), with the module vhost_net loaded; "
            "vhost-user ports have no worker in the kernel",
        )
    if not wish.interface:
        return [worker for worker in vhost.workers if worker.served.device in ("", "net")]
    meant = [worker for worker in vhost.workers if worker.served.interface == wish.interface]
    if meant:
        return meant
    unknown = [str(worker.tid) for worker in vhost.workers if not worker.served.interface]
    if wish.interface in taps and unknown:
        raise VirtperfError(
            f"which vhost worker of VM {vm} serves {wish.interface} cannot be told",
            found=f"workers {', '.join(unknown)} for {', '.join(taps)}, some of them newer than it",
            way_out="leave interface out, which takes all of the VM's, or start the VM with all of its interfaces",
        )
    raise VirtperfError(
        f"no vhost worker of VM {vm} serves {wish.interface}",
        found=f"its taps are {', '.join(taps) or 'none'}",
        way_out="name one of its taps that has vhost",
        interfaces=taps,
    )


def is_threaded_below(tree: Tree, group: str) -> bool:
    """Whether new cgroups below have to be threaded to be of use."""
    return tree.kind(group) not in (DOMAIN, ROOT)


def to_enable(tree: Tree, path: str, controllers: Sequence[str], *, is_libvirts: bool) -> list[tuple[str, list[str]]]:
    """What each cgroup above ``path`` has to enable, the root first; VirtperfError where that cannot be.

    Above libvirt's own cgroup whoever made it decides; there nothing is enabled.
    """
    ancestors = above(path)
    found = []
    for group in [ancestors[-1]] if is_libvirts else ancestors:
        missing = [name for name in controllers if name not in tree.enabled(group)]
        if not missing:
            continue
        lacking = [name for name in missing if is_libvirts and name not in tree.controllers(group)]
        if lacking:
            ancestor = next(one for one in ancestors if not set(lacking) <= set(tree.controllers(one)))
            raise not_delegated(lacking, tree.directory(ancestor), " ".join(tree.controllers(ancestor)) or "none")
        obstacle = tree.enable_obstacle(group) if tree.exists(group) else ""
        if obstacle:
            raise VirtperfError(
                f"{' and '.join(missing)} cannot be enabled below {tree.directory(group)}",
                found=obstacle,
                way_out="move these elsewhere, or name another cgroup: one with processes of its own cannot divide "
                "what it has among cgroups below",
                ancestor=tree.directory(group),
                controllers=missing,
            )
        found.append((group, missing))
    return found


def check_threaded(tree: Tree, path: str) -> None:
    """VirtperfError when the cgroup cannot be a threaded one."""
    parent = posixpath.dirname(path)
    obstacle = tree.threaded_obstacle(path) if tree.exists(path) else ""
    if obstacle:
        raise VirtperfError(
            f"cgroup {path} cannot turn threaded, as threads of QEMU need it",
            found=obstacle,
            way_out="move these elsewhere, or name another cgroup",
            directory=tree.directory(path),
            processes=tree.processes(path),
        )
    obstacle = tree.thread_root_obstacle(parent, path) if tree.exists(parent) else ""
    if obstacle:
        raise VirtperfError(
            f"cgroup {path} cannot be threaded, as threads of QEMU need it",
            found=obstacle,
            way_out="name a cgroup below another one",
            directory=tree.directory(parent),
        )


def check_cpuset(tree: Tree, path: str, limits: Limits) -> None:
    """VirtperfError for CPUs or memory nodes that the cgroup above does not have: the kernel would leave them out."""
    for key, wish, what in (("cpus", limits.cpus, "CPU"), ("mems", limits.mems, "memory node")):
        if not wish:
            continue
        has, where = effective(tree, posixpath.dirname(path), key)
        outside = sorted(set(wish) - set(cpulist.parse(has))) if has else []
        if outside:
            raise VirtperfError(
                f"cgroup {path} cannot have {what} {cpulist.render(outside)}: the cgroup above does not have it",
                found=f"{where} has {has}",
                way_out=f"name {what}s of these, online ones, or widen the cgroup above",
                cpuset=list(cpulist.parse(has)),
            )


def effective(tree: Tree, group: str, key: str) -> tuple[str, str]:
    """What a cgroup has of "cpus" or "mems", and the file that says so: its own, or that of the nearest above."""
    for candidate in [group, *reversed(above(group))]:
        text = tree.read(candidate, f"cpuset.{key}.effective")
        if text:
            return text, tree.file(candidate, f"cpuset.{key}.effective")
    return "", ""


def check_nobody_is_left(tree: Tree, vm: Vm, pid: int, home: str, placed: Sequence[int]) -> None:
    """VirtperfError when threads of a process that moves as a whole are apart from it, and not placed again by this
    plan: they would lose the limits that somebody gave them."""
    apart = {tid: tree.group_of(tid) for tid in thread_ids(tree.host, pid) if tid not in placed}
    others = {tid: group for tid, group in apart.items() if group not in ("", home)}
    if others:
        named = ", ".join(f"{tid} in {group}" for tid, group in others.items())
        raise VirtperfError(
            f"VM {vm} cannot be moved: some of its threads are in cgroups of their own",
            found=f"{named}; {describe(tree.host, [pid])} is in {home}",
            way_out="move all of its workers together, or take the others back first (state=absent for their cgroup)",
        )
