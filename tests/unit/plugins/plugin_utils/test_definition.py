# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of a lab have in common, and what each has of its own."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.definition import merge
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError


def definition(*queues: int, **more: Any) -> dict[str, Any]:
    """A host's definition with a cell for each number of queues."""
    of_the_host = {
        "vswitch_cpus": [],
        "far_end_cpus": [],
        "hugepage_size": "2M",
        "memory_mib": 128,
        "guest_memory_mib": 1024,
        "guest_cpu": "",
        "guest_accel": "auto",
        "guest_ready_seconds": 90.0,
    }
    return {
        "cells": [{"driver": "virtio_user_split", "queues": number, "packet_size": 64} for number in queues],
        "factors": {"queues": list(queues)},
        "trials": 3,
        "allow_overlap": False,
        **of_the_host,
        **more,
    }


def test_one_host_keeps_its_definition() -> None:
    assert merge({"a": definition(1, 2)}) == definition(1, 2)


def test_equal_hosts_share_one() -> None:
    assert merge({"a": definition(1, 2), "b": definition(1, 2)}) == definition(1, 2)


def test_a_cell_that_a_host_does_not_ask_for_is_skipped_there_only() -> None:
    merged = merge({"a": definition(1, 2), "b": definition(1)})
    assert merged["cells"] == definition(1, 2)["cells"]
    assert [(entry["host"], entry["cell"]["queues"]) for entry in merged["skipped"]] == [("b", 2)]
    assert merged["factors"] == {"a": {"queues": [1, 2]}, "b": {"queues": [1]}}


def test_cells_of_a_later_host_come_after_those_of_the_first() -> None:
    merged = merge({"a": definition(1), "b": definition(1, 4)})
    assert [cell["queues"] for cell in merged["cells"]] == [1, 4]
    assert [(entry["host"], entry["cell"]["queues"]) for entry in merged["skipped"]] == [("a", 4)]


def test_hosts_with_cpus_of_their_own_are_no_contradiction() -> None:
    merged = merge({"a": definition(1, vswitch_cpus=[2]), "b": definition(1, vswitch_cpus=[8], guest_accel="kvm")})
    assert merged["vswitch_cpus"] == {"a": [2], "b": [8]}
    assert merged["guest_accel"] == {"a": "auto", "b": "kvm"}


def test_trials_that_differ_are_refused_with_both_values() -> None:
    with pytest.raises(PlanError, match="reflect_trials is 3 on a and 5 on b"):
        merge({"a": definition(1), "b": definition(1, trials=5)})


def test_the_other_study_says_what_may_differ_itself() -> None:
    phases = {"iperf3": [{"name": "baseline"}]}
    here = {"cells": [{"phase": "baseline"}], "trials": 3, "phases": phases}
    assert merge({"a": here, "b": here}, "throttle", ("cells", "phases")) == here
    merged = merge({"a": here, "b": {**here, "phases": {"vnc": []}}}, "throttle", ("cells", "phases"))
    assert merged["phases"] == {"a": phases, "b": {"vnc": []}}
    with pytest.raises(PlanError, match="throttle_trials is 3 on a and 5 on b"):
        merge({"a": here, "b": {**here, "trials": 5}}, "throttle", ("cells", "phases"))
