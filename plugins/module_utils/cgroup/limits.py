# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cgroup may have: quota, weight, CPUs and memory nodes, compared by meaning and not by letter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# kernel/sched/core.c: min_cfs_quota_period and max_cfs_quota_period, in µs. The quota has the same minimum.
SHORTEST_US, LONGEST_US = 1_000, 1_000_000
DEFAULT_PERIOD_US = 100_000
MAX = "max"
_CPU_MAX = re.compile(r"(max|\d{1,15})(?:\s+(\d{1,15}))?", re.ASCII)


@dataclass(frozen=True)
class CpuMax:
    """So many µs of CPU time in each period; no ``quota_us`` is no limit, no ``period_us`` leaves the period alone."""

    quota_us: int | None
    period_us: int | None = None

    def __str__(self) -> str:
        quota = MAX if self.quota_us is None else str(self.quota_us)
        return quota if self.period_us is None else f"{quota} {self.period_us}"

    @property
    def cpus(self) -> float | None:
        """How many CPUs that is, in the kernel's usual period where none is given; None for no limit."""
        return None if self.quota_us is None else self.quota_us / (self.period_us or DEFAULT_PERIOD_US)

    def over(self, now: CpuMax) -> CpuMax:
        """What the kernel then has, which had ``now``."""
        return CpuMax(self.quota_us, now.period_us if self.period_us is None else self.period_us)


def parse_cpu_max(text: str) -> CpuMax:
    """As the kernel writes it, ``1000 1000000`` or ``max 100000``; the period may be left out. Nothing is checked."""
    match = _CPU_MAX.fullmatch(text.strip())
    if not match:
        raise VirtperfError(
            f"{text!r} is no limit of CPU time",
            way_out='give quota and period in µs, such as "1000 1000000", or "max" for no limit',
        )
    return CpuMax(None if match[1] == MAX else int(match[1]), int(match[2]) if match[2] else None)


def check_cpu_max(limit: CpuMax) -> None:
    """VirtperfError for what the kernel refuses."""
    if limit.quota_us is not None and limit.quota_us < SHORTEST_US:
        raise VirtperfError(
            f"cpu_max {str(limit)!r}: the quota is below the kernel's minimum of {SHORTEST_US} µs",
            way_out=f'for less of a CPU take a longer period, up to "{SHORTEST_US} {LONGEST_US}", which is 0.1 %',
            minimum_us=SHORTEST_US,
        )
    if limit.period_us is not None and not SHORTEST_US <= limit.period_us <= LONGEST_US:
        raise VirtperfError(
            f"cpu_max {str(limit)!r}: the kernel takes periods from {SHORTEST_US} to {LONGEST_US} µs",
            way_out=f"{DEFAULT_PERIOD_US} is the usual one",
        )


# Of each key: the controller, the file, and the text of a new cgroup's.
FILES: Mapping[str, tuple[str, str, str]] = {
    "cpu_max": ("cpu", "cpu.max", f"{MAX} {DEFAULT_PERIOD_US}"),
    "weight": ("cpu", "cpu.weight", "100"),
    "cpus": ("cpuset", "cpuset.cpus", ""),
    "mems": ("cpuset", "cpuset.mems", ""),
}


@dataclass(frozen=True)
class Limits:
    """What is wished for; None is left as it is. No CPUs and no nodes at all mean those of the cgroup above."""

    cpu_max: CpuMax | None = None
    weight: int | None = None
    cpus: tuple[int, ...] | None = None
    mems: tuple[int, ...] | None = None

    def wishes(self) -> Iterator[tuple[str, Any]]:
        """The keys with what is wished for them."""
        for key in FILES:
            value = getattr(self, key)
            if value is not None:
                yield key, value

    def controllers(self) -> list[str]:
        """Those that are needed for it."""
        return list(dict.fromkeys(FILES[key][0] for key, _value in self.wishes()))


def parse(cpu_max: str | None, weight: int | None, cpus: str | None, mems: str | None) -> Limits:
    """A module's options; VirtperfError names the one that is wrong."""
    limit = parse_cpu_max(cpu_max) if cpu_max is not None else None
    if limit:
        check_cpu_max(limit)
    if weight is not None and not 1 <= weight <= 10_000:
        raise VirtperfError(f"weight {weight}: the kernel takes 1 to 10000", way_out="100 is what every cgroup has")
    return Limits(limit, weight, _numbers("cpus", cpus), _numbers("mems", mems))


def _numbers(key: str, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return cpulist.parse(text)
    except VirtperfError as error:
        raise VirtperfError(f"{key}: {error.what}", way_out=error.way_out) from error


def after(key: str, wish: Any, now: str) -> str:
    """What the kernel's file reads once the wish is fulfilled, which reads ``now``."""
    if key == "cpu_max":
        return str(wish.over(parse_cpu_max(now or FILES[key][2])))
    return cpulist.render(wish) if key in ("cpus", "mems") else str(wish)


def same(key: str, one: str, other: str) -> bool:
    """Whether two texts of a key's file mean the same: ``0-3`` is ``0,1,2,3``."""
    if key in ("cpus", "mems"):
        return cpulist.parse(one) == cpulist.parse(other)
    return one.split() == other.split()
