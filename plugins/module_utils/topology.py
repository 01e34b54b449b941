# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPUs and NUMA nodes of a host. What the kernel does not tell is None, or empty where it is a list."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import read_memory

# Enough for the first CPU's paragraph. The kernel makes up the file while it is read, CPU by CPU.
_CPUINFO_BYTES = 8192


def cpus(host: Host, allowed: Iterable[int]) -> dict[str, Any]:
    """The CPUs; ``allowed`` are those that the asking process may use."""
    base = f"{host.sys}/devices/system/cpu"
    online = numbers(host, f"{base}/online")
    info = _cpuinfo(host)
    smt = host.read_or(f"{base}/smt/active")
    packages = {_read(host, f"{base}/cpu{cpu}/topology/physical_package_id") for cpu in online} - {None}
    return {
        "model": info.get("model name"),
        "present": numbers(host, f"{base}/present"),
        "online": online,
        "allowed": sorted(allowed),
        "isolated": numbers(host, f"{base}/isolated"),
        "nohz_full": numbers(host, f"{base}/nohz_full"),
        "node_of": {str(cpu): node for node in nodes_online(host) for cpu in _cpus_of_node(host, node)},
        "siblings_of": {
            str(cpu): numbers(host, f"{base}/cpu{cpu}/topology/thread_siblings_list") or [cpu] for cpu in online
        },
        "sockets": len(packages) or None,
        "smt": smt == "1" if smt else None,
        "frequency_driver": _read(host, f"{base}/cpu0/cpufreq/scaling_driver"),
        "governors": _governors(host, base),
        # A guest sees it among its CPU's flags; ARM has no such flag.
        "virtual": "hypervisor" in info["flags"].split() if "flags" in info else None,
    }


def numa_nodes(host: Host) -> list[dict[str, Any]]:
    """The NUMA nodes with their CPUs and memory; none on a kernel without NUMA."""
    return [
        {"node": node, "cpus": _cpus_of_node(host, node), "memory": read_memory(host, node).as_dict()}
        for node in nodes_online(host)
    ]


def nodes_online(host: Host) -> list[int]:
    """The numbers of the NUMA nodes."""
    return numbers(host, f"{host.sys}/devices/system/node/online")


def numbers(host: Host, path: str) -> list[int]:
    """A file's list of CPUs or nodes; empty also where there is no file, and where it says "(null)"."""
    try:
        return list(cpulist.parse(host.read_or(path)))
    except VirtperfError:
        return []


def _cpus_of_node(host: Host, node: int) -> list[int]:
    return numbers(host, f"{host.sys}/devices/system/node/node{node}/cpulist")


def _governors(host: Host, base: str) -> list[str]:
    """Of all CPUs, each once: more than one is worth a look."""
    files = glob.glob(f"{glob.escape(base)}/cpufreq/policy*/scaling_governor")
    return sorted({host.read_or(file) for file in files} - {""})


def _cpuinfo(host: Host) -> dict[str, str]:
    """What /proc/cpuinfo says of the first CPU."""
    try:
        with open(f"{host.proc}/cpuinfo", encoding="utf-8", errors="replace") as file:
            paragraph = file.read(_CPUINFO_BYTES).partition("\n\n")[0]
    except OSError:
        return {}
    return dict(re.findall(r"^([^\t:]+?)\s*: ?(.*)$", paragraph, re.MULTILINE))


def _read(host: Host, path: str) -> str | None:
    return host.read_or(path) or None
