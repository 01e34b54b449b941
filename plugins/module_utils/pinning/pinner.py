# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of VMs on the CPUs they are to run on: look, plan, check, change, read back, and undo."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import domain as libvirt_domain
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.change import Change, actions, plan, table
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.checks import (
    Policy,
    check_good,
    check_possible,
    read_cpus,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.domain import Domain
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import (
    Guest,
    memory_nodes,
    observe,
    thread_ids,
    thread_is,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import EMULATOR, VmRequest
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler, Setting, setting_of
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Identity, is_running
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.qmp import connected
from ansible_collections.virtperf.vhost.plugins.module_utils.steps import Step, all_or_nothing

LIBVIRT_URI = "qemu:///system"


@dataclass(frozen=True)
class Vm:
    """One VM's part of the plan."""

    guest: Guest
    changes: tuple[Change, ...]
    domain: Domain | None


def ensure(
    host: Host,
    requests: Sequence[VmRequest],
    policy: Policy,
    *,
    libvirt_uri: str = LIBVIRT_URI,
    run_id: str = "",
    check_mode: bool = False,
    scheduler: Scheduler | None = None,
) -> dict[str, Any]:
    """Have the threads of these VMs run as requested. All are changed, or none."""
    scheduler = scheduler or Scheduler()
    with contextlib.ExitStack() as stack:
        vms = _look(host, requests, libvirt_uri, scheduler, stack)
        changes = [change for vm in vms for change in vm.changes]
        cpus = read_cpus(host)
        check_possible(host, cpus, changes)
        _check_apart(vms)
        memory = {vm.guest.name: memory_nodes(host, vm.guest) for vm in vms}
        warnings = check_good(cpus, changes, memory, policy)
        if not check_mode:
            journal = Journal(host, run_id)
            steps = [
                _step(host, vm, journal, libvirt_uri, scheduler) for vm in vms if any(c.changed for c in vm.changes)
            ]
            all_or_nothing(journal, steps)
    text = table(changes)
    return {
        "changed": any(change.changed for change in changes),
        "actions": actions(changes),
        "warnings": warnings,
        "vms": [_facts(vm, memory[vm.guest.name]) for vm in vms],
        "diff": {"prepared": text} if text else {},
    }


def _facts(vm: Vm, nodes: Sequence[int]) -> dict[str, Any]:
    return {
        "name": vm.guest.name,
        "pid": vm.guest.identity.pid,
        "memory_nodes": list(nodes),
        "threads": [change.facts() for change in vm.changes],
    }


def _look(
    host: Host, requests: Sequence[VmRequest], uri: str, scheduler: Scheduler, stack: contextlib.ExitStack
) -> list[Vm]:
    find = stack.enter_context(libvirt_domain.connect(uri)) if any(r.domain for r in requests) else None
    vms = []
    for request in requests:
        domain = None
        if request.domain and find:
            domain = find(request.domain)
            guest = observe(host, request.name, domain.ask)
        else:
            # Let go at once: QEMU serves one client at a time.
            with connected(request.qmp) as qmp:
                guest = observe(host, request.name, qmp.execute)
        vms.append(Vm(guest, tuple(plan(request, guest, scheduler, libvirt=domain is not None)), domain))
    return vms


def _check_apart(vms: Sequence[Vm]) -> None:
    names: dict[int, str] = {}
    for vm in vms:
        other = names.setdefault(vm.guest.identity.pid, vm.guest.name)
        if other != vm.guest.name:
            raise VirtperfError(
                f"{other} and {vm.guest.name} are the same VM",
                found=f"process {vm.guest.identity.pid}",
                way_out="give it one entry with all of its threads",
            )


def _step(host: Host, vm: Vm, journal: Journal, uri: str, scheduler: Scheduler) -> Step:
    undo = _undo_of(vm, uri)

    def apply() -> None:
        journal.append("vcpu_pin", **undo)
        _apply(host, vm, scheduler)

    def revert() -> str:
        _put_back(host, undo, scheduler)
        return ""

    return Step(apply, revert)


def _undo_of(vm: Vm, uri: str) -> dict[str, Any]:
    """What the journal needs: of each thread that changes its identity and its setting, and libvirt's pins."""
    changed = [change for change in vm.changes if change.changed]
    emulator = next((c for c in changed if c.thread.role == EMULATOR), None)
    undo: dict[str, Any] = {
        "vm": vm.guest.name,
        **vm.guest.identity.as_dict(),
        "threads": [
            {"tid": c.thread.tid, "start": c.thread.start, "group": c.thread.group, "was": c.before.as_dict()}
            for c in changed
        ],
    }
    if emulator:
        # Threads that QEMU starts later inherit what their maker has; those there are now do not count among them.
        undo["emulator"] = {
            "was": emulator.before.as_dict(),
            "became": emulator.after.as_dict(),
            "others": [c.thread.tid for c in vm.changes if not c.changed],
        }
    if vm.domain:
        undo["libvirt"] = {"uri": uri, "uuid": vm.domain.uuid, "pins": _libvirt_pins(vm.domain, changed)}
    return undo


def _libvirt_pins(domain: Domain, changed: Sequence[Change]) -> list[dict[str, Any]]:
    pins = []
    for role, which in dict.fromkeys((c.thread.role, c.thread.which) for c in changed if _is_libvirts(c)):
        before = domain.pins(role, which)
        if before:
            pins.append({"role": role, "which": which, "cpus": cpulist.render(before)})
    return pins


def _is_libvirts(change: Change) -> bool:
    return change.through_libvirt and change.before.cpus != change.after.cpus


def _apply(host: Host, vm: Vm, scheduler: Scheduler) -> None:
    changed = [change for change in vm.changes if change.changed]
    if vm.domain:
        pins = {(c.thread.role, c.thread.which): c.after.cpus for c in changed if _is_libvirts(c)}
        for (role, which), cpus in pins.items():
            vm.domain.pin(role, which, cpus)
    for change in changed:
        thread = change.thread
        with _unless_ended(host, thread.group, thread.tid, thread.start):
            _set(scheduler, thread.tid, change.after, f"VM {change.vm}: {thread}, thread {thread.tid}")


def _set(scheduler: Scheduler, tid: int, wanted: Setting, who: str) -> None:
    """Change what differs, then read back: the kernel leaves out CPUs without an error."""
    now = scheduler.get(tid)
    try:
        if now.cpus != wanted.cpus:
            scheduler.set_cpus(tid, wanted.cpus)
        if (now.policy, now.priority, now.reset_on_fork) != (wanted.policy, wanted.priority, wanted.reset_on_fork):
            scheduler.set_policy(tid, wanted)
    except ProcessLookupError:
        raise
    except OSError as error:
        raise VirtperfError(
            f"{who}: the kernel refuses {wanted}",
            found=f"{error.strerror}; it has {now}",
            way_out="EINVAL: its cpuset leaves all of these CPUs out. EPERM: needs root, and for fifo and rr a cgroup "
            "with real-time budget (cpu.rt_runtime_us)",
        ) from error
    granted = scheduler.get(tid)
    if granted != wanted:
        raise VirtperfError(
            f"{who}: asked for {wanted}, the kernel granted {granted}",
            way_out="see the thread's cpuset (/proc/<pid>/task/<tid>/cgroup): name CPUs of it, or widen it",
        )


@contextlib.contextmanager
def _unless_ended(host: Host, group: int, tid: int, start: int) -> Iterator[None]:
    """A thread that ended needs nothing; one of QEMU's helpers does so whenever it likes."""
    try:
        yield
    except ProcessLookupError:
        if thread_is(host, group, tid, start):
            raise


def undo_pins(host: Host, undo: Mapping[str, Any]) -> str:
    """Give the threads of a VM what they had before; nothing to do when that VM is gone."""
    return _put_back(host, undo, Scheduler())


def _put_back(host: Host, undo: Mapping[str, Any], scheduler: Scheduler) -> str:
    if not is_running(host, Identity(int(undo["pid"]), int(undo["start"]), str(undo["boot"]))):
        return ""
    wanted = {
        int(one["tid"]): setting_of(one["was"])
        for one in undo["threads"]
        if thread_is(host, int(one["group"]), int(one["tid"]), int(one["start"]))
    }
    wanted.update(_heirs(host, undo, wanted, scheduler))
    changed = [tid for tid, was in wanted.items() if _current(scheduler, tid) not in (was, None)]
    if not changed:
        return ""
    if "libvirt" in undo:
        _put_libvirt_back(undo["libvirt"])
    for tid in wanted:
        # Not only those that differed: libvirt's pins may have moved others.
        with contextlib.suppress(ProcessLookupError):
            _set(scheduler, tid, wanted[tid], f"VM {undo['vm']}: thread {tid}")
    return f"put {len(changed)} threads of VM {undo['vm']} (pid {undo['pid']}) back on their CPUs"


def _heirs(
    host: Host, undo: Mapping[str, Any], known: Mapping[int, Setting], scheduler: Scheduler
) -> dict[int, Setting]:
    """The threads that emulator threads started since, which have inherited what those were given."""
    if "emulator" not in undo:
        return {}
    was, became = setting_of(undo["emulator"]["was"]), setting_of(undo["emulator"]["became"])
    then = {int(tid) for tid in undo["emulator"]["others"]} | set(known)
    return {
        tid: was for tid in thread_ids(host, int(undo["pid"])) if tid not in then and _current(scheduler, tid) == became
    }


def _current(scheduler: Scheduler, tid: int) -> Setting | None:
    try:
        return scheduler.get(tid)
    except ProcessLookupError:
        return None


def _put_libvirt_back(pinned: Mapping[str, Any]) -> None:
    if not pinned["pins"]:
        return
    uri, uuid = str(pinned["uri"]), str(pinned["uuid"])
    pins = [(str(pin["role"]), str(pin["which"]), str(pin["cpus"])) for pin in pinned["pins"]]
    if not libvirt_domain.available():
        # A restore may run with another Python than the change did.
        libvirt_domain.pin_with_virsh(uri, uuid, pins)
        return
    with libvirt_domain.connect(uri) as find:
        domain = find(uuid)
        for role, which, cpus in pins:
            domain.pin(role, which, cpulist.parse(cpus))
