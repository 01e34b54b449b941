# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPUs of a hypervisor divided into VM cores and I/O cores: as asked for, checked, or else chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import Partition
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.cpu_choice import siblings_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

AUTO = "auto"


def divide(variables: Mapping[str, Any], cpus: Mapping[str, Any]) -> Partition:
    """``cpus`` is what M(virtperf.vhost.vhost_info) returns under that name; PlanError.

    Chosen is the last CPU as the I/O core, and all others as VM cores, but for the other threads of a chosen I/O core:
    what shares its units would slow the workers down.
    """
    usable = sorted({*cpus["allowed"], *(cpus.get("isolated") or ())} & set(cpus.get("online") or cpus["allowed"]))
    asked = {part: _asked(variables, f"consolidate_{part}_cpus", usable) for part in ("vm", "io", "load")}
    if len(usable) < 2:
        raise PlanError(
            f"a VM core and an I/O core are two CPUs, and this host lets us use {len(usable)}:"
            f" {cpulist.render(usable) or 'none'}. Allowed: a host with more CPUs; for the sandbox, sandbox_vcpus"
        )
    both = sorted(set(asked["vm"]) & set(asked["io"]))
    if both:
        raise PlanError(
            f"consolidate_vm_cpus and consolidate_io_cpus share CPU {cpulist.render(both)}. Allowed: CPUs of their own"
        )
    io_cpus = asked["io"] or [cpu for cpu in usable if cpu not in asked["vm"]][-1:]
    siblings = {sibling for cpu in io_cpus for sibling in siblings_of(cpu, cpus)}
    free = [cpu for cpu in usable if cpu not in io_cpus]
    vm_cpus = asked["vm"] or [cpu for cpu in free if cpu not in siblings] or free
    for part, chosen in (("vm", vm_cpus), ("io", io_cpus)):
        if not chosen:
            other = "io" if part == "vm" else "vm"
            raise PlanError(
                f"consolidate_{other}_cpus leaves no CPU for consolidate_{part}_cpus. Allowed: fewer of CPUs"
                f" {cpulist.render(usable)}, at least one for each of both"
            )
    return Partition(tuple(sorted(vm_cpus)), tuple(sorted(io_cpus)), tuple(sorted(asked["load"] or vm_cpus)))


def _asked(variables: Mapping[str, Any], name: str, usable: Sequence[int]) -> list[int]:
    """CPU numbers; none where they are to be chosen."""
    raw = variables[name]
    if isinstance(raw, str) and raw.strip() in (AUTO, ""):
        return []
    text = ",".join(map(str, raw)) if isinstance(raw, (list, tuple)) else str(raw)
    try:
        cpus = list(cpulist.parse(text))
    except VirtperfError:
        cpus = []
    if not cpus:
        raise PlanError(f"{name} cannot be {raw!r}. Allowed: CPUs such as [0, 1] or 0-1, or {AUTO} to have them chosen")
    strange = sorted(set(cpus) - set(usable))
    if strange:
        raise PlanError(
            f"{name} asks for CPU {cpulist.render(strange)}, and this host lets us use {len(usable)} CPUs:"
            f" {cpulist.render(usable)}. Allowed: CPUs of these"
        )
    return cpus
