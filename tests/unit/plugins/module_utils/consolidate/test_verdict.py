# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limited a trial."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.verdict import Evidence, judge


@pytest.mark.parametrize(
    ("evidence", "limit", "words"),
    [
        ({"dedicated": True, "io_busy": (0.97, 1)}, "io-cpu", "0.97 of 1 I/O cores were busy"),
        # Of a baseline a busy CPU of the I/O cores says no more than any other.
        ({"dedicated": False, "io_busy": (0.97, 1), "vm_busy": (0.2, 1)}, "undetermined", "0.97 of 1 I/O cores"),
        ({"ran": {"worker": {"a/worker0": 0.99}}}, "worker-cpu", "a/worker0 ran for 99% of the time"),
        ({"ran": {"vcpu": {"a/vcpu0": 0.96, "b/vcpu0": 0.4}}}, "vcpu-cpu", "a/vcpu0 ran for 96%"),
        (
            {"ran": {"vcpu": {"a/vcpu0": 0.5}}, "waited": {"vcpu": {"a/vcpu0": 0.47}}},
            "cpu-contention",
            "ran for 50% of the time and waited for a CPU for 47%",
        ),
        ({"io_busy": (0.99, 1), "vm_busy": (0.99, 1)}, "cpu-contention", "all VM cores and I/O cores were busy"),
        ({"one_at_a_time": True, "ran": {"vcpu": {"a/vcpu0": 0.4}}}, "latency", "busiest vcpu ran for 40%"),
        ({}, "undetermined", "nothing was read that could tell"),
    ],
)
def test_causes_come_first(evidence: dict[str, Any], limit: str, words: str) -> None:
    found = judge(Evidence(**evidence))
    assert found["limit"] == limit
    assert words in found["evidence"]


def test_all_signs_are_told() -> None:
    found = judge(
        Evidence(dedicated=True, one_at_a_time=True, io_busy=(1.0, 1), ran={"worker": {"a/worker0": 1.0}, "vcpu": {}})
    )
    assert found["signs"] == ["io-cpu", "worker-cpu"]
