# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running VM: its process, and what each thread of it is for.

The ids of vCPU and I/O threads come from QEMU itself, through whatever carries its monitor's commands. What is left is
an emulator thread, or a vhost worker. A worker is the one kind that nobody but its name tells: ``vhost-<tid of its
owner>``, either a thread of the process (Linux 6.4 and newer) or a kernel thread (older; or
``fork_from_owner_default=0``).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import (
    EMULATOR,
    IOTHREAD,
    VCPU,
    VHOST,
    title,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Identity, identify, stat_fields

# One QMP command without arguments, and what it returns.
Ask = Callable[[str], Any]

# include/linux/sched.h; field 9 of /proc/<pid>/stat has the flags.
PF_KTHREAD = 0x00200000
WORKER_NAME = re.compile(r"vhost-(\d+)", re.ASCII)
_ROLES = (VCPU, IOTHREAD, VHOST, EMULATOR)


@dataclass(frozen=True)
class GuestThread:
    """A thread by its identity (``start`` as in Identity), with its role; ``which`` is the vCPU's number or the I/O
    thread's id, "" for the others. ``group`` is the process it belongs to: of a worker it may be its own."""

    tid: int
    start: int
    group: int
    role: str
    which: str
    comm: str

    def __str__(self) -> str:
        return title(self.role, self.which) if self.which else self.role


@dataclass(frozen=True)
class Guest:
    """A VM as it runs now. ``bound_nodes`` are the NUMA nodes its memory is bound to by request, if it is."""

    name: str
    identity: Identity
    threads: tuple[GuestThread, ...]
    bound_nodes: tuple[int, ...] = ()

    def named(self, role: str) -> list[str]:
        """The vCPUs or I/O threads that there are."""
        return [thread.which for thread in self.threads if thread.role == role]


def observe(host: Host, name: str, ask: Ask) -> Guest:
    """Look at a VM through its monitor and /proc."""
    cpus = ask("query-cpus-fast")
    vcpus = {int(cpu["thread-id"]): str(cpu["cpu-index"]) for cpu in cpus}
    iothreads = {int(thread["thread-id"]): str(thread["id"]) for thread in ask("query-iothreads")}
    if not vcpus:
        raise VirtperfError(f"VM {name} has no vCPUs yet", way_out="wait until it has been started, paused or not")
    pid = _group(host, name, min(vcpus))
    identity = identify(host, pid)
    tids = thread_ids(host, pid)
    missing = sorted({*vcpus, *iothreads} - set(tids))
    if missing:
        raise VirtperfError(
            f"VM {name}: its monitor names threads that process {pid} does not have",
            found=f"{', '.join(map(str, missing))}; it has {', '.join(map(str, tids))}",
            way_out="run on the host that runs the VM, in the same PID namespace",
        )
    if len(vcpus) < len(cpus):
        # One thread for all vCPUs (accel tcg,thread=single): pinning one of them would be pinning all.
        raise VirtperfError(
            f"VM {name}: its {len(cpus)} vCPUs share {len(vcpus)} thread{'s' if len(vcpus) > 1 else ''}",
            found="QEMU's emulator with thread=single",
            way_out="start it with -accel tcg,thread=multi, or with KVM",
        )
    threads = []
    for tid in tids:
        # What ends while we look is left out.
        with contextlib.suppress(OSError, ValueError):
            comm = host.read(f"{host.proc}/{pid}/task/{tid}/comm")
            start = int(stat_fields(host.read(f"{host.proc}/{pid}/task/{tid}/stat"))[19])
            role, which = _role(tid, comm, tids, vcpus, iothreads)
            threads.append(GuestThread(tid, start, pid, role, which, comm))
    kernel = kernel_workers(host)
    for tid in (worker for owner in tids for worker in kernel.get(owner, ())):
        with contextlib.suppress(OSError, ValueError):
            start = int(stat_fields(host.read(f"{host.proc}/{tid}/stat"))[19])
            threads.append(GuestThread(tid, start, tid, VHOST, "", host.read(f"{host.proc}/{tid}/comm")))
    threads.sort(key=lambda t: (_ROLES.index(t.role), int(t.which) if t.role == VCPU else 0, t.which, t.tid))
    return Guest(name, identity, tuple(threads), _bound_nodes(ask("query-memdev")))


def _role(
    tid: int, comm: str, tids: list[int], vcpus: Mapping[int, str], iothreads: Mapping[int, str]
) -> tuple[str, str]:
    if tid in vcpus:
        return VCPU, vcpus[tid]
    if tid in iothreads:
        return IOTHREAD, iothreads[tid]
    worker = WORKER_NAME.fullmatch(comm)
    return (VHOST if worker and int(worker[1]) in tids else EMULATOR), ""


def _group(host: Host, name: str, tid: int) -> int:
    """The process that a thread belongs to."""
    status = host.read_or(f"{host.proc}/{tid}/status")
    found = re.search(r"^Tgid:\s+(\d+)$", status, re.MULTILINE)
    if not found:
        raise VirtperfError(
            f"VM {name}: its monitor names thread {tid}, and there is none here",
            way_out="run on the host that runs the VM, in the same PID namespace",
        )
    return int(found[1])


def thread_ids(host: Host, pid: int) -> list[int]:
    """All threads of a process, ascending; none when it is gone."""
    try:
        return sorted(int(tid) for tid in os.listdir(f"{host.proc}/{pid}/task"))
    except FileNotFoundError:
        return []


def kernel_workers(host: Host) -> dict[int, list[int]]:
    """The kernel threads that serve vhost devices, by the thread that opened the device."""
    found: dict[int, list[int]] = {}
    for pid in host.process_ids():
        worker = WORKER_NAME.fullmatch(host.read_or(f"{host.proc}/{pid}/comm"))
        if not worker:
            continue
        with contextlib.suppress(OSError, ValueError):
            # Anybody may call a program so; a kernel thread nobody can make up.
            if int(stat_fields(host.read(f"{host.proc}/{pid}/stat"))[6]) & PF_KTHREAD:
                found.setdefault(int(worker[1]), []).append(pid)
    return found


def _bound_nodes(backends: list[Mapping[str, Any]]) -> tuple[int, ...]:
    nodes = {int(node) for backend in backends if backend["policy"] != "default" for node in backend["host-nodes"]}
    return tuple(sorted(nodes))


def memory_nodes(host: Host, guest: Guest) -> tuple[int, ...]:
    """The NUMA nodes that hold the VM's memory: those it is bound to, or else those with a tenth of its pages.

    Empty when nothing can be told, as on a kernel without NUMA.
    """
    if guest.bound_nodes:
        return guest.bound_nodes
    pages: dict[int, int] = {}
    for line in host.read_or(f"{host.proc}/{guest.identity.pid}/numa_maps").splitlines():
        size = re.search(r" kernelpagesize_kB=(\d+)", line)
        for node, count in re.findall(r" N(\d+)=(\d+)", line):
            pages[int(node)] = pages.get(int(node), 0) + int(count) * (int(size[1]) if size else 4)
    return tuple(sorted(node for node, kib in pages.items() if kib * 10 >= sum(pages.values())))


def thread_is(host: Host, pid: int, tid: int, start: int) -> bool:
    """Whether a thread is still the one it was."""
    try:
        return int(stat_fields(host.read(f"{host.proc}/{pid}/task/{tid}/stat"))[19]) == start
    except (OSError, ValueError):
        return False
