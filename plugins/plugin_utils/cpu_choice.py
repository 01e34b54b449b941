# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CPUs of a host to take: ``cpus`` is always what M(virtperf.vhost.vhost_info) returns under that name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def preferred(cpus: Mapping[str, Any], wanted: int, taken: Collection[int]) -> list[int]:
    """The CPUs that are not taken, best first, and in order those that are wanted."""
    allowed = [cpu for cpu in cpus["allowed"] if cpu not in taken]
    isolated = [cpu for cpu in cpus.get("isolated") or [] if cpu in allowed]
    pool = isolated if len(isolated) >= wanted else allowed
    nodes: dict[int, list[int]] = {}
    for cpu in pool:
        nodes.setdefault(node_of(cpu, cpus), []).append(cpu)
    near = {node_of(cpu, cpus) for cpu in taken}
    roomy = [
        nodes[node] for node in sorted(nodes, key=lambda node: (node not in near, node)) if len(nodes[node]) >= wanted
    ]
    pool = roomy[0] if roomy else pool
    # Of a core's threads that can be had one is the first, unless the other end already has one of them.
    used = {sibling for cpu in taken for sibling in siblings_of(cpu, cpus)}
    firsts = {min([cpu, *(sibling for sibling in siblings_of(cpu, cpus) if sibling in pool)]) for cpu in pool} - used
    seconds = [cpu for cpu in pool if cpu not in firsts]
    # Worst last: second threads of a core, and before them CPU 0.
    pool = sorted(pool, key=lambda cpu: (cpu in seconds, cpu == 0, cpu))
    return sorted(pool[:wanted]) + pool[wanted:]


def node_of(cpu: int, cpus: Mapping[str, Any]) -> int:
    """A CPU's NUMA node; 0 on a kernel without NUMA."""
    return int((cpus.get("node_of") or {}).get(str(cpu), 0) or 0)


def siblings_of(cpu: int, cpus: Mapping[str, Any]) -> list[int]:
    """The CPUs of its core, itself among them; empty where the host does not tell."""
    return list((cpus.get("siblings_of") or {}).get(str(cpu), []))
