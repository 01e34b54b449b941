# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all guests did together."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.metrics import GuestFigures, fairness, metrics

BUSY = {"io": 0.9, "vm": 1.5, "load": 1.5}
CPU = {"worker": 0.5, "vcpu": 1.25, "emulator": 0.25}


def test_jains_index() -> None:
    assert fairness([5.0, 5.0, 5.0]) == pytest.approx(1.0)
    assert fairness([9.0, 0.0, 0.0]) == pytest.approx(1 / 3)
    assert fairness([1.0, 2.0]) == pytest.approx(0.9)
    assert fairness([0.0, 0.0]) is None
    assert fairness([]) is None


def test_requests() -> None:
    found = metrics(
        [
            GuestFigures("a", transactions_per_s=100.0, latency_p50_us=10.0, latency_p99_us=50.0),
            GuestFigures("b", transactions_per_s=300.0, latency_p50_us=20.0, latency_p99_us=40.0),
        ],
        CPU,
        BUSY,
    )
    assert found["transactions_per_s"] == 400.0
    assert found["transactions_per_cpu"] == 200.0
    assert found["fairness"] == 0.8
    assert (found["latency_p50_us"], found["latency_p99_us"]) == (15.0, 50.0)
    assert found["io_cpu"] == 0.9
    assert found["total_mbps"] is None
    assert found["mbps_per_cpu"] is None


def test_streams() -> None:
    found = metrics([GuestFigures("a", mbps=500.0), GuestFigures("b", mbps=500.0)], CPU, BUSY)
    assert (found["total_mbps"], found["mbps_per_cpu"], found["fairness"]) == (1000.0, 500.0, 1.0)
    assert found["latency_p50_us"] is None


def test_what_one_guest_does_not_tell_nobody_knows_of_all() -> None:
    found = metrics([GuestFigures("a", transactions_per_s=100.0, latency_p50_us=9.0), GuestFigures("b")], CPU, BUSY)
    assert set(found.values()) == {None, 0.9, 1.5}
    assert metrics([GuestFigures("a", mbps=5.0)], {**CPU, "vcpu": None}, BUSY)["mbps_per_cpu"] is None
