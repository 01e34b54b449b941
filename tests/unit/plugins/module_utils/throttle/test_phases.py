# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Phases and quotas: what the kernel would refuse is refused before, with the way out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import check_cpu_max
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import (
    ladder,
    parse,
    quota_for,
)


def test_the_ladder_of_the_study() -> None:
    steps = ladder([50, 20, 10, 5, 1, 0.1], 8)
    assert [(step.name, str(step.cpu_max), step.ladder_percent, step.seconds) for step in steps] == [
        ("50%", "50000 100000", 50, 8),
        ("20%", "20000 100000", 20, 8),
        ("10%", "10000 100000", 10, 8),
        ("5%", "5000 100000", 5, 8),
        ("1%", "1000 100000", 1, 8),
        ("0.1%", "1000 1000000", 0.1, 8),
    ]


@given(st.floats(0.1, 100_000))
def test_any_share_is_one_that_the_kernel_takes(percent: float) -> None:
    limit = quota_for(percent)
    check_cpu_max(limit)
    assert limit.cpus == pytest.approx(percent / 100, rel=0.001)


@pytest.mark.parametrize("percent", [0.0999, 0, -1, 100_001, "many", None, True, float("nan")])
def test_shares_that_cannot_be(percent: Any) -> None:
    with pytest.raises(VirtperfError, match="% of a CPU cannot be"):
        quota_for(percent)


def test_phases_of_a_playbook() -> None:
    phases = parse([{"name": "baseline"}, {"name": "throttled", "cpu_max": "1000 1000000", "seconds": 4}], 10)
    assert [(phase.name, str(phase.cpu_max), phase.seconds) for phase in phases] == [
        ("baseline", "max 100000", 10),
        ("throttled", "1000 1000000", 4),
    ]
    assert parse([phase.as_dict() for phase in phases]) == phases
    assert phases[0].cpu_max.cpus is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "a timeline needs a phase"),
        ([{"name": "a", "seconds": 1}] * 2, "more than one phase is called a"),
        (["baseline"], "phase 1 is no phase"),
        ([{"name": "a", "seconds": 1, "quota": 5}], "phase 1 is no phase"),
        ([{"name": " ", "seconds": 1}], "phase 1 has no name"),
        ([{"name": "a\n", "seconds": 1}, {"name": "b\tc", "seconds": 1}], "phase 2 has no name"),
        ([{"name": "a"}], "phase a cannot last None seconds"),
        ([{"name": "a", "seconds": 0.5}], "phase a cannot last 0.5 seconds"),
        ([{"name": "a", "seconds": "inf"}], "phase a cannot last 'inf' seconds"),
        (
            [{"name": "a", "seconds": 1, "cpu_max": "1 2"}],
            "phase a: cpu_max '1 2': the quota is below",
        ),
    ],
)
def test_phases_that_cannot_be(raw: list[Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        parse(raw)
