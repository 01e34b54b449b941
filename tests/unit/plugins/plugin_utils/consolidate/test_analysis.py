# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies against the number of guests."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import (
    Consolidation,
    Point,
    lay_out_consolidations,
    rate_metric,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import MATTERS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import consolidate_factory as make


def consolidations(raws: list[dict[str, Any]], definition: dict[str, Any] | None = None) -> list[Consolidation]:
    """As the report gets them."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    hosts = sorted({raw["host"] for raw in raws}) or ["localhost"]
    return lay_out_consolidations(
        gather(records, wanted_cells({"consolidate": definition} if definition else {}, hosts))
    )


def point(found: Consolidation, policy: str, guests: int, workload: str) -> Point:
    """One of them."""
    (only,) = (
        point
        for curves in found.curves
        for point in curves.points
        if (point.cell.policy, point.cell.guests, point.cell.workload) == (policy, guests, workload)
    )
    return only


def test_ratios_to_the_baseline_with_as_many_guests() -> None:
    (found,) = consolidations(make.curves(scatter=0.02), make.definition())
    assert [curves.workload for curves in found.curves] == list(make.DEFAULT)
    assert len(found.cells) == 6 * 3 * 3
    for guests in (1, 2, 3):
        for workload in make.DEFAULT:
            sidecore = point(found, "sidecore", guests, workload)
            assert sidecore.rate is not None
            assert sidecore.rate.value == pytest.approx(1.3, rel=0.06)
            assert (sidecore.rate.verdict, sidecore.rate.pairs) == (MATTERS, 5)
            assert point(found, "baseline", guests, workload).rate is None
    poll = point(found, "sidecore_poll", 3, "tcp_rr")
    assert poll.latency is not None
    assert poll.latency.value == pytest.approx(0.5, rel=0.06)
    assert poll.per_cpu is not None
    assert point(found, "sidecore_poll", 3, "tcp_stream_64").latency is None


def test_the_numbers_of_a_cell() -> None:
    (found,) = consolidations(make.curves(scatter=0.0), make.definition())
    cell = point(found, "sidecore", 2, "tcp_stream_64").cell
    assert cell.rate is not None
    assert cell.rate.median == pytest.approx(600 * 1.3 * 0.75)
    assert cell.of_a_guest is not None
    assert cell.of_a_guest.low < cell.rate.median / 2 < cell.of_a_guest.high
    assert cell.per_cpu is not None
    assert cell.per_cpu.median == pytest.approx(cell.rate.median / 1.8)
    fairness = cell.metric("fairness")
    assert fairness is not None
    assert 0.9 < fairness.low <= fairness.high <= 1


def test_pairs_have_the_same_trial_number() -> None:
    asked = make.cells(guests=(2,), workloads=("tcp_rr",))
    raws = [raw for raw in make.curves(asked) if not (raw["cell"]["policy"] == "sidecore" and raw["trial"] < 3)]
    raws += [make.invalid(of=make.cell(), trial=trial) for trial in (1, 2)]
    (found,) = consolidations(raws, make.definition(asked))
    sidecore = point(found, "sidecore", 2, "tcp_rr")
    assert sidecore.rate is not None
    assert sidecore.rate.pairs == 3
    assert len(sidecore.cell.invalid) == 2
    assert sidecore.cell.reasons == ["trials 1, 2: guest2 started 1.31 s late"]


def test_lines_over_the_number_of_guests_whatever_the_order() -> None:
    asked = make.cells(guests=(3, 1, 2), workloads=("nginx",))
    (found,) = consolidations(make.curves(asked), make.definition(asked))
    (curves,) = found.curves
    assert [(one.cell.guests, one.cell.policy) for one in curves.points][:3] == [
        (1, "baseline"),
        (1, "sidecore"),
        (1, "sidecore_poll"),
    ]
    assert {policy: [one.cell.guests for one in points] for policy, points in curves.policies.items()} == {
        policy: [1, 2, 3] for policy in make.POLICIES
    }


def test_without_a_baseline_or_a_trial_there_is_no_ratio() -> None:
    (found,) = consolidations(make.curves(make.cells(policies=("sidecore",))))
    assert all(one.rate is None for curves in found.curves for one in curves.points)
    (found,) = consolidations([], make.definition())
    assert len(found.incomplete) == 54
    assert point(found, "sidecore", 1, "tcp_rr").cell.rate is None
    assert consolidations([]) == []


def test_what_a_stranger_is_counted_by() -> None:
    assert rate_metric("tcp_stream_9k") == rate_metric("my_maerts") == "total_mbps"
    assert rate_metric("redis") == "transactions_per_s"


def test_hosts_apart() -> None:
    asked = make.cells(workloads=("tcp_rr",))
    raws = [*make.curves(asked, host="a"), *make.curves(asked, host="b")]
    assert [(one.host, len(one.cells)) for one in consolidations(raws)] == [("a", 9), ("b", 9)]
