# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook asks for, checked as far as that can be done without looking at the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import POLICIES, REALTIME, Setting

# A thread of a VM is exactly one of these.
VCPU, IOTHREAD, EMULATOR, VHOST = "vcpu", "iothread", "emulator", "vhost"


@dataclass(frozen=True)
class Wish:
    """For the threads of a role: those called ``which``, or all of them when it is "". None is left as it is."""

    role: str
    which: str
    cpus: tuple[int, ...] | None = None
    policy: str | None = None
    priority: int = 0

    def applied_to(self, now: Setting) -> Setting:
        """What a thread's setting becomes."""
        cpus = now.cpus if self.cpus is None else self.cpus
        if self.policy is None:
            return Setting(cpus, now.policy, now.priority, now.reset_on_fork)
        return Setting(cpus, self.policy, self.priority, now.reset_on_fork)

    def __str__(self) -> str:
        return title(self.role, self.which)


@dataclass(frozen=True)
class VmRequest:
    """One VM, by its QMP socket or as a domain of libvirt's, and what is wished for its threads."""

    name: str
    qmp: str
    domain: str
    wishes: tuple[Wish, ...]

    def wish_for(self, role: str, which: str) -> Wish | None:
        """The one that a thread is named by before the one for all of its role."""
        fitting = [wish for wish in self.wishes if wish.role == role and wish.which in (which, "")]
        return max(fitting, key=lambda wish: bool(wish.which), default=None)


def title(role: str, which: str) -> str:
    """A thread, or the threads of a role, in words."""
    names = {VCPU: "vCPU", IOTHREAD: "I/O thread", EMULATOR: "emulator threads", VHOST: "vhost workers"}
    return f"{names[role]} {which}".strip() if role in (VCPU, IOTHREAD) else names[role]


def parse(vms: Sequence[Mapping[str, Any]]) -> list[VmRequest]:
    """The module's option ``vms``. Nothing is looked at yet; VirtperfError names the VM and the entry."""
    requests = [_vm(vm) for vm in vms]
    names = [request.name for request in requests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise VirtperfError(
            f"{', '.join(twice)} is listed more than once", way_out="give each VM one entry with all of its threads"
        )
    return requests


def _vm(vm: Mapping[str, Any]) -> VmRequest:
    qmp, domain = str(vm.get("qmp") or ""), str(vm.get("domain") or "")
    name = str(vm.get("name") or domain or qmp)
    if bool(qmp) == bool(domain):
        raise VirtperfError(
            f"VM {name or '(without a name)'}: " + ("both qmp and domain are given" if qmp else "no qmp, no domain"),
            way_out="give the path of its QMP socket, or the name or UUID of a libvirt domain",
        )
    entries = [
        *((VCPU, str(entry["vcpu"]), entry) for entry in vm.get("vcpus") or ()),
        *((IOTHREAD, str(entry.get("id") or ""), entry) for entry in vm.get("iothreads") or ()),
        *((role, "", vm[role]) for role in (EMULATOR, VHOST) if vm.get(role)),
    ]
    wishes = [_wish(name, role, which, entry) for role, which, entry in entries]
    if not wishes:
        raise VirtperfError(
            f"VM {name}: nothing is asked for", way_out="give one or more of vcpus, emulator, iothreads and vhost"
        )
    seen: set[tuple[str, str]] = set()
    for wish in wishes:
        if (wish.role, wish.which) in seen:
            raise VirtperfError(f"VM {name}: {wish} is listed more than once", way_out="list it once")
        seen.add((wish.role, wish.which))
    return VmRequest(name, qmp, domain, tuple(wishes))


def _wish(name: str, role: str, which: str, entry: Mapping[str, Any]) -> Wish:
    of = f"VM {name}: {title(role, which)}"
    text, policy, priority = entry.get("cpus"), entry.get("policy"), entry.get("priority")
    cpus: tuple[int, ...] | None = None
    if text is not None:
        try:
            cpus = cpulist.parse(str(text))
        except VirtperfError as error:
            raise VirtperfError(f"{of}: {error.what}", found=error.found, way_out=error.way_out) from error
        if not cpus:
            raise VirtperfError(f"{of}: cpus is empty", way_out="name CPUs, or leave it out to change nothing")
    if cpus is None and policy is None:
        raise VirtperfError(f"{of}: neither cpus nor policy is given", way_out="give one, or leave the entry out")
    if policy is not None and policy not in POLICIES:
        raise VirtperfError(f"{of}: there is no policy {policy!r}", way_out=f"one of {', '.join(POLICIES)}")
    if policy in REALTIME and not 1 <= int(priority or 0) <= 99:
        raise VirtperfError(
            f"{of}: policy {policy} needs a priority", found=str(priority), way_out="give one from 1 to 99"
        )
    if policy not in REALTIME and priority:
        raise VirtperfError(
            f"{of}: a priority goes with the policies {' and '.join(REALTIME)}",
            found=f"policy {policy}, priority {priority}",
            way_out="leave the priority out, or give one of these policies",
        )
    return Wish(role, which, cpus, policy, int(priority or 0))
