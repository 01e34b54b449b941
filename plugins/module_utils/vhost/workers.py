# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's side of a VM's vhost devices: each worker with what it serves, where it runs and where it is kept.

A worker is a thread that nobody but its name tells, ``vhost-<tid of its owner>``: a thread of QEMU's (Linux 6.4 and
newer), or of the kernel (older; or the module's parameter fork_from_owner_default=0). Which of the two it is tells the
thread itself, and never the kernel's version.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import (
    WORKER_NAME,
    kernel_workers,
    thread_ids,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import stat_fields
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import devices
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.devices import Devices, Served
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.netdevs import TapBackend, tap_backends
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.vms import Vm

KTHREAD, QEMU_THREAD, LIBVIRT = "kthread", "qemu-thread", "libvirt"
# Fields of /proc/<pid>/stat, counted from the third: start time, the CPU it last ran on.
START, _CPU = 19, 36


@dataclass(frozen=True)
class Worker:
    """``group`` is the process it belongs to: QEMU, or of a kernel thread itself. ``start`` as in Identity.

    ``cgroup`` is that of version 2, "" where there is none; ``cpu`` the one it ran on last; ``cpus`` those it may.
    """

    tid: int
    start: int
    group: int
    comm: str
    layout: str
    served: Served
    cgroup: str
    cpu: int | None
    cpus: str

    @property
    def is_kthread(self) -> bool:
        """Whether it is a process of its own."""
        return self.layout == KTHREAD

    def facts(self) -> dict[str, Any]:
        """For people and playbooks; None is what cannot be told."""
        return {
            "tid": self.tid,
            "comm": self.comm,
            "layout": self.layout,
            "device": self.served.device or None,
            "interface": self.served.interface or None,
            "cgroup": self.cgroup or None,
            "cpu": self.cpu,
            "cpus": self.cpus,
        }


@dataclass(frozen=True)
class Vhost:
    """A VM with its taps and workers."""

    vm: Vm
    backends: tuple[TapBackend, ...]
    devices: Devices | None
    workers: tuple[Worker, ...]

    def facts(self) -> dict[str, Any]:
        """For people and playbooks."""
        taps = self.devices.taps if self.devices else ()
        return {
            "name": self.vm.name,
            "uuid": self.vm.uuid or None,
            "pid": self.vm.pid,
            "manager": self.vm.manager,
            "taps": [
                {
                    "interface": name,
                    "queues": sum(1 for _fd, other in taps if other == name),
                    "workers": [worker.tid for worker in self.workers if worker.served.interface == name],
                }
                for name in (self.devices.interfaces() if self.devices else ())
            ],
            "workers": [worker.facts() for worker in self.workers],
        }


def find(host: Host, vms: Sequence[Vm]) -> list[Vhost]:
    """The workers of each of these VMs, in the order in which they were started."""
    kernel = kernel_workers(host)
    return [_look(host, vm, kernel) for vm in vms]


def _look(host: Host, vm: Vm, kernel: Mapping[int, Sequence[int]]) -> Vhost:
    tids = thread_ids(host, vm.pid)
    own = [
        (tid, vm.pid)
        for tid in tids
        if (match := WORKER_NAME.fullmatch(_comm(host, f"{vm.pid}/task/{tid}"))) and int(match[1]) in tids
    ]
    apart = [(tid, tid) for owner in tids for tid in kernel.get(owner, ())]
    under_libvirt = posixpath.basename(_cgroup(host, vm.pid)) == "emulator"
    layout = LIBVIRT if under_libvirt else QEMU_THREAD
    found = sorted(
        [
            *_workers(host, own, layout),
            *_workers(host, apart, KTHREAD),
        ],
        key=lambda worker: (worker.start, worker.tid),
    )
    opened = devices.look(host, vm.pid)
    backends = tuple(tap_backends(vm.words))
    served = devices.assign(len(found), opened, backends)
    return Vhost(vm, backends, opened, tuple(Worker(**{**w.__dict__, "served": s}) for w, s in zip(found, served)))


def _workers(host: Host, threads: Sequence[tuple[int, int]], layout: str) -> Iterator[Worker]:
    for tid, group in threads:
        base = f"{group}/task/{tid}"
        # One that ends while we look is left out.
        with contextlib.suppress(OSError, ValueError):
            fields = stat_fields(host.read(f"{host.proc}/{base}/stat"))
            status = host.read_or(f"{host.proc}/{base}/status")
            cpus = re.search(r"^Cpus_allowed_list:\s*(\S+)$", status, re.MULTILINE)
            yield Worker(
                tid,
                int(fields[START]),
                group,
                _comm(host, base),
                layout,
                Served(),
                _cgroup(host, tid),
                int(fields[_CPU]) if len(fields) > _CPU else None,
                cpus[1] if cpus else "",
            )


def _comm(host: Host, of: str) -> str:
    return host.read_or(f"{host.proc}/{of}/comm")


def _cgroup(host: Host, tid: int) -> str:
    for line in host.read_or(f"{host.proc}/{tid}/cgroup").splitlines():
        if line.startswith("0::"):
            return line[3:]
    return ""
