# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the study ``reflect`` that are no factors: one value each, for all cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import parse_size
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.factors import FACTORS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import (
    PlanError,
    choice_in,
    cpus_in,
    number_in,
    seconds_in,
    truth_in,
)

SETTINGS = (
    "reflect_trials",
    "reflect_trial_seconds",
    "reflect_warmup_seconds",
    "reflect_sample_seconds",
    "reflect_vswitch_cpus",
    "reflect_far_end_cpus",
    "reflect_allow_overlap",
    "reflect_mbufs",
    "reflect_memory_mib",
    "reflect_hugepage_size",
    "reflect_guest_memory_mib",
    "reflect_guest_cpu",
    "reflect_guest_accel",
    "reflect_guest_ready_seconds",
    "reflect_reference",
    "reflect_dry_run",
)
ACCELERATORS = ("auto", "kvm", "tcg")
# The module reflect_run has the same limits, and says why.
_LONGEST_TRIAL_S = 600.0
_SHORTEST_SAMPLE_S = 0.01
_LONGEST_BOOT_S = 3600.0


def check_names(variables: Mapping[str, Any]) -> None:
    """PlanError for a variable that the study does not have, and for one that is not set."""
    known = {*FACTORS, *SETTINGS}
    unknown = sorted(set(variables) - known)
    if unknown:
        raise PlanError(f"the study reflect has no {', '.join(unknown)}. Its variables: {', '.join(sorted(known))}")
    missing = sorted(known - set(variables))
    if missing:
        raise PlanError(f"{', '.join(missing)}: not set. The role reflect has defaults for them")


def read_settings(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What decides how trials are taken, by the names that a definition has; PlanError.

    ``reflect_reference`` and ``reflect_dry_run`` are not among them: no trial depends on what is shown.
    """
    for shown in ("reflect_reference", "reflect_dry_run"):
        truth_in(variables, shown)
    trial_s = seconds_in(variables, "reflect_trial_seconds", 0.05, _LONGEST_TRIAL_S)
    warmup_s = seconds_in(variables, "reflect_warmup_seconds", 0.0, _LONGEST_TRIAL_S)
    sample_s = seconds_in(variables, "reflect_sample_seconds", 0.0, _LONGEST_TRIAL_S)
    if trial_s + warmup_s > _LONGEST_TRIAL_S:
        raise PlanError(
            f"reflect_trial_seconds={trial_s} and reflect_warmup_seconds={warmup_s} make too long a trial."
            f" Allowed: up to {_LONGEST_TRIAL_S} seconds together"
        )
    if 0 < sample_s < _SHORTEST_SAMPLE_S:
        raise PlanError(
            f"reflect_sample_seconds cannot be {sample_s}. Allowed: 0 for no samples, or seconds from"
            f" {_SHORTEST_SAMPLE_S} to {_LONGEST_TRIAL_S}"
        )
    page_size_kib(variables["reflect_hugepage_size"])
    return {
        "trials": number_in(variables, "reflect_trials", 1, 1000),
        "trial_seconds": trial_s,
        "warmup_seconds": warmup_s,
        "sample_seconds": sample_s,
        "mbufs": number_in(variables, "reflect_mbufs", 1024, 1 << 22),
        "memory_mib": number_in(variables, "reflect_memory_mib", 64, 1 << 18),
        "hugepage_size": str(variables["reflect_hugepage_size"]),
        "vswitch_cpus": cpus_in(variables, "reflect_vswitch_cpus"),
        "far_end_cpus": cpus_in(variables, "reflect_far_end_cpus"),
        "allow_overlap": truth_in(variables, "reflect_allow_overlap"),
        "guest_memory_mib": number_in(variables, "reflect_guest_memory_mib", 256, 1 << 20),
        "guest_cpu": str(variables["reflect_guest_cpu"] or "").strip(),
        "guest_accel": choice_in(variables, "reflect_guest_accel", ACCELERATORS),
        "guest_ready_seconds": seconds_in(variables, "reflect_guest_ready_seconds", 1.0, _LONGEST_BOOT_S),
    }


def page_size_kib(raw: Any) -> int:
    """The KiB in a page size such as 2M, 2MiB, 1G or 2048kB."""
    try:
        return parse_size(str(raw))
    except VirtperfError as error:
        raise PlanError(
            f"reflect_hugepage_size cannot be {raw!r}. Allowed: a size the host has, such as 2M or 1G"
        ) from error
