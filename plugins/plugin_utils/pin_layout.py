# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From how many vCPUs VMs have to host CPUs for each: one to one, near each other, with some kept for the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import render
from ansible_collections.virtperf.vhost.plugins.plugin_utils.cpu_choice import node_of, preferred

_KEYS = ("name", "qmp", "domain", "vcpus", "vhost_cpus", "numa_node")


class LayoutError(ValueError):
    """A layout that cannot be had: says for what, what there is, and what could be changed."""


def propose(
    vms: Sequence[Mapping[str, Any]], host: Mapping[str, Any], housekeeping: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """The option ``vms`` of M(virtperf.vhost.vcpu_pin).

    Each VM has ``vcpus`` (how many), and may have ``vhost_cpus`` (how many CPUs its vhost workers share, 0 to have them
    run with the emulator's threads) and ``numa_node``; its other keys identify it. ``housekeeping`` are CPUs that no
    vCPU gets; the emulators' threads run there. ``host`` is what M(virtperf.vhost.vhost_info) returns.
    """
    cpus = {**host["cpus"], "allowed": _usable(host["cpus"])}
    kept = _housekeeping(cpus, housekeeping)
    taken = set(kept)
    layout = []
    for number, vm in enumerate(vms):
        name = str(vm.get("name") or vm.get("domain") or vm.get("qmp") or f"number {number}")
        vcpus, workers, node = _counts(name, vm)
        chosen = _choose(name, vcpus + workers, node, cpus, taken, kept)
        taken.update(chosen)
        identity = {key: vm[key] for key in ("name", "qmp", "domain") if key in vm}
        layout.append(
            {
                **identity,
                "vcpus": [{"vcpu": vcpu, "cpus": str(cpu)} for vcpu, cpu in enumerate(chosen[:vcpus])],
                "emulator": {"cpus": render(kept)},
                "vhost": {"cpus": render(chosen[vcpus:] if workers else kept)},
            }
        )
    return layout


def _usable(cpus: Mapping[str, Any]) -> list[int]:
    """Those that threads of a VM can be pinned to. Isolated CPUs are not among those that a process of the host's
    inherits, and may be had all the same."""
    return sorted(({*cpus["allowed"], *(cpus.get("isolated") or ())}) & set(cpus["online"]))


def _housekeeping(cpus: Mapping[str, Any], asked: Sequence[int] | None) -> list[int]:
    if asked is None:
        isolated = cpus.get("isolated") or ()
        # Where CPUs are isolated, the others are for the host by whoever isolated them; it needs one at least.
        return [next((cpu for cpu in cpus["allowed"] if cpu not in isolated), cpus["allowed"][0])]
    if any(isinstance(cpu, bool) or not isinstance(cpu, int) for cpu in asked) or len(set(asked)) != len(asked):
        raise LayoutError(f"housekeeping cannot be {asked!r}. Allowed: CPU numbers, each once")
    strange = sorted(set(asked) - set(cpus["allowed"]))
    if strange or not asked:
        found = f"names CPU {render(strange)}" if strange else "is empty"
        raise LayoutError(f"housekeeping {found}. Allowed: one or more of CPUs {render(cpus['allowed'])}")
    return sorted(asked)


def _counts(name: str, vm: Mapping[str, Any]) -> tuple[int, int, int | None]:
    unknown = sorted(set(vm) - set(_KEYS))
    if unknown:
        raise LayoutError(f"VM {name} has unknown keys {', '.join(unknown)}. Allowed: {', '.join(_KEYS)}")
    node = vm.get("numa_node")
    numbers = {
        "vcpus": vm.get("vcpus"),
        "vhost_cpus": vm.get("vhost_cpus", 0),
        "numa_node": 0 if node is None else node,
    }
    for key, value in numbers.items():
        low = int(key == "vcpus")
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise LayoutError(f"VM {name}: {key} cannot be {value!r}. Allowed: whole numbers from {low}")
    return int(numbers["vcpus"] or 0), int(numbers["vhost_cpus"] or 0), node


def _choose(
    name: str, wanted: int, node: int | None, cpus: Mapping[str, Any], taken: set[int], kept: Sequence[int]
) -> list[int]:
    near = [cpu for cpu in cpus["allowed"] if node is None or node_of(cpu, cpus) == node]
    best = preferred({**cpus, "allowed": near}, wanted, taken)
    free = sorted(set(near) - taken)
    where = "this host" if node is None else f"NUMA node {node}"
    usable = f"{len(near)} that can be used, {_list(near)}; kept for housekeeping: {_list(kept)}"
    way_out = "fewer vCPUs or VMs, or fewer CPUs for housekeeping"
    if len(free) < wanted:
        raise LayoutError(
            f"VM {name} needs {wanted} CPUs, and {where} has {len(free)} left: {_list(free)} ({usable})."
            f" Allowed: {way_out}"
        )
    chosen = best[:wanted]
    nodes = {node_of(cpu, cpus) for cpu in chosen}
    if len(nodes) > 1:
        rooms = {number: [cpu for cpu in free if node_of(cpu, cpus) == number] for number in sorted(nodes)}
        has = ", ".join(f"node {number} {len(its)} ({_list(its)})" for number, its in rooms.items())
        raise LayoutError(
            f"VM {name} needs {wanted} CPUs of one NUMA node, and of those left has {has}. Allowed: {way_out}, or a"
            " layout of your own"
        )
    return chosen


def _list(cpus: Sequence[int]) -> str:
    return render(cpus) or "none"
