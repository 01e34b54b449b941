# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of the study ``knobs`` to boots and trials; what is wrong is found here, before a start."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.asked import Comparison, comparisons
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.boot import boot
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.description import describe
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.pack import pack
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.workloads import HOST, IPERF3, NETPERF, WORKLOADS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import (
    PlanError,
    number_in,
    seconds_in,
    truth_in,
)

# An interval needs two differences at least.
_FEWEST_PAIRS, _MOST_PAIRS = 2, 1000
# Seen in emulated guests: from one boot to the next, beside a trial's window and warm-up, and the playbook around it.
_BOOT_S = 75.0
_TRIAL_OVERHEAD_S = 0.7
_PLAYBOOK_S = 20.0
_IFNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
# Debian's package with the program of a workload.
_PACKAGES = {IPERF3: "iperf3", NETPERF: "netperf"}
_COUNTERS_PACKAGE = "bpftrace"
_GROUPS = {"dut": "clients", "peer": "servers"}
VARIABLES = (
    "knobs_names",
    "knobs_cross",
    "knobs_workloads",
    "knobs_pairs",
    "knobs_window_seconds",
    "knobs_warmup_seconds",
    "knobs_udp_pps",
    "knobs_counters",
    "knobs_second_sources",
    "knobs_seed",
    "knobs_dut",
    "knobs_peer",
    "knobs_bridge",
    "knobs_image_profile",
    "knobs_guest_vcpus",
    "knobs_dry_run",
)


def plan(variables: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """The whole study for one hypervisor.

    ``variables`` are all that begin with ``knobs_``; ``host`` is what M(virtperf.vhost.vhost_info) returns. Gives
    ``boots`` (their trials not yet in order), ``workloads`` (for M(virtperf.vhost.knobs_run)), ``definition`` (cells
    and settings, for the manifest), ``needs`` (of the host), ``lines`` and ``seconds``. Raises PlanError.
    """
    _check_known(variables)
    pairs = number_in(variables, "knobs_pairs", _FEWEST_PAIRS, _MOST_PAIRS)
    timing = {
        "window_seconds": seconds_in(variables, "knobs_window_seconds", 0.2, 600.0),
        "warmup_seconds": seconds_in(variables, "knobs_warmup_seconds", 0.0, 60.0),
    }
    udp_pps = number_in(variables, "knobs_udp_pps", 1, 100_000_000)
    counters = truth_in(variables, "knobs_counters")
    second_sources = truth_in(variables, "knobs_second_sources")
    if second_sources and not counters:
        raise PlanError(
            "knobs_second_sources cannot be true with knobs_counters false: bpftrace counts them."
            " Have both, or leave knobs_second_sources out."
        )
    vcpus = number_in(variables, "knobs_guest_vcpus", 1, 255)
    dut, peer = _guests(variables)
    _check_bridge(variables)
    asked = comparisons(variables, host)
    _check_queues(asked, vcpus)
    gone = [level for comparison in asked for level in comparison.gone]
    packed = pack(asked, pairs)
    if not packed:
        missing = "; ".join(f"{level.knob}={level.level} is {level.reason}" for level in gone)
        raise PlanError(
            f"knobs_names and knobs_cross leave nothing to compare{': ' if missing else ''}{missing}."
            f" Allowed: {', '.join(KNOBS)}"
        )
    boots = [boot(number, one, asked, dut, peer) for number, one in enumerate(packed, start=1)]
    measured = [comparison for comparison in asked if len(comparison.levels) > 1]
    used = [name for name in WORKLOADS if any(name in comparison.workloads for comparison in measured)]
    seconds = _seconds(boots, sum(timing.values()))
    apart = [one.knob for one in measured if len({p for k, p in _halves(boots) if k == one.knob}) > 1]
    specs = {name: WORKLOADS[name].spec(udp_pps) for name in used}
    return {
        "boots": boots,
        "workloads": specs,
        "definition": {
            "cells": [cell for comparison in measured for cell in comparison.cells()],
            "skipped": [skip for comparison in asked for skip in comparison.skipped()],
            "trials": pairs,
            "baselines": {comparison.knob: comparison.baseline for comparison in measured},
            "workloads": specs,
            "gone": [level.as_dict() for level in gone],
            "apart": apart,
            "udp_pps": udp_pps,
            "counters": counters,
            "second_sources": second_sources,
            "guest_vcpus": vcpus,
            "seed": str(variables["knobs_seed"]).strip(),
            **timing,
        },
        "needs": {"modules": [{"name": "vhost_net"}], "guests": True, "packages": _packages(used, counters)},
        "lines": describe(boots, gone, apart, seconds),
        "seconds": round(seconds, 1),
    }


def _halves(boots: Sequence[Mapping[str, Any]]) -> set[tuple[str, int]]:
    """Each knob with the boots that have trials of it."""
    return {(trial["cell"]["knob"], one["number"]) for one in boots for trial in one["trials"]}


def _guests(variables: Mapping[str, Any]) -> tuple[str, str]:
    """The guest whose NIC is varied, and the other one."""
    names = {end: str(variables[f"knobs_{end}"]).strip() for end in _GROUPS}
    for end, group in _GROUPS.items():
        if not names[end]:
            raise PlanError(
                f"knobs_{end}: this hypervisor has no guest of the group {group}. Allowed: an inventory of the plugin"
                f" lab with a guest of roles: [{group.rstrip('s')}]; inventories/sandbox has one"
            )
    if names["dut"] == names["peer"]:
        raise PlanError(f"knobs_peer cannot be {names['peer']!r} as well. Allowed: another guest than knobs_dut")
    return names["dut"], names["peer"]


def _check_bridge(variables: Mapping[str, Any]) -> None:
    name = str(variables["knobs_bridge"])
    if not _IFNAME.fullmatch(name):
        raise PlanError(
            f"knobs_bridge cannot be {variables['knobs_bridge']!r}."
            " Allowed: a name of up to 15 letters, digits, '-', '_' and '.'"
        )


def _check_queues(asked: Sequence[Comparison], vcpus: int) -> None:
    """The guest's driver has no more pairs of queues than it has CPUs."""
    most = max((int(s["queues"]) for comparison in asked for s in comparison.levels.values()), default=1)
    if most > vcpus:
        raise PlanError(f"knobs_guest_vcpus cannot be {vcpus} with queues={most}. Allowed: {most} and more")


def _packages(used: Sequence[str], counters: bool) -> list[str]:
    """What the hypervisor needs for its own end of the traffic, and to count."""
    kinds = [WORKLOADS[name].kind for name in used if HOST in (WORKLOADS[name].source, WORKLOADS[name].target)]
    packages = [package for kind, package in _PACKAGES.items() if kind in kinds]
    return packages + ([_COUNTERS_PACKAGE] if counters else [])


def _seconds(boots: Sequence[Mapping[str, Any]], window_s: float) -> float:
    trials = sum(len(one["trials"]) for one in boots)
    return len(boots) * _BOOT_S + trials * (window_s + _TRIAL_OVERHEAD_S) + _PLAYBOOK_S


def _check_known(variables: Mapping[str, Any]) -> None:
    unknown = sorted(set(variables) - set(VARIABLES))
    if unknown:
        raise PlanError(f"the study knobs has no {', '.join(unknown)}. Its variables: {', '.join(VARIABLES)}")
    missing = sorted(set(VARIABLES) - set(variables))
    if missing:
        raise PlanError(f"{', '.join(missing)}: not set. The role knobs has defaults for them")
