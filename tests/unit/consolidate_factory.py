# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of the study consolidate as a host writes them, for tests of what reads them; what is true is invented."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import DEFAULT
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import MBPS, rate_metric

RUN_ID = "20261120T100000Z-1a2b"
POLICIES = ("baseline", "sidecore", "sidecore_poll")
# Factors to the baseline: of what all guests do, of the latency, and the I/O cores that are busy.
_TRUE = {"baseline": (1.0, 1.0, 0.0), "sidecore": (1.3, 0.8, 0.7), "sidecore_poll": (1.6, 0.5, 1.0)}


def cell(policy: str = "sidecore", guests: int = 2, workload: str = "tcp_rr") -> dict[str, Any]:
    """A cell of the study consolidate."""
    return {"policy": policy, "guests": guests, "workload": workload}


def cells(
    policies: Iterable[str] = POLICIES, guests: Iterable[int] = (1, 2, 3), workloads: Iterable[str] = DEFAULT
) -> list[dict[str, Any]]:
    """Every combination."""
    return [cell(policy, number, workload) for workload, number, policy in product(workloads, guests, policies)]


def definition(asked: Iterable[Mapping[str, Any]] = (), *, trials: int = 5, **more: Any) -> dict[str, Any]:
    """A resolved definition; of all combinations if no cells are given."""
    return {"cells": list(asked) or cells(), "trials": trials, "window_seconds": 3.0, "io_cores": 1, **more}


def record(
    of: Mapping[str, Any] | None = None,
    *,
    trial: int = 1,
    scatter: float = 0.0,
    dice: random.Random | None = None,
    host: str = "localhost",
    run_id: str = RUN_ID,
    started_at: str = "2026-11-20T10:00:00Z",
    limit: str = "io-cpu",
    metrics: Mapping[str, float | None] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A valid record; ``metrics`` are changed one by one, ``changes`` replace whole fields."""
    factors = dict(of or cell())
    dice = dice or random.Random(trial)
    faster, slower, io_cores = _TRUE.get(factors["policy"], _TRUE["baseline"])
    guests = factors["guests"]
    name = rate_metric(factors["workload"])
    # More guests do more together, and each of them less.
    whole = (600.0 if name == MBPS else 9000.0) * faster * (1 - 0.5**guests) * math.exp(dice.gauss(0, scatter))
    latency = 300.0 * slower * guests * math.exp(dice.gauss(0, scatter))
    cores = min(2.0, 0.9 * guests)
    shares = [1.0 + 0.05 * dice.gauss(0, 1) for _guest in range(guests)]
    is_stream = name == MBPS
    raw: dict[str, Any] = {
        "schema": 1,
        "run_id": run_id,
        "study": "consolidate",
        "host": host,
        "cell": factors,
        "trial": trial,
        "started_at": started_at,
        "duration_s": 3.0002,
        "metrics": {
            "total_mbps": whole if is_stream else None,
            "transactions_per_s": None if is_stream else whole,
            "fairness": sum(shares) ** 2 / (guests * sum(share * share for share in shares)),
            "latency_p50_us": None if is_stream else latency,
            "latency_p99_us": None if is_stream else 4 * latency,
            "io_cpu": io_cores,
            "vm_cpu": cores,
            "load_cpu": 0.4,
            "mbps_per_cpu": whole / cores if is_stream else None,
            "transactions_per_cpu": None if is_stream else whole / cores,
        }
        | dict(metrics or {}),
        "cpu": {"vcpu": cores, "worker": io_cores, "emulator": 0.02},
        "guests": [
            {
                "name": f"guest{number}",
                "mbps": whole * share / sum(shares) if is_stream else None,
                "transactions_per_s": None if is_stream else whole * share / sum(shares),
                "latency_p50_us": None if is_stream else latency,
                "latency_p99_us": None if is_stream else 4 * latency,
                "started_late_s": 0.01,
            }
            for number, share in enumerate(shares, start=1)
        ],
        "asked": {"dedicated": factors["policy"] != "baseline", "window_seconds": 3.0, "seed": 7, "position": trial},
        "observed": {"accel": "tcg", "partition": {"vm_cpus": "0", "io_cpus": "1", "load_cpus": "0-1"}},
        "valid": True,
        "reasons": [],
        "verdict": {"limit": limit, "evidence": "1 of 1 I/O cores were busy", "signs": [limit]},
    }
    return raw | changes


def invalid(reason: str = "guest2 started 1.31 s late", **arguments: Any) -> dict[str, Any]:
    """A record of a trial that does not count."""
    raw = record(**arguments)
    return raw | {"valid": False, "reasons": [reason]}


def curves(
    asked: Iterable[Mapping[str, Any]] = (),
    *,
    trials: int = 5,
    scatter: float = 0.04,
    host: str = "localhost",
    run_id: str = RUN_ID,
    seed: int = 7,
) -> list[dict[str, Any]]:
    """All trials of these cells, trial by trial, in an order drawn by lot."""
    dice = random.Random(seed)
    began = datetime(2026, 11, 20, 12, tzinfo=UTC)
    records: list[dict[str, Any]] = []
    chosen = list(asked) or cells()
    for trial in range(1, trials + 1):
        for one in dice.sample(chosen, len(chosen)):
            at = began + timedelta(seconds=5 * len(records))
            records.append(
                record(
                    one,
                    trial=trial,
                    scatter=scatter,
                    dice=dice,
                    host=host,
                    run_id=run_id,
                    started_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
                )
            )
    return records
