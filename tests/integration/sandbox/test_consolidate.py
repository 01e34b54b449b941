# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study consolidate on real guests: who runs where, and what each guest did."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import a_run
import pytest

pytestmark = pytest.mark.long

RUN = "consolidate-test"
COUNTS = [1, 2]
POLICIES = ["baseline", "sidecore", "sidecore_poll"]
WORKLOADS = ["tcp_rr", "nginx"]
LATE_S = 0.8
STUDY = {
    "studies": ["consolidate"],
    "run_id": RUN,
    "consolidate_guest_counts": COUNTS,
    "consolidate_policies": POLICIES,
    "consolidate_workloads": WORKLOADS,
    "consolidate_trials": 1,
    "consolidate_window_seconds": 1,
    "consolidate_warmup_seconds": 0.2,
    "consolidate_late_seconds": LATE_S,
}
# Those of the sandbox's inventory.
PARTITION = {"vm_cpus": "1", "io_cpus": "2", "load_cpus": "0"}
GUESTS = ["server", "client"]

Record = dict[str, Any]


def test_guests_in_step_with_workers_where_the_policy_wants_them(tmp_path: Path, sandbox: float) -> None:
    with a_run.forgotten(RUN, tmp_path):
        done = a_run.play("bench", STUDY, tmp_path)
        assert done.status == 0, done.output
        cells = [tuple(record["cell"][key] for key in ("policy", "guests", "workload")) for record in done.records]
        assert sorted(cells) == sorted(itertools.product(POLICIES, COUNTS, WORKLOADS))
        for record in done.records:
            assert record["valid"], record["reasons"]
            placed(record)
            accounted(record)
        table = (done.results / "table.txt").read_text()
        for workload in WORKLOADS:
            assert f"{workload}, transactions/s" in table
        assert "This emulates ELVIS" in table
        assert "<html" in (done.results / "report.html").read_text()
        a_run.check_nothing_is_left()
        assert not a_run.LAB.exists()


def placed(record: Record) -> None:
    """As read back from the kernel: with an I/O core, the workers have it and nobody else."""
    policy, observed = record["cell"]["policy"], record["observed"]
    assert observed["partition"] == PARTITION
    where = (observed["worker_cpus"], observed["vcpu_cpus"])
    assert where == (("1-2", "1-2") if policy == "baseline" else (PARTITION["io_cpus"], PARTITION["vm_cpus"]))
    assert observed["cgroups"]
    assert all(group.endswith("/vhost-consolidated/workers") for group in observed["cgroups"])
    assert record["asked"]["nic"] == ("poll" if policy == "sidecore_poll" else "plain")


def accounted(record: Record) -> None:
    """Each guest has its own figures, and together they are those of the trial."""
    guests, metrics = record["guests"], record["metrics"]
    count = record["cell"]["guests"]
    assert [guest["name"] for guest in guests] == GUESTS[:count]
    for guest in guests:
        assert guest["transactions_per_s"] > 0, record
        assert 0 < guest["latency_p50_us"] <= guest["latency_p99_us"], record
        assert guest["started_late_s"] <= LATE_S, record
    assert metrics["transactions_per_s"] == pytest.approx(
        sum(guest["transactions_per_s"] for guest in guests), rel=1e-3
    )
    assert 1 / count - 1e-3 <= metrics["fairness"] <= 1 + 1e-3
    assert metrics["transactions_per_cpu"] > 0
    assert record["cpu"]["worker"] > 0
    if record["cell"]["policy"] != "baseline":
        assert metrics["io_cpu"] > 0
