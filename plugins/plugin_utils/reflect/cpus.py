# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the two ends of the study ``reflect`` run: ``cpus`` is what M(virtperf.vhost.vhost_info) returns as such."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cpu_choice import preferred, siblings_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError, join


def choose_cpus(
    cores: int,
    vswitch: Sequence[int],
    far_end: Sequence[int],
    cpus: Mapping[str, Any],
    *,
    overlap: bool = False,
) -> tuple[list[int], list[int]]:
    """CPUs for the two ends: those asked for, checked, or else chosen.

    Chosen are isolated CPUs where there are enough, CPUs of one NUMA node where it has enough, one thread of each core
    where that is enough, and CPU 0 last, which serves the rest of the system.
    """
    allowed = list(cpus["allowed"])
    for variable, wanted in (("reflect_vswitch_cpus", vswitch), ("reflect_far_end_cpus", far_end)):
        strange = sorted(set(wanted) - set(allowed))
        if strange:
            raise PlanError(f"{variable} names CPU {join(strange)}. Allowed on this host: {join(allowed)}")
        if wanted and len(wanted) < cores:
            raise PlanError(
                f"{variable} has {len(wanted)} CPUs, {cores} forwarding cores are asked for."
                f" Allowed: {cores} or more CPUs, fewer queues or links, or reflect_forwarding_cores=one"
            )
    both = set(vswitch[:cores]) & set(far_end[:cores])
    if both and not overlap:
        raise PlanError(
            f"reflect_vswitch_cpus and reflect_far_end_cpus share CPU {join(sorted(both))}: two polling loops would"
            " take turns. Allowed: CPUs of their own, or reflect_allow_overlap=true"
        )
    taken = {*vswitch[:cores], *far_end[:cores]}
    missing = cores * (2 - bool(vswitch) - bool(far_end))
    free = preferred(cpus, missing, taken)
    if len(free) < missing:
        raise PlanError(
            f"{2 * cores} CPUs are needed ({cores} forwarding cores at each end), this host lets us use {len(allowed)}:"
            f" {join(allowed)}. Allowed: fewer reflect_queues or reflect_links, reflect_forwarding_cores=one, or"
            " reflect_allow_overlap=true with both reflect_vswitch_cpus and reflect_far_end_cpus"
        )
    chosen_vswitch = list(vswitch[:cores]) or sorted(free[:cores])
    free = [cpu for cpu in free if cpu not in chosen_vswitch]
    return chosen_vswitch, list(far_end[:cores]) or sorted(free[:cores])


def housekeeping(cpus: Mapping[str, Any], polling: Collection[int]) -> list[int]:
    """CPUs for what a VM does beside polling; none when the polling loops have them all.

    Those that nobody isolated, for the kernel does not balance a range of isolated ones; and whole cores of their own
    where there are any, for the second thread of a core takes from the first.
    """
    free = [cpu for cpu in cpus["allowed"] if cpu not in polling]
    isolated = cpus.get("isolated") or ()
    free = [cpu for cpu in free if cpu not in isolated] or free[:1]
    return [cpu for cpu in free if not set(siblings_of(cpu, cpus)) & set(polling)] or free
