# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of this kernel bpftrace can look at; found out before anything is started."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

PROGRAM = "bpftrace"
# `{ 2, "NOT_SPECIFIED" }` in a tracepoint's format.
_SYMBOL = re.compile(r'\{\s*(\d+),\s*"(\w+)"\s*\}')


@dataclass(frozen=True)
class Probes:
    """The probes that are there, as bpftrace names them, of those that were looked for.

    ``drop_reasons`` are the names of the kernel's reasons to drop a packet, by their numbers in its trace.
    """

    available: frozenset[str]
    drop_reasons: Mapping[int, str] = field(default_factory=dict)

    def absent(self, wanted: Iterable[str]) -> str:
        """Which of them are not there, for a record; "" where all are."""
        missing = [probe.replace(":", " ", 1) for probe in wanted if probe not in self.available]
        return f"not available: no {', no '.join(missing)}" if missing else ""


def look(host: Host, wanted: Iterable[str]) -> Probes:
    """What there is of ``wanted`` (tracepoint:<system>:<name>, kprobe:<function>, kretprobe:<function>).

    VirtperfError says all that bpftrace lacks on this host.
    """
    events = _events(host)
    missing = {
        f"no program {PROGRAM}": "" if shutil.which(PROGRAM) else f"install {PROGRAM}",
        f"user {os.geteuid()}, not root": "" if os.geteuid() == 0 else "become root",
        "no tracefs that can be read": "" if events else "mount -t tracefs tracefs /sys/kernel/tracing",
        "no BTF of the kernel's": (
            "" if os.path.exists(f"{host.sys}/kernel/btf/vmlinux") else "a kernel with CONFIG_DEBUG_INFO_BTF"
        ),
    }
    lacks = {what: way_out for what, way_out in missing.items() if way_out}
    if lacks:
        raise VirtperfError(
            "the vhost workers cannot be traced here",
            found="; ".join(lacks),
            way_out=f"{'; '.join(lacks.values())}; or measure without throttle_trace",
        )
    functions = _functions(host) if os.path.isdir(f"{host.sys}/bus/event_source/devices/kprobe") else frozenset()
    found: set[str] = set()
    for probe in wanted:
        kind, _colon, name = probe.partition(":")
        there = os.path.isdir(f"{events}/{name.replace(':', '/')}") if kind == "tracepoint" else name in functions
        found.update({probe} if there else ())
    reasons = {int(number): name for number, name in _SYMBOL.findall(host.read_or(f"{events}/skb/kfree_skb/format"))}
    return Probes(frozenset(found), reasons)


def _events(host: Host) -> str:
    """Where tracefs has its events; "" where nobody mounted it, or we may not look."""
    for base in (f"{host.sys}/kernel/tracing/events", f"{host.sys}/kernel/debug/tracing/events"):
        if os.path.isdir(base) and os.access(base, os.R_OK | os.X_OK):
            return base
    return ""


def _functions(host: Host) -> frozenset[str]:
    """Of the kernel and its modules. tracefs has a list of those that can be traced, which not every kernel shows."""
    words = (line.split() for line in host.read_or(f"{host.proc}/kallsyms").splitlines())
    return frozenset(parts[2] for parts in words if len(parts) > 2 and parts[1] in "tT")
