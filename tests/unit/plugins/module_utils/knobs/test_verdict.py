# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limited a trial."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.metrics import Figures
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.verdict import judge
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import raw

THREADS = [
    *raw()["threads"],
    {"label": "dut/emulator", "role": "emulator", "pid": 4711, "tid": 4711},
]


def judged(workload: str = "tcp_out", cores: dict[str, float] | None = None, **metrics: Any) -> dict[str, Any]:
    made = setup(raw(threads=THREADS))
    found = Figures({"received_pps": 1000.0, **metrics}, cores=cores or {}, counters={"seconds": {"host": 2.0}})
    return judge(made, made.workloads[workload], found)


@pytest.mark.parametrize(
    ("label", "limit"),
    [
        ("dut/worker0", "worker-cpu"),
        ("dut/vcpu0", "vcpu-cpu"),
        ("dut/emulator", "emulator-cpu"),
        ("peer/vcpu0", "receiver"),
    ],
)
def test_a_thread_without_time_left(label: str, limit: str) -> None:
    found = judged(cores={"dut/vcpu0": 0.5, label: 0.97})
    assert found["limit"] == limit
    assert found["evidence"] == f"{label} ran for 97% of the time"


def test_the_worker_explains_the_others() -> None:
    found = judged(cores={"dut/vcpu0": 0.99, "dut/worker0": 0.95}, tap_drops=500)
    assert found["signs"] == ["worker-cpu", "vcpu-cpu", "tap-queue-drop"]
    assert found["limit"] == "worker-cpu"


def test_drops() -> None:
    assert judged(tap_drops=50)["limit"] == "tap-queue-drop"
    assert judged(tap_drops=1)["limit"] == "undetermined", "one in two thousand"


def test_a_pace_that_was_kept() -> None:
    assert judged("udp_out", {"dut/vcpu0": 0.99}, sent_pps=9900.0)["limit"] == "offered-rate"
    assert judged("udp_out", {"dut/vcpu0": 0.99}, sent_pps=5000.0)["limit"] == "vcpu-cpu"


def test_requests_wait_for_answers() -> None:
    assert judged("tcp_rr", latency_p50_us=150.0)["limit"] == "latency"
    assert judged("tcp_rr", {"dut/worker0": 0.99}, latency_p50_us=150.0)["signs"] == ["worker-cpu", "latency"]


def test_nothing_stands_out() -> None:
    found = judged(cores={"dut/vcpu0": 0.5}, tap_drops=0)
    assert (found["limit"], found["signs"]) == ("undetermined", [])
    assert found["evidence"] == "the busiest vcpu ran for 50% of the time; no tap dropped anything"
    assert judged()["evidence"] == "nothing was seen that could tell"
