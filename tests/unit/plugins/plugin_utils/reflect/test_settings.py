# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One value each, checked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.plan import plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.settings import page_size_kib
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    DEFAULTS,
    host,
    planned,
    refusal,
)


def test_an_unknown_variable_gets_the_list_of_those_there_are() -> None:
    message = refusal(reflect_colour="red", reflect_packet_size=64)
    assert message.startswith("the study reflect has no reflect_colour, reflect_packet_size. Its variables: ")
    assert set(message.partition("variables: ")[2].split(", ")) == set(DEFAULTS)


def test_a_variable_that_is_not_set() -> None:
    given = {name: value for name, value in DEFAULTS.items() if name != "reflect_mbufs"}
    with pytest.raises(PlanError, match="reflect_mbufs: not set"):
        plan(given, host())


@pytest.mark.parametrize(
    ("variable", "raw", "allowed"),
    [
        ("reflect_trials", 0, "1 to 1000"),
        ("reflect_trials", "three", "1 to 1000"),
        ("reflect_trials", "9" * 5000, "1 to 1000"),
        ("reflect_mbufs", 1023, "1024 to 4194304"),
        ("reflect_memory_mib", 63, "64 to 262144"),
        ("reflect_allow_overlap", "perhaps", "true, false"),
        ("reflect_reference", "perhaps", "true, false"),
        ("reflect_dry_run", "", "true, false"),
        ("reflect_guest_memory_mib", 255, "256 to 1048576"),
        ("reflect_guest_accel", "hvf", "auto, kvm, tcg"),
        ("reflect_guest_ready_seconds", 0, "seconds from 1.0 to 3600.0"),
        ("reflect_trial_seconds", 0, "seconds from 0.05 to 600.0"),
        ("reflect_trial_seconds", "nan", "seconds from 0.05 to 600.0"),
        ("reflect_trial_seconds", "inf", "seconds from 0.05 to 600.0"),
        ("reflect_trial_seconds", 10**400, "seconds from 0.05 to 600.0"),
        ("reflect_warmup_seconds", -0.1, "seconds from 0.0 to 600.0"),
        ("reflect_warmup_seconds", None, "seconds from 0.0 to 600.0"),
        ("reflect_sample_seconds", 601, "seconds from 0.0 to 600.0"),
        ("reflect_sample_seconds", 1e-9, "0 for no samples, or seconds from 0.01 to 600.0"),
        ("reflect_vswitch_cpus", "0-1", "CPU numbers, each once; empty to have them chosen"),
        ("reflect_vswitch_cpus", [1, 1], "CPU numbers, each once; empty to have them chosen"),
        ("reflect_far_end_cpus", None, "CPU numbers, each once; empty to have them chosen"),
        ("reflect_far_end_cpus", [-1], "CPU numbers, each once; empty to have them chosen"),
        ("reflect_far_end_cpus", [True], "CPU numbers, each once; empty to have them chosen"),
    ],
)
def test_the_impossible_is_named_with_what_is_allowed(variable: str, raw: Any, allowed: str) -> None:
    message = refusal(**{variable: raw})
    assert message.startswith(f"{variable} cannot be {raw!r}")
    assert message.endswith(f"Allowed: {allowed}")


def test_a_trial_with_its_warm_up_ends_before_the_lock_counts_as_abandoned() -> None:
    assert planned(reflect_trial_seconds=400, reflect_warmup_seconds=200)
    message = refusal(reflect_trial_seconds=400, reflect_warmup_seconds="200.5")
    assert message == (
        "reflect_trial_seconds=400.0 and reflect_warmup_seconds=200.5 make too long a trial."
        " Allowed: up to 600.0 seconds together"
    )


def test_numbers_from_a_command_line() -> None:
    definition = planned(
        reflect_trials="5", reflect_trial_seconds="0.5", reflect_allow_overlap="yes", reflect_vswitch_cpus="2,3"
    )["definition"]
    assert (definition["trials"], definition["trial_seconds"], definition["allow_overlap"]) == (5, 0.5, True)
    assert definition["vswitch_cpus"] == [2, 3]


@pytest.mark.parametrize(
    ("text", "kib"), [("2M", 2048), ("2MiB", 2048), ("2MB", 2048), ("2048kB", 2048), ("64K", 64), ("1G", 1 << 20)]
)
def test_page_sizes(text: str, kib: int) -> None:
    assert page_size_kib(text) == kib


@pytest.mark.parametrize("text", ["", "M", "0M", "2", "2X", "2MGk", "-2M", "²M", "2.5M", "9" * 5000 + "M", "None"])
def test_no_page_sizes(text: str) -> None:
    message = refusal(reflect_hugepage_size=text)
    assert message.startswith(f"reflect_hugepage_size cannot be {text!r}. Allowed: a size the host has")
