# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a layout can be had, and whether it is a good one, before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist, topology
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import cpuset
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.change import Change
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import VCPU
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import REALTIME

ANSWERS = ("allow", "warn", "fail")


@dataclass(frozen=True)
class Policy:
    """What to do about a layout that the kernel takes and that measures something else: one of ANSWERS each."""

    shared_siblings: str = "warn"
    remote_memory: str = "warn"
    isolated_range: str = "fail"


@dataclass
class Findings:
    """What may be wrong with a layout: to be told, or too bad to go on with."""

    warnings: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def add(self, answer: str, what: str, way_out: str) -> None:
        """Take note as the playbook wishes."""
        if answer == "warn":
            self.warnings.append(f"{what}. Way out: {way_out}")
        elif answer == "fail":
            self.errors.append((what, way_out))

    def settle(self) -> list[str]:
        """The warnings; VirtperfError with all that is wrong when something is."""
        if self.errors:
            way_out = dict.fromkeys(way_out for _what, way_out in self.errors)
            raise VirtperfError("; ".join(what for what, _way_out in self.errors), way_out="; or ".join(way_out))
        return self.warnings


@dataclass(frozen=True)
class Cpus:
    """The host's, as far as a layout depends on them."""

    present: tuple[int, ...]
    online: tuple[int, ...]
    isolated: tuple[int, ...]
    core_of: Mapping[int, int]
    node_of: Mapping[int, int]


def read_cpus(host: Host) -> Cpus:
    """Look at them. A core is called by its first CPU."""
    facts = topology.cpus(host, ())
    isolated = {*facts["isolated"], *cpuset.isolated_partitions(host)}
    return Cpus(
        tuple(facts["present"]),
        tuple(facts["online"]),
        tuple(sorted(isolated)),
        {int(cpu): min(siblings) for cpu, siblings in facts["siblings_of"].items()},
        {int(cpu): node for cpu, node in facts["node_of"].items()},
    )


def check_possible(host: Host, cpus: Cpus, changes: Sequence[Change]) -> None:
    """VirtperfError for CPUs that are not there, are offline, or are outside of what a thread may use."""
    for change in changes:
        wanted = set(change.asked_cpus or ())
        who = f"VM {change.vm}: {change.thread}"
        absent = sorted(wanted - {*cpus.present, *cpus.online})
        if absent:
            raise VirtperfError(
                f"{who} cannot have CPU {cpulist.render(absent)}: this host has no such CPU",
                found=f"CPUs {cpulist.render(cpus.present or cpus.online)}",
                way_out="name CPUs that are online",
                online=list(cpus.online),
            )
        offline = sorted(wanted - set(cpus.online))
        if offline:
            raise VirtperfError(
                f"{who} cannot have CPU {cpulist.render(offline)}: it is offline",
                found=f"online are {cpulist.render(cpus.online)}",
                way_out=f"echo 1 > /sys/devices/system/cpu/cpu{offline[0]}/online, or name another CPU",
                online=list(cpus.online),
            )
        _check_cpuset(host, cpus, change, wanted, who)


def _check_cpuset(host: Host, cpus: Cpus, change: Change, wanted: set[int], who: str) -> None:
    told = cpuset.allowed(host, change.thread.tid, above_leaf=change.through_libvirt)
    if told:
        may, source = told
    else:
        # No cgroup in sight, as in some containers. Our own affinity is the next best; processes that are started on
        # a host with isolated CPUs lack these in theirs, and may use them all the same.
        may = tuple(sorted(os.sched_getaffinity(0) | set(cpus.isolated)))
        source = "the affinity of this process, for no cpuset tells"
    outside = sorted(wanted - set(may))
    if outside:
        raise VirtperfError(
            f"{who} cannot have CPU {cpulist.render(outside)}: its cpuset leaves it out",
            found=f"{source}: {cpulist.render(may)}",
            way_out="name CPUs of the cpuset, or widen the cpuset",
            cpuset=list(may),
        )


def check_good(cpus: Cpus, changes: Sequence[Change], memory: Mapping[str, Sequence[int]], policy: Policy) -> list[str]:
    """What to warn of; VirtperfError for what shall fail. ``memory`` has the NUMA nodes of each VM's memory."""
    findings = Findings()
    asked = [change for change in changes if change.asked_cpus is not None]
    _isolated_ranges(cpus, asked, policy, findings)
    _shared_cores(cpus, changes, policy, findings)
    _remote_memory(cpus, asked, memory, policy, findings)
    return findings.settle()


def _isolated_ranges(cpus: Cpus, asked: Sequence[Change], policy: Policy, findings: Findings) -> None:
    told: set[tuple[str, str]] = set()
    for change in asked:
        isolated = [cpu for cpu in change.after.cpus if cpu in cpus.isolated]
        # Real-time threads are pushed and pulled between the CPUs of their root domain, which isolated ones share.
        if not isolated or len(change.after.cpus) < 2 or change.after.policy in REALTIME:
            continue
        who = f"VM {change.vm}: {change.thread}"
        if (who, str(change.after)) in told:
            continue
        told.add((who, str(change.after)))
        findings.add(
            policy.isolated_range,
            f"{who} is given the range {cpulist.render(change.after.cpus)}, of which {cpulist.render(isolated)} "
            f"{'is' if len(isolated) == 1 else 'are'} isolated: the scheduler does not balance on isolated CPUs, "
            "threads stay where they were started, and all of a range can land on one CPU",
            "give each thread one isolated CPU, or a range of CPUs that are not isolated (on_isolated_range)",
        )


def _shared_cores(cpus: Cpus, changes: Sequence[Change], policy: Policy, findings: Findings) -> None:
    """Two vCPUs, each pinned to one core, on the same: they take turns, or share its units as hyperthreads."""
    on_core: dict[int, list[Change]] = {}
    for change in changes:
        cores = {cpus.core_of.get(cpu, cpu) for cpu in change.after.cpus}
        if change.thread.role == VCPU and len(cores) == 1:
            on_core.setdefault(cores.pop(), []).append(change)
    for core, sharing in sorted(on_core.items()):
        if len(sharing) < 2 or not any(change.asked_cpus for change in sharing):
            continue
        siblings = sorted(cpu for cpu, its in cpus.core_of.items() if its == core)
        used = {cpu for change in sharing for cpu in change.after.cpus}
        whose = f"CPU {core}" if len(used) == 1 else f"the core of CPUs {cpulist.render(siblings)}"
        who = ", ".join(f"{c.thread} of {c.vm} (CPU {cpulist.render(c.after.cpus)})" for c in sharing)
        findings.add(
            policy.shared_siblings,
            f"{who} share {whose}",
            "give each vCPU a core of its own (on_shared_siblings)",
        )


def _remote_memory(
    cpus: Cpus, asked: Sequence[Change], memory: Mapping[str, Sequence[int]], policy: Policy, findings: Findings
) -> None:
    for vm, nodes in memory.items():
        remote = [
            change
            for change in asked
            if change.vm == vm
            and change.thread.role == VCPU
            and nodes
            and any(cpus.node_of.get(cpu, nodes[0]) not in nodes for cpu in change.after.cpus)
        ]
        if remote:
            who = ", ".join(f"{c.thread} (CPU {cpulist.render(c.after.cpus)})" for c in remote)
            findings.add(
                policy.remote_memory,
                f"VM {vm}: its memory is on NUMA node {cpulist.render(nodes)}, and not near are {who}",
                "pin to CPUs of that node, or start the VM with its memory bound elsewhere (on_remote_memory)",
            )
