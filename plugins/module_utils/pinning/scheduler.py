# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel's scheduler has on record for one thread: CPUs, policy, priority."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist

# The names of chrt(1) and libvirt. "deadline" is missing on purpose: it has no priority, and the kernel refuses it for
# threads that are pinned to a part of their root domain.
POLICIES = {
    "other": os.SCHED_OTHER,
    "batch": os.SCHED_BATCH,
    "idle": os.SCHED_IDLE,
    "fifo": os.SCHED_FIFO,
    "rr": os.SCHED_RR,
}
REALTIME = ("fifo", "rr")


@dataclass(frozen=True)
class Setting:
    """CPUs ascending; policy by name, "6" for one that has none here; priority 0 but for fifo and rr."""

    cpus: tuple[int, ...]
    policy: str = "other"
    priority: int = 0
    reset_on_fork: bool = False

    def __str__(self) -> str:
        policy = "" if self.policy == "other" else f" {self.policy}"
        priority = f":{self.priority}" if self.priority else ""
        return f"{cpulist.render(self.cpus)}{policy}{priority}"

    def as_dict(self) -> dict[str, Any]:
        """For the journal."""
        return {
            "cpus": cpulist.render(self.cpus),
            "policy": self.policy,
            "priority": self.priority,
            "reset_on_fork": self.reset_on_fork,
        }


def setting_of(record: Mapping[str, Any]) -> Setting:
    """The inverse of ``Setting.as_dict``."""
    return Setting(
        cpulist.parse(str(record["cpus"])),
        str(record["policy"]),
        int(record["priority"]),
        bool(record["reset_on_fork"]),
    )


class Scheduler:
    """The kernel's; all calls take a thread's id, and raise ProcessLookupError when it has ended."""

    def get(self, tid: int) -> Setting:
        """What is in force now."""
        number = os.sched_getscheduler(tid)
        flag = bool(number & os.SCHED_RESET_ON_FORK)
        number &= ~os.SCHED_RESET_ON_FORK
        policy = next((name for name, value in POLICIES.items() if value == number), str(number))
        priority = os.sched_getparam(tid).sched_priority
        return Setting(tuple(sorted(os.sched_getaffinity(tid))), policy, priority, flag)

    def set_cpus(self, tid: int, cpus: tuple[int, ...]) -> None:
        """Ask for CPUs. The kernel leaves out, silently, those outside the thread's cpuset."""
        os.sched_setaffinity(tid, cpus)

    def set_policy(self, tid: int, wanted: Setting) -> None:
        """Ask for a policy with its priority."""
        number = POLICIES.get(wanted.policy)
        if number is None:
            number = int(wanted.policy)
        flag = os.SCHED_RESET_ON_FORK if wanted.reset_on_fork else 0
        os.sched_setscheduler(tid, number | flag, os.sched_param(wanted.priority))
