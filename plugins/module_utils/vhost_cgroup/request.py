# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook asks for, checked as far as that can be done without looking at the host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup import limits
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import Limits
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# Files of the kernel's in every cgroup are called <controller>.<something>, and libvirt has cgroups of its own.
_TAKEN = re.compile(r"(?:cgroup|cpu|cpuset|io|memory|pids|hugetlb|rdma|misc|irq|dmem)\..*|emulator|vcpu\d+|iothread\d+")
_LONGEST = 255


@dataclass(frozen=True)
class VmWish:
    """A VM by name or pid, and one of its interfaces, "" for all of its vhost workers."""

    name: str
    pid: int | None
    interface: str


@dataclass(frozen=True)
class Request:
    """``cgroup`` is a path from the root of the tree, "/a/b". ``controllers`` are to be had in it."""

    cgroup: str
    vms: tuple[VmWish, ...]
    limits: Limits
    controllers: tuple[str, ...]


def parse(given: Mapping[str, Any]) -> Request:
    """A module's options; VirtperfError names the one that is wrong."""
    wished = limits.parse(given.get("cpu_max"), given.get("weight"), given.get("cpus"), given.get("mems"))
    # A cgroup without any limits nothing, now or ever; the quota is what it is made for.
    controllers = dict.fromkeys([*(given.get("controllers") or ()), *wished.controllers()]) or ("cpu",)
    return Request(group(str(given["cgroup"])), _vms(given.get("vms") or ()), wished, tuple(controllers))


def group(text: str) -> str:
    """The path of a cgroup; VirtperfError for what is none, or would be in the way of others' names."""
    parts = text.strip("/").split("/")
    for part in parts:
        if part in ("", ".", "..") or "\n" in part or len(part.encode()) > _LONGEST:
            raise VirtperfError(
                f"{text!r} is no path of a cgroup: {part!r} is no name",
                way_out='give one name, or two with a slash between, such as "vhost-toplevel/the-vhost-killer"',
            )
        if _TAKEN.fullmatch(part):
            raise VirtperfError(
                f"{text!r} is no path for a cgroup: {part!r} is taken by the kernel or by libvirt",
                way_out="take another name",
            )
    return "/" + "/".join(parts)


def _vms(given: Sequence[Mapping[str, Any]]) -> tuple[VmWish, ...]:
    wishes = []
    for entry in given:
        wish = VmWish(str(entry.get("name") or ""), entry.get("pid"), str(entry.get("interface") or ""))
        if not wish.name and wish.pid is None:
            raise VirtperfError("a VM is listed with neither name nor pid", way_out="give one of them")
        if wish in wishes:
            raise VirtperfError(f"VM {wish.name or wish.pid} is listed twice", way_out="list it once")
        wishes.append(wish)
    return tuple(wishes)
