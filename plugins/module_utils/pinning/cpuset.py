# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPUs that a thread's cpuset lets it have, with cgroup v1, v2 or both mounted."""

from __future__ import annotations

import re

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

# v2 first: where both have a cpuset controller, which cannot be, the newer one counts.
_V2_FILE, _V1_FILE = "cpuset.cpus.effective", "cpuset.effective_cpus"
_LIBVIRT_LEAF = re.compile(r"/(?:vcpu\d+|iothread\d+|emulator)$")


def allowed(host: Host, tid: int, *, above_leaf: bool = False) -> tuple[tuple[int, ...], str] | None:
    """The CPUs of a thread's cpuset and the file that says so; None where no mounted cgroup tells.

    ``above_leaf`` looks at what holds libvirt's own cgroup of one thread: libvirt widens that one when it pins.
    """
    cgroups = _cgroups(host, tid)
    for kind, file in (("cgroup2", _V2_FILE), ("cgroup", _V1_FILE)):
        path = cgroups.get(kind)
        if path is None:
            continue
        path = _LIBVIRT_LEAF.sub("", path) if above_leaf else path
        for root in _mounts(host, kind):
            # A cgroup without the controller has what the nearest one above it has.
            for candidate in _upwards(f"{root}{path}".rstrip("/"), root):
                text = host.read_or(f"{candidate}/{file}")
                if text:
                    return _numbers(text), f"{candidate}/{file}"
    return None


def isolated_partitions(host: Host) -> tuple[int, ...]:
    """The CPUs that cgroup v2's isolated partitions took out of load balancing (Linux 6.7 and newer tell)."""
    cpus: set[int] = set()
    for root in _mounts(host, "cgroup2"):
        cpus.update(_numbers(host.read_or(f"{root}/cpuset.cpus.isolated")))
    return tuple(sorted(cpus))


def _cgroups(host: Host, tid: int) -> dict[str, str]:
    found = {}
    for line in host.read_or(f"{host.proc}/{tid}/cgroup").splitlines():
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not controllers:
            found["cgroup2"] = path
        elif "cpuset" in controllers.split(","):
            found["cgroup"] = path
    return found


def _mounts(host: Host, kind: str) -> list[str]:
    found = []
    for line in host.read_or(f"{host.proc}/self/mounts").splitlines():
        _device, path, filesystem, options = line.split(" ")[:4]
        if filesystem == kind and (kind == "cgroup2" or "cpuset" in options.split(",")):
            found.append(path.replace("\\040", " "))
    return found


def _upwards(path: str, root: str) -> list[str]:
    found = [path]
    while len(path) > len(root):
        path = path.rpartition("/")[0]
        found.append(path)
    return found


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return cpulist.parse(text)
    except VirtperfError:
        return ()
