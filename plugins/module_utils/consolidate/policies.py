# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs where: the CPUs of a host divided into VM cores and I/O cores, and the policies that use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import render
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# The two NICs of each guest: they differ in nothing but that the workers of one poll before they sleep.
PLAIN, POLL = "plain", "poll"
NICS = (PLAIN, POLL)


@dataclass(frozen=True)
class Policy:
    """``dedicated``: the workers have the I/O cores for themselves. ``nic`` is the one that the traffic goes over."""

    name: str
    dedicated: bool
    nic: str


POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        # All share all: vCPUs, workers and whatever makes the traffic have as many CPUs as with the others.
        Policy("baseline", dedicated=False, nic=PLAIN),
        Policy("sidecore", dedicated=True, nic=PLAIN),
        Policy("sidecore_poll", dedicated=True, nic=POLL),
    )
}


@dataclass(frozen=True)
class Partition:
    """CPU numbers. ``load_cpus`` are for what makes and takes the traffic on the hypervisor itself."""

    vm_cpus: tuple[int, ...]
    io_cpus: tuple[int, ...]
    load_cpus: tuple[int, ...]

    @property
    def cpus(self) -> tuple[int, ...]:
        """All that VMs and their workers may use."""
        return tuple(sorted({*self.vm_cpus, *self.io_cpus}))

    def vcpus(self, policy: Policy) -> tuple[int, ...]:
        """Where the vCPUs run, and all other threads of QEMU that are no workers."""
        return self.vm_cpus if policy.dedicated else self.cpus

    def workers(self, policy: Policy) -> tuple[int, ...]:
        """Where the vhost workers run."""
        return self.io_cpus if policy.dedicated else self.cpus

    def as_dict(self) -> dict[str, Any]:
        """For the record, as the kernel writes lists of CPUs."""
        return {"vm_cpus": render(self.vm_cpus), "io_cpus": render(self.io_cpus), "load_cpus": render(self.load_cpus)}


def check(partition: Partition, online: tuple[int, ...]) -> None:
    """VirtperfError for a partition that this host cannot have; nothing has been started then."""
    for name, cpus in (("VM", partition.vm_cpus), ("I/O", partition.io_cpus), ("load", partition.load_cpus)):
        if not cpus:
            raise VirtperfError(
                f"the partition has no {name} cores",
                found=f"this host has CPUs {render(online) or 'unknown'}",
                way_out="give each part one CPU or more; it takes two CPUs at least",
            )
        strange = sorted(set(cpus) - set(online))
        if strange:
            raise VirtperfError(
                f"the partition asks for more CPUs than there are: {render(strange)} among the {name} cores",
                found=f"CPUs {render(online)} are online",
                way_out="name CPUs that are online, or fewer of them",
                online=list(online),
            )
    both = sorted(set(partition.vm_cpus) & set(partition.io_cpus))
    if both:
        raise VirtperfError(
            f"CPU {render(both)} cannot be a VM core and an I/O core",
            found=f"VM cores {render(partition.vm_cpus)}, I/O cores {render(partition.io_cpus)}",
            way_out="give each CPU to one of them",
        )
