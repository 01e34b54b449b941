# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes the policy between two trials: the workers' cgroup gets other CPUs, the VMs' other threads get others.

The workers come into their cgroup, and all that is there before comes into the journal, by the modules vhost_cgroup and
vcpu_pin, with each layout once. From then on a change is nothing but writes that are read back: it takes milliseconds,
so that policies can be taken in turns.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import POLICIES, Policy
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import Setup
from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import parse, render
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Entry, Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import pinner
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import request as pin_request
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.checks import Policy as Answers
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import request as cgroup_request

# vCPUs may share cores here: that is what consolidating means.
_ANSWERS = Answers(shared_siblings="allow", remote_memory="allow", isolated_range="warn")
_PINNED = "vcpu_pin"


class Switcher:
    """``enter``, any number of ``set``, ``leave``. Who killed us finds the rest in the journal."""

    def __init__(self, host: Host, run_id: str, made: Setup, scheduler: Scheduler | None = None) -> None:
        self._host = host
        self._run_id = run_id
        self._made = made
        self._scheduler = scheduler or Scheduler()
        self._journal = Journal(host, run_id)
        self._known = 0
        self._groups: list[str] = []
        self._workers: list[int] = []
        self._others: list[int] = []
        self._own: tuple[int, ...] = ()
        self._now: Policy | None = None

    def enter(self) -> list[str]:
        """Have the workers in their cgroup, and this process and what it starts on the load CPUs; what to warn of."""
        entries = self._journal.entries()
        self._known = entries[-1].number if entries else 0
        self._own = self._scheduler.get(os.getpid()).cpus
        self._scheduler.set_cpus(os.getpid(), self._made.partition.load_cpus)
        warnings: list[str] = []
        # Whatever a thread has now, one of two different layouts changes it, and is then in the journal.
        for policy in (POLICIES["sidecore"], POLICIES["baseline"]):
            placed = manager.ensure_present(
                self._host, self._cgroup(policy), run_id=self._run_id, scheduler=self._scheduler
            )
            pinned = pinner.ensure(
                self._host, self._pins(policy), _ANSWERS, run_id=self._run_id, scheduler=self._scheduler
            )
            warnings += [text for text in pinned["warnings"] if text not in warnings]
        self._groups = [str(group["directory"]) for group in placed["groups"]]
        self._workers = [int(worker["tid"]) for worker in placed["workers"]]
        self._others = [
            int(thread["tid"])
            for vm in pinned["vms"]
            for thread in vm["threads"]
            if thread["role"] != pin_request.VHOST
        ]
        return warnings

    def set(self, policy: Policy) -> dict[str, Any]:
        """The CPUs of workers and of the other threads, as read back. A thread that has ended needs none."""
        partition = self._made.partition
        if policy != self._now:
            self._now = None
            for directory in self._groups:
                self._set_cpuset(directory, partition.workers(policy))
            self._pin(self._workers, partition.workers(policy))
            self._pin(self._others, partition.vcpus(policy))
            self._now = policy
        return {
            "worker_cpus": render(partition.workers(policy)),
            "vcpu_cpus": render(partition.vcpus(policy)),
            "cgroups": list(self._groups),
        }

    def leave(self) -> None:
        """Put the workers back where they were, all threads on their CPUs, and this process too."""
        self._now = None
        try:
            manager.ensure_absent(self._host, cgroup_request.group(self._made.cgroup), scheduler=self._scheduler)
            mine = [entry.undo for entry in self._mine()]
            for undo in reversed(mine):
                pinner.undo_pins(self._host, undo)
            self._journal.forget(_PINNED, mine.__contains__)
        finally:
            if self._own:
                self._scheduler.set_cpus(os.getpid(), self._own)

    def _mine(self) -> list[Entry]:
        return [entry for entry in self._journal.entries() if entry.number > self._known and entry.resource == _PINNED]

    def _cgroup(self, policy: Policy) -> cgroup_request.Request:
        return cgroup_request.parse(
            {
                "cgroup": self._made.cgroup,
                "vms": [{"name": guest.vm} for guest in self._made.guests],
                "cpus": render(self._made.partition.workers(policy)),
            }
        )

    def _pins(self, policy: Policy) -> list[pin_request.VmRequest]:
        cpus = render(self._made.partition.vcpus(policy))
        return pin_request.parse(
            [
                {
                    "name": guest.vm,
                    "qmp": Instance(self._host, guest.vm).qmp_path,
                    "vcpus": [{"vcpu": number, "cpus": cpus} for number in range(len(guest.threads["vcpu"]))],
                    "emulator": {"cpus": cpus},
                }
                for guest in self._made.guests
            ]
        )

    def _set_cpuset(self, directory: str, cpus: Sequence[int]) -> None:
        try:
            self._host.write_kernel(f"{directory}/cpuset.cpus", render(cpus))
            granted = self._host.read(f"{directory}/cpuset.cpus.effective")
        except OSError as error:
            raise VirtperfError(
                f"the workers' cgroup {directory} does not take CPUs {render(cpus)}", found=str(error.strerror)
            ) from error
        if parse(granted) != tuple(cpus):
            raise VirtperfError(
                f"the workers' cgroup {directory} was given CPUs {render(cpus)}",
                found=f"the kernel grants {granted or 'none'}",
                way_out="see the cgroups above it, and who else writes to it",
            )

    def _pin(self, tids: Sequence[int], cpus: Sequence[int]) -> None:
        wanted = tuple(cpus)
        for tid in tids:
            with contextlib.suppress(ProcessLookupError):
                if self._scheduler.get(tid).cpus != wanted:
                    self._scheduler.set_cpus(tid, wanted)
                granted = self._scheduler.get(tid).cpus
                if granted != wanted:
                    raise VirtperfError(
                        f"thread {tid} was given CPUs {render(wanted)}",
                        found=f"the kernel grants {render(granted)}",
                        way_out="see its cpuset (/proc/<pid>/task/<tid>/cgroup)",
                    )
