# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this host's cgroup controllers are: in the one tree of version 2, in trees of version 1, or nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

# Those that limit what a vhost worker gets. Both can be had in threaded cgroups too.
CONTROLLERS = ("cpu", "cpuset")
_OCTAL = re.compile(r"\\([0-7]{3})")
UNIFIED = (
    "boot with the unified hierarchy: systemd.unified_cgroup_hierarchy=1 on the kernel command line; without systemd "
    "cgroup_no_v1=all, and version 2 mounted at /sys/fs/cgroup"
)


@dataclass(frozen=True)
class Hierarchies:
    """``v2`` is where version 2 is mounted, "" for nowhere; ``available`` are the controllers in its root.

    ``v1`` has the mount point of each controller that version 1 has taken, "" for one that is mounted nowhere here.
    """

    v2: str
    available: tuple[str, ...]
    enabled: tuple[str, ...]
    v1: Mapping[str, str]
    disabled: tuple[str, ...]

    @property
    def version(self) -> str:
        """``unified``, ``hybrid``, ``v1`` or ``none``."""
        if self.v2:
            return "hybrid" if self.v1 else "unified"
        return "v1" if self.v1 else "none"

    def facts(self) -> dict[str, Any]:
        """For people and playbooks."""
        return {
            "version": self.version,
            "mount": self.v2 or None,
            "available": list(self.available),
            "enabled": list(self.enabled),
            "v1": dict(self.v1),
            "disabled": list(self.disabled),
        }


def observe(host: Host) -> Hierarchies:
    """Look at the mounts and at what the kernel says of each controller."""
    v2, v1 = "", {}
    known = _known(host)
    for line in host.read_or(f"{host.proc}/self/mounts").splitlines():
        _device, path, kind, options = (*line.split(" "), "", "", "", "")[:4]
        path = _OCTAL.sub(lambda match: chr(int(match[1], 8)), path)
        if kind == "cgroup2":
            v2 = v2 or path
        elif kind == "cgroup":
            v1.update({word: path for word in options.split(",") if word in known})
    # In a hierarchy of version 1 that somebody mounted out of sight.
    v1.update({name: "" for name, (hierarchy, _on) in known.items() if hierarchy and name not in v1})
    return Hierarchies(
        v2,
        tuple(host.read_or(f"{v2}/cgroup.controllers").split()) if v2 else (),
        tuple(host.read_or(f"{v2}/cgroup.subtree_control").split()) if v2 else (),
        v1,
        tuple(name for name, (_hierarchy, on) in known.items() if not on),
    )


def _known(host: Host) -> dict[str, tuple[int, bool]]:
    """The hierarchy of version 1 that each controller is in (0 for none), and whether the kernel was booted with it."""
    found = {}
    for line in host.read_or(f"{host.proc}/cgroups").splitlines():
        words = line.split()
        if len(words) == 4 and not line.startswith("#"):
            found[words[0]] = (int(words[1]), words[3] == "1")
    return found


def require(host: Host, controllers: Sequence[str]) -> Hierarchies:
    """The unified hierarchy with these controllers; VirtperfError says where each of them is instead, and a way out."""
    found = observe(host)
    missing = [name for name in controllers if name not in found.available]
    if found.v2 and not missing:
        return found
    facts = {"cgroup": found.facts()}
    bound = [f"{name} is bound to version 1{_at(found.v1[name])}" for name in missing if name in found.v1]
    has = [f"version 2 at {found.v2} has {_list(found.available)}"] if found.v2 else []
    if bound or not found.v2:
        raise VirtperfError(
            f"this host's cgroups are not unified ({found.version}): version 2 "
            + (f"lacks {' and '.join(missing)}" if found.v2 else "is not mounted"),
            found="; ".join([*bound, *has]),
            way_out=UNIFIED,
            **facts,
        )
    off = [name for name in missing if name in found.disabled]
    if off:
        raise VirtperfError(
            f"the kernel was booted without the controller {' and '.join(off)}",
            found=host.read_or(f"{host.proc}/cmdline"),
            way_out="take cgroup_disable= off the kernel command line, and boot",
            **facts,
        )
    # The real root has no type; what is mounted here is a part of another's tree.
    if os.path.exists(f"{found.v2}/cgroup.type"):
        raise not_delegated(missing, found.v2, _list(found.available), **facts)
    raise VirtperfError(
        f"this kernel has no cgroup controller {' and '.join(missing)}",
        found=f"{found.v2}/cgroup.controllers has {_list(found.available)}",
        way_out="use a kernel with CONFIG_CFS_BANDWIDTH and CONFIG_CPUSETS",
        **facts,
    )


def not_delegated(missing: Sequence[str], ancestor: str, has: str, **facts: Any) -> VirtperfError:
    """The refusal where whoever owns an ancestor keeps a controller."""
    return VirtperfError(
        f"{ancestor} is not delegated the controller {' and '.join(missing)}",
        found=f"its cgroup.controllers has {has}",
        way_out=f"whoever manages the cgroup above it has to pass on {' '.join('+' + name for name in missing)} in "
        "its cgroup.subtree_control; of a unit of systemd's, Delegate=yes",
        ancestor=ancestor,
        controllers=list(missing),
        **facts,
    )


def _at(mount: str) -> str:
    return f" at {mount}" if mount else ", mounted nowhere here"


def _list(names: Sequence[str]) -> str:
    return " ".join(names) or "none"
