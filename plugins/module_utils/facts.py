# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about a host that a measurement depends on, in one look that changes nothing and needs no root.

Each key is one subject, gathered by a function of its own. What does not exist or may not be read is None; what may not
be read is listed as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import hugetlbfs, pools, processes, software, topology
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup import hierarchy
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import label, meminfo, read_memory
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import abilities, threads, vms, workers


def gather(host: Host, run_id: str = "", *, probe_kvm: bool = False) -> dict[str, Any]:
    """The facts. To probe KVM a paused VM is started with it."""
    testpmd = software.find_testpmd()
    unreadable: list[str] = []
    return {
        "cpus": topology.cpus(host, processes.allowed_cpus()),
        "numa_nodes": topology.numa_nodes(host),
        "memory": read_memory(host).as_dict(),
        "hugepages": _hugepages(host),
        "kernel": {
            "release": platform.release(),
            "version": platform.version(),
            "machine": platform.machine(),
            "cmdline": host.read_or(f"{host.proc}/cmdline") or None,
        },
        "virtualization": _virtualization(host),
        "kvm": abilities.kvm(probe=probe_kvm),
        "vhost": abilities.vhost(host),
        "busy_poll": abilities.busy_poll(host),
        "tracing": abilities.tracing(host, unreadable),
        "cgroup": hierarchy.observe(host).facts(),
        "vms": _vms(host, unreadable),
        "testpmd": testpmd,
        "dpdk": {"version": testpmd["version"]},
        "qemu": software.find_qemu(platform.machine()),
        "libvirt": software.find_libvirt(),
        "python": {"path": sys.executable, "version": platform.python_version()},
        "load": _load(host),
        "run_lock": _run_lock(host, run_id, unreadable),
        "unreadable": unreadable,
    }


def _hugepages(host: Host) -> dict[str, Any]:
    sizes = pools.sizes(host)
    default_kb = meminfo(host).get("Hugepagesize")
    found = []
    for size_kb in sizes:
        for node in (None, *topology.nodes_online(host)):
            # Without its files there is no such pool on this node.
            with contextlib.suppress(OSError, ValueError):
                pool = pools.observe(host, size_kb, node)
                reserved = pool.reserved if node is None else None
                found.append({"size": label(size_kb), "node": node, **pool.counts(), "reserved": reserved})
    return {
        "sizes": [label(size) for size in sizes],
        "default_size": label(default_kb) if default_kb else None,
        "pools": found,
        "mounts": [
            {"path": mount.path, "size": label(hugetlbfs.page_kb(host, mount)), "ours": mount.is_ours}
            for mount in hugetlbfs.mounts(host)
            if mount.kind == "hugetlbfs"
        ],
    }


def _vms(host: Host, unreadable: list[str]) -> list[dict[str, Any]]:
    found = workers.find(host, vms.find(host, unreadable))
    unreadable += [f"{host.proc}/{one.vm.pid}/fd" for one in found if one.devices is None]
    return [{**one.facts(), "threads": threads.facts(host, one.vm.pid, one.workers)} for one in found]


def _virtualization(host: Host) -> dict[str, Any]:
    """What the firmware calls the machine, and whether the kernel offers KVM. Whether KVM works is another question."""
    return {
        "vendor": host.read_or(f"{host.sys}/class/dmi/id/sys_vendor") or None,
        "product": host.read_or(f"{host.sys}/class/dmi/id/product_name") or None,
        "kvm_device": os.path.exists(f"{host.sys}/class/misc/kvm"),
        "vhost_net_device": os.path.exists(f"{host.sys}/class/misc/vhost-net"),
    }


def _load(host: Host) -> list[float] | None:
    """Runnable processes, averaged over 1, 5 and 15 minutes."""
    try:
        return [float(word) for word in host.read(f"{host.proc}/loadavg").split()[:3]]
    except (OSError, ValueError):
        return None


def _run_lock(host: Host, run_id: str, unreadable: list[str]) -> dict[str, Any] | None:
    """Who holds the host, as the lock has it, and whether it is the asker."""
    path = os.path.join(host.state, "lock.json")
    try:
        lock = json.loads(host.read(path))
    except PermissionError:
        unreadable.append(path)
        return None
    except (OSError, ValueError):
        return None
    if not isinstance(lock, dict):
        return None
    return {**lock, "ours": bool(run_id) and lock.get("run_id") == run_id}
