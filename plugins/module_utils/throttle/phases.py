# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a timeline: what the workers may use of a CPU in each, and for how long.

Limits are those of cgroup v2's ``cpu.max``: quota and period in microseconds, or ``max`` for no limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import (
    DEFAULT_PERIOD_US,
    LONGEST_US,
    MAX,
    SHORTEST_US,
    CpuMax,
    check_cpu_max,
    parse_cpu_max,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# kernel/sched/core.c: min_cfs_quota_period and max_cfs_quota_period; the first is the smallest quota as well.
LEAST_PERCENT = 100 * SHORTEST_US / LONGEST_US
MOST_PERCENT = 100_000.0
_SHORTEST_S, _LONGEST_S = 1.0, 3600.0


@dataclass(frozen=True)
class Phase:
    """A stretch of a timeline. ``ladder_percent`` is the step of the ladder that it is, of one CPU; else None."""

    name: str
    cpu_max: CpuMax
    seconds: float
    ladder_percent: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As ``parse`` takes it."""
        return {
            "name": self.name,
            "cpu_max": str(self.cpu_max),
            "seconds": self.seconds,
            "ladder_percent": self.ladder_percent,
        }


def quota_for(percent: Any) -> CpuMax:
    """So many percent of one CPU, in the kernel's usual period or, where the quota gets too small, a longer one."""
    share = _number(percent)
    if share is None or not LEAST_PERCENT <= share <= MOST_PERCENT:
        raise VirtperfError(
            f"a quota of {percent!r} % of a CPU cannot be",
            way_out=f"from {LEAST_PERCENT:g} ({SHORTEST_US} of {LONGEST_US} microseconds) to {MOST_PERCENT:g}",
        )
    quota_us = round(share / 100 * DEFAULT_PERIOD_US)
    if quota_us >= SHORTEST_US:
        return CpuMax(quota_us, DEFAULT_PERIOD_US)
    return CpuMax(SHORTEST_US, min(LONGEST_US, round(100 * SHORTEST_US / share)))


def ladder(percents: Sequence[Any], seconds: float) -> list[Phase]:
    """A phase for each quota, called after it: "50%", "0.1%"."""
    return [
        Phase(f"{float(percent):g}%", quota_for(percent), seconds, ladder_percent=float(percent))
        for percent in percents
    ]


def parse(raw: Sequence[Mapping[str, Any]], default_seconds: float | None = None) -> list[Phase]:
    """Phases from a playbook; VirtperfError names the phase, what is wrong and what is allowed."""
    phases = [_phase(number, item, default_seconds) for number, item in enumerate(raw, start=1)]
    if not phases:
        raise VirtperfError("a timeline needs a phase", way_out="name one, such as baseline, with cpu_max max")
    names = [phase.name for phase in phases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise VirtperfError(
            f"more than one phase is called {', '.join(twice)}", way_out="names of their own: records tell them by it"
        )
    return phases


def _phase(number: int, raw: Any, default_seconds: float | None) -> Phase:
    known = {"name", "cpu_max", "seconds", "ladder_percent"}
    if not isinstance(raw, Mapping) or not set(raw) <= known:
        raise VirtperfError(
            f"phase {number} is no phase", found=repr(raw), way_out=f"a dictionary with {', '.join(sorted(known))}"
        )
    name = str(raw.get("name", "")).strip()
    if not name or not name.isprintable():
        raise VirtperfError(f"phase {number} has no name", found=repr(raw.get("name")), way_out="give it one")
    given = raw.get("seconds")
    seconds = _number(default_seconds if given is None else given)
    if seconds is None or not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise VirtperfError(
            f"phase {name} cannot last {given!r} seconds", way_out=f"from {_SHORTEST_S:g} to {_LONGEST_S:g}"
        )
    try:
        limit = parse_cpu_max(str(raw.get("cpu_max", MAX)))
        check_cpu_max(limit)
    except VirtperfError as error:
        raise VirtperfError(f"phase {name}: {error.what}", way_out=error.way_out, **error.facts) from error
    # The whole of it, for the change to say what the kernel then reads.
    return Phase(name, limit.over(CpuMax(None, DEFAULT_PERIOD_US)), seconds, _number(raw.get("ladder_percent")))


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
