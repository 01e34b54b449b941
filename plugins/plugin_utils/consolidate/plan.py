# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the study ``consolidate`` to trials; what is wrong is found here, before a start."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import POLICIES, Partition
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import WORKLOADS, packages
from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import render
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.request import group
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.members import (
    ADDRESSES,
    MOST,
    members,
    network,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.partition import divide
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import (
    PlanError,
    integer,
    number_in,
    seconds_in,
    truth_in,
)

# Seen in emulated guests: the time between two trials, that until all guests answer, and the playbook around it.
_BETWEEN_S = 1.0
_BOOT_S = 60.0
_A_GUEST_S = 15.0
_PLAYBOOK_S = 30.0
# The module consolidate_run has the same limit.
_LONGEST_TRIAL_S = 600.0
_IFNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_SIZE = re.compile(r"[1-9]\d{0,6}\s*(?:MiB|GiB)")
VARIABLES = (
    "consolidate_guest_counts",
    "consolidate_policies",
    "consolidate_workloads",
    "consolidate_trials",
    "consolidate_window_seconds",
    "consolidate_warmup_seconds",
    "consolidate_late_seconds",
    "consolidate_seed",
    "consolidate_vm_cpus",
    "consolidate_io_cpus",
    "consolidate_load_cpus",
    "consolidate_poll_us",
    "consolidate_connections",
    "consolidate_guests",
    "consolidate_guest_vcpus",
    "consolidate_guest_memory",
    "consolidate_bridge",
    "consolidate_cgroup",
    "consolidate_image_profile",
    "consolidate_dry_run",
)


def plan(variables: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """The whole study for one hypervisor.

    ``variables`` are all that begin with ``consolidate_``; ``host`` is what M(virtperf.vhost.vhost_info) returns. Gives
    ``trials`` (not yet in order), ``run`` (the arguments of M(virtperf.vhost.consolidate_run) that depend on no VM),
    ``guests`` and their ``taps``, ``definition`` (cells and settings, for the manifest), ``needs`` (of the host),
    ``lines`` and ``seconds``. Raises PlanError.
    """
    _check_known(variables)
    names = _guests(variables)
    counts = _counts(variables, names)
    policies = _levels(variables, "consolidate_policies", list(POLICIES))
    workloads = _levels(variables, "consolidate_workloads", list(WORKLOADS))
    number = number_in(variables, "consolidate_trials", 1, 1000)
    timing = _timing(variables)
    partition = divide(variables, host["cpus"])
    poll_us = number_in(variables, "consolidate_poll_us", 1, 1_000_000)
    connections = number_in(variables, "consolidate_connections", 1, 1000)
    vcpus = number_in(variables, "consolidate_guest_vcpus", 1, 64)
    took_part = members(names[: max(counts)], poll_us)
    cells = [
        {"policy": policy, "guests": count, "workload": workload}
        for workload in workloads
        for count in counts
        for policy in policies
    ]
    seconds = _seconds(len(cells) * number, timing, len(took_part))
    return {
        "guests": [member.name for member in took_part],
        "taps": {member.name: member.taps for member in took_part},
        "nics": {member.name: member.nics for member in took_part},
        "trials": [{"cell": cell, "trial": one} for one in range(1, number + 1) for cell in cells],
        "run": {
            **partition.as_dict(),
            "addresses": dict(ADDRESSES),
            "cgroup": _cgroup(variables),
            "connections": connections,
            "poll_us": poll_us,
            **timing,
        },
        "definition": {
            "cells": cells,
            "trials": number,
            "policies": policies,
            "guest_counts": counts,
            "workloads": workloads,
            "partition": partition.as_dict(),
            "guest_vcpus": vcpus,
            "guest_memory": _memory(variables),
            "connections": connections,
            "poll_us": poll_us,
            "seed": str(variables["consolidate_seed"]).strip(),
            **timing,
        },
        "needs": {
            "modules": [{"name": "vhost_net"}],
            "packages": packages(workloads),
            "guests": True,
            "bridges": [network(_bridge(variables), took_part)],
        },
        "lines": _describe(partition, counts, policies, workloads, number, seconds),
        "seconds": round(seconds, 1),
    }


def _guests(variables: Mapping[str, Any]) -> list[str]:
    raw = variables["consolidate_guests"]
    names = [str(name).strip() for name in raw] if isinstance(raw, (list, tuple)) else []
    if not names:
        raise PlanError(
            "consolidate_guests: this hypervisor has no guests. Allowed: an inventory of the plugin lab with guests;"
            " inventories/sandbox has some"
        )
    if len(set(names)) != len(names) or not all(names):
        raise PlanError(f"consolidate_guests cannot be {raw!r}. Allowed: names of guests, each once")
    return names


def _counts(variables: Mapping[str, Any], names: Sequence[str]) -> list[int]:
    raw = variables["consolidate_guest_counts"]
    values = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, (list, tuple)) else [raw]
    counts = [integer(value) for value in values]
    if not counts or len(set(counts)) != len(counts) or not all(counts):
        raise PlanError(f"consolidate_guest_counts cannot be {raw!r}. Allowed: numbers of guests from 1 on, each once")
    known = sorted(count for count in counts if count is not None)
    most = min(len(names), MOST)
    if known[-1] > most:
        raise PlanError(
            f"consolidate_guest_counts asks for {known[-1]} guests, and this hypervisor has {len(names)}:"
            f" {', '.join(names)}. Allowed: up to {most}, or more guests in the inventory"
        )
    return known


def _levels(variables: Mapping[str, Any], name: str, choices: Sequence[str]) -> list[str]:
    raw = variables[name]
    values = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, (list, tuple)) else [raw]
    levels = [str(value).strip() for value in values]
    if not levels or len(set(levels)) != len(levels) or not set(levels) <= set(choices):
        raise PlanError(f"{name} cannot be {raw!r}. Allowed: {', '.join(choices)}, each once")
    return levels


def _timing(variables: Mapping[str, Any]) -> dict[str, float]:
    timing = {
        "window_seconds": seconds_in(variables, "consolidate_window_seconds", 0.1, 300.0),
        "warmup_seconds": seconds_in(variables, "consolidate_warmup_seconds", 0.0, 60.0),
        "late_seconds": seconds_in(variables, "consolidate_late_seconds", 0.01, 60.0),
    }
    if sum(timing.values()) > _LONGEST_TRIAL_S:
        raise PlanError(
            f"consolidate_window_seconds, consolidate_warmup_seconds and consolidate_late_seconds are"
            f" {sum(timing.values()):g} s together. Allowed: up to {_LONGEST_TRIAL_S:g}"
        )
    return timing


def _memory(variables: Mapping[str, Any]) -> str:
    raw = variables["consolidate_guest_memory"]
    size = str(raw).strip()
    if not _SIZE.fullmatch(size):
        raise PlanError(f"consolidate_guest_memory cannot be {raw!r}. Allowed: a size such as 768MiB")
    return size


def _bridge(variables: Mapping[str, Any]) -> str:
    name = str(variables["consolidate_bridge"])
    if not _IFNAME.fullmatch(name):
        raise PlanError(
            f"consolidate_bridge cannot be {variables['consolidate_bridge']!r}."
            " Allowed: a name of up to 15 letters, digits, '-', '_' and '.'"
        )
    return name


def _cgroup(variables: Mapping[str, Any]) -> str:
    try:
        return group(str(variables["consolidate_cgroup"])).strip("/")
    except VirtperfError as error:
        raise PlanError(f"consolidate_cgroup: {error}") from error


def _check_known(variables: Mapping[str, Any]) -> None:
    unknown = sorted(set(variables) - set(VARIABLES))
    if unknown:
        raise PlanError(f"the study consolidate has no {', '.join(unknown)}. Its variables: {', '.join(VARIABLES)}")
    missing = sorted(set(VARIABLES) - set(variables))
    if missing:
        raise PlanError(f"{', '.join(missing)}: not set. The role consolidate has defaults for them")
    truth_in(variables, "consolidate_dry_run")


def _seconds(trials: int, timing: Mapping[str, float], guests: int) -> float:
    return trials * (math.ceil(sum(timing.values())) + _BETWEEN_S) + _BOOT_S + guests * _A_GUEST_S + _PLAYBOOK_S


def _describe(
    partition: Partition,
    counts: Sequence[int],
    policies: Sequence[str],
    workloads: Sequence[str],
    number: int,
    seconds: float,
) -> list[str]:
    trials = len(counts) * len(policies) * len(workloads) * number
    cores = f"VM cores {render(partition.vm_cpus)}, I/O cores {render(partition.io_cpus)}"
    return [
        f"{cores}, what makes the traffic on {render(partition.load_cpus)}",
        f"guests: {', '.join(map(str, counts))}; policies: {', '.join(policies)}",
        f"workloads: {', '.join(workloads)}",
        f"{trials // number} cells, {trials} trials, about {seconds:.0f} s",
    ]
