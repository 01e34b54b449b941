# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials are made with: guests with their NICs and threads, the partition, and the trials in their order."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import (
    NICS,
    POLICIES,
    Partition,
    Policy,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import WORKLOADS, Workload, programs
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Watched

WORKER, VCPU, EMULATOR = ROLES = ("worker", "vcpu", "emulator")
# A trial must end well before the host's lock counts as abandoned.
_LONGEST_TRIAL_S = 600.0
_PREFIX_LENGTH = 24


@dataclass(frozen=True)
class Nic:
    """One of a guest's: its tap on this host, and its MAC and IPv4 address in the guest."""

    tap: str
    mac: str
    address: str


@dataclass(frozen=True)
class Guest:
    """``vm`` is the VM's name here; ``through`` the words of a command that hands its last argument to a shell in it.
    ``threads`` are those that serve it, by role.
    """

    name: str
    vm: str
    through: tuple[str, ...]
    nics: Mapping[str, Nic]
    threads: Mapping[str, Sequence[Watched]]


@dataclass(frozen=True)
class Trial:
    """``position`` is its place in the order of all, from 1 on."""

    policy: Policy
    guests: int
    workload: Workload
    trial: int
    position: int

    @property
    def cell(self) -> dict[str, Any]:
        """As the records have it."""
        return {"policy": self.policy.name, "guests": self.guests, "workload": self.workload.name}

    def __str__(self) -> str:
        return f"{self.workload.name}, {self.guests} guest{'s' if self.guests > 1 else ''}, {self.policy.name}"


@dataclass(frozen=True)
class Timing:
    """Seconds: the window, traffic before it, and how late a program may start without the trial being lost."""

    window_s: float = 2.0
    warmup_s: float = 0.5
    late_s: float = 0.5

    @property
    def run_s(self) -> int:
        """How long programs run: one that starts as late as it may still runs when the window ends. Those programs take
        whole seconds only.
        """
        return math.ceil(self.warmup_s + self.window_s + self.late_s)


@dataclass(frozen=True)
class Setup:
    """``addresses`` are the hypervisor's own in the network of each NIC. ``guests`` are in the order in which they take
    part: a trial with two guests has the first two, and the others do nothing meanwhile.
    """

    guests: Sequence[Guest]
    trials: Sequence[Trial]
    partition: Partition
    addresses: Mapping[str, str]
    timing: Timing
    cgroup: str = "/vhost-consolidated"
    connections: int = 4
    poll_us: int = 50
    seed: str = ""

    @property
    def programs(self) -> list[str]:
        """What the trials are made with."""
        return programs(trial.workload.name for trial in self.trials)

    @property
    def nics(self) -> list[str]:
        """Those that are used."""
        used = {trial.policy.nic for trial in self.trials}
        return [nic for nic in NICS if nic in used]

    @property
    def taps(self) -> list[str]:
        """All that there are."""
        return [nic.tap for guest in self.guests for nic in guest.nics.values()]

    @property
    def threads(self) -> list[Watched]:
        """All of all guests."""
        return [thread for guest in self.guests for role in ROLES for thread in guest.threads[role]]

    @property
    def seconds(self) -> float:
        """What the trials take, without the time between them."""
        return len(self.trials) * float(self.timing.run_s)


def prefixed(address: str) -> str:
    """With the length of its network."""
    return f"{address}/{_PREFIX_LENGTH}"


def setup(raw: Mapping[str, Any]) -> Setup:
    """From a module's arguments; VirtperfError for what cannot be."""
    guests = [_guest(one) for one in raw["guests"]]
    made = Setup(
        guests=guests,
        trials=[_trial(one, number, len(guests)) for number, one in enumerate(raw["trials"], 1)],
        partition=Partition(*(_cpus(raw, f"{part}_cpus") for part in ("vm", "io", "load"))),
        addresses={nic: _address(f"addresses.{nic}", (raw["addresses"] or {}).get(nic)) for nic in NICS},
        timing=Timing(raw["window_seconds"], raw["warmup_seconds"], raw["late_seconds"]),
        cgroup=str(raw["cgroup"]),
        connections=raw["connections"],
        poll_us=raw["poll_us"],
        seed=str(raw["seed"]),
    )
    _check(made)
    return made


def _guest(raw: Mapping[str, Any]) -> Guest:
    name = str(raw["name"])
    threads: dict[str, list[Watched]] = {role: [] for role in ROLES}
    for thread in raw["threads"]:
        role = str(thread["role"])
        label = f"{name}/{role}{len(threads[role])}"
        threads[role].append(Watched(label, thread["pid"], thread["tid"], thread.get("start") or 0))
    for role in (WORKER, VCPU):
        if not threads[role]:
            raise VirtperfError(
                f"guest {name} has no {role} thread",
                found=", ".join(str(thread["role"]) for thread in raw["threads"]) or "no threads at all",
                way_out="it has to run here, with taps that vhost serves, and be started by this collection",
            )
    nics = {}
    for nic in NICS:
        given = raw["nics"].get(nic) or {}
        if not given.get("tap") or not given.get("mac"):
            raise VirtperfError(
                f"guest {name} has no NIC {nic}", found=", ".join(raw["nics"]) or "none", way_out="give its tap and mac"
            )
        nics[nic] = Nic(str(given["tap"]), str(given["mac"]).lower(), _address(f"{name}.{nic}", given.get("address")))
    return Guest(name, str(raw.get("vm") or name), tuple(map(str, raw["through"])), nics, threads)


def _trial(raw: Mapping[str, Any], number: int, guests: int) -> Trial:
    for key, known in (("policy", POLICIES), ("workload", WORKLOADS)):
        if raw[key] not in known:
            raise VirtperfError(f"there is no {key} {raw[key]!r}", way_out=f"one of {', '.join(known)}")
    if not 1 <= raw["guests"] <= guests:
        raise VirtperfError(
            f"a trial cannot have {raw['guests']} guests", found=f"{guests} are listed", way_out="list more guests"
        )
    return Trial(
        POLICIES[raw["policy"]],
        raw["guests"],
        WORKLOADS[raw["workload"]],
        raw["trial"],
        raw.get("position") or number,
    )


def _cpus(raw: Mapping[str, Any], name: str) -> tuple[int, ...]:
    try:
        return cpulist.parse(str(raw[name]))
    except VirtperfError as error:
        raise VirtperfError(f"{name}: {error.what}", way_out=error.way_out) from error


def _address(name: str, given: Any) -> str:
    try:
        return str(ipaddress.IPv4Address(str(given)))
    except ValueError as error:
        raise VirtperfError(f"{name} has no address", found=repr(given), way_out="an IPv4 address") from error


def _check(made: Setup) -> None:
    for name, value, low, high in (
        ("window_seconds", made.timing.window_s, 0.1, 300.0),
        ("warmup_seconds", made.timing.warmup_s, 0.0, 60.0),
        ("late_seconds", made.timing.late_s, 0.01, 60.0),
        ("their sum", made.timing.warmup_s + made.timing.window_s + made.timing.late_s, 0.1, _LONGEST_TRIAL_S),
        ("connections", made.connections, 1, 1000),
        ("poll_us", made.poll_us, 1, 1_000_000),
    ):
        if not low <= value <= high:
            raise VirtperfError(f"{name} cannot be {value:g}", way_out=f"from {low:g} to {high:g}")
    for what, names in (
        ("name", [guest.name for guest in made.guests]),
        ("VM", [guest.vm for guest in made.guests]),
        ("tap", made.taps),
        ("address", [nic.address for guest in made.guests for nic in guest.nics.values()]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise VirtperfError(f"two guests have the {what} {', '.join(twice)}", way_out="give each its own")
