# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workload is about, and why a metric is missing."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import (
    BESIDE,
    FURTHER,
    METRICS,
    NOT_KNOWN,
    absent,
    primary,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.tests.unit import knobs_factory as make


@pytest.mark.parametrize(
    ("workload", "metric"),
    [
        ("tcp_out_64k", "received_mbps"),
        ("tcp_from_host_64", "received_mbps"),
        ("udp_out", "received_pps"),
        ("udp_to_host", "received_pps"),
        ("tcp_rr", "transactions_per_s"),
        ("udp_rr_host", "transactions_per_s"),
        ("a stranger", "received_mbps"),
    ],
)
def test_what_a_workload_is_about(workload: str, metric: str) -> None:
    assert primary(workload) == metric


def test_no_metric_is_shown_twice() -> None:
    assert not set(BESIDE) & set(FURTHER)
    assert {*BESIDE, *FURTHER} < set(METRICS)


def test_a_metric_s_own_reason_comes_before_that_of_its_counter() -> None:
    metric = METRICS["tx_kicks_per_packet"]
    assert absent(Record(make.record(), 1), metric) == ""
    missing = {metric.name: None}
    reasons = {"ethtool": "the driver tells no kicks"}
    assert absent(Record(make.record(metrics=missing, absent=reasons), 1), metric) == "the driver tells no kicks"
    reasons[metric.name] = "no packet went that way"
    assert absent(Record(make.record(metrics=missing, absent=reasons), 1), metric) == "no packet went that way"
    assert absent(Record(make.record(metrics=missing), 1), metric) == NOT_KNOWN
    assert absent(Record(make.record(metrics=missing, counters=None), 1), metric) == NOT_KNOWN


def test_cpu_that_nobody_counted() -> None:
    assert METRICS["cpu"].read(Record(make.record(cpu={}), 1)) is None
    assert METRICS["cpu"].read(Record(make.record(cpu={"vcpu": None}), 1)) is None
    assert METRICS["cpu"].read(Record(make.record(cpu={"vcpu": 1.5, "worker": None}), 1)) == 1.5
