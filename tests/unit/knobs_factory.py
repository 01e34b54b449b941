# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of the study knobs as a host writes them, for tests of what reads them; what is true is invented."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import MBPS, PPS, TRANSACTIONS, primary

RUN_ID = "20261120T100000Z-1a2b"
# Factors by which a variant changes a metric.
Truth = Mapping[str, float]
TRUE: Mapping[str, Truth] = {
    "vhost=off": {"rate": 0.31, "exits_per_packet": 2.6, "tx_kicks_per_packet": 1.4, "worker": 0.0, "emulator": 80.0},
    "vectors=0": {"rate": 0.72, "interrupts_per_packet": 2.4, "rx_interrupts_per_packet": 2.4},
    "event_idx=off": {"rate": 0.93, "interrupts_per_packet": 1.9, "tx_kicks_per_packet": 1.6},
    "gso=off": {"rate": 0.42},
    "poll_us=200": {"rate": 1.25, "tx_kicks_per_packet": 0.2, "worker": 2.2},
    "txqueuelen=50": {"rate": 0.9},
}
_RATES = {MBPS: 820.0, PPS: 20_000.0, TRANSACTIONS: 3_100.0}
_PER_PACKET = {
    "tx_kicks_per_packet": 0.083,
    "rx_kicks_per_packet": 0.0041,
    "rx_interrupts_per_packet": 0.11,
    "tx_interrupts_per_packet": 0.004,
    "interrupts_per_packet": 0.114,
    "exits_per_packet": 0.43,
}
_CPU = {"vcpu": 1.31, "worker": 0.72, "emulator": 0.01}


def cell(knob: str = "event_idx", level: str = "off", workload: str = "udp_out") -> dict[str, Any]:
    """A cell of the study knobs."""
    return {"knob": knob, "level": level, "workload": workload}


def cells(knobs: Iterable[str] = (), workloads: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Every level of these knobs, of all if none are given, in their own workloads or in those given."""
    return [
        cell(name, level, workload)
        for name in knobs or KNOBS
        for workload in workloads or KNOBS[name].workloads
        for level in KNOBS[name].levels
    ]


def definition(asked: Iterable[Mapping[str, Any]] = (), *, trials: int = 5, **more: Any) -> dict[str, Any]:
    """A resolved definition; of all knobs if no cells are given."""
    return {"cells": list(asked) or cells(), "trials": trials, "window_seconds": 2.0, "seed": 7, **more}


def record(
    of: Mapping[str, Any] | None = None,
    *,
    trial: int = 1,
    scatter: float = 0.0,
    truth: Truth | None = None,
    dice: random.Random | None = None,
    host: str = "localhost",
    run_id: str = RUN_ID,
    started_at: str = "2026-11-20T10:00:00Z",
    limit: str = "worker-cpu",
    metrics: Mapping[str, float | None] | None = None,
    absent: Mapping[str, str] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A valid record; ``metrics`` are changed one by one, ``changes`` replace whole fields."""
    factors = dict(of or cell())
    dice = dice or random.Random(trial)
    name = f"{factors['knob']}={factors['level']}"
    true = TRUE.get(name, {}) if truth is None else truth
    main = primary(factors["workload"])

    def scattered(value: float, of_metric: str) -> float:
        return value * true.get(of_metric, 1.0) * math.exp(dice.gauss(0, scatter))

    measured: dict[str, float | None] = dict.fromkeys((MBPS, PPS, TRANSACTIONS, "latency_p50_us", "latency_p99_us"))
    measured[main] = scattered(_RATES[main], "rate")
    if main == TRANSACTIONS:
        measured |= {"latency_p50_us": 1e6 / measured[main], "latency_p99_us": 4e6 / measured[main]}
    else:
        measured["mbps_per_cpu"] = scattered(400.0, "rate")
    measured |= {each: scattered(value, each) for each, value in _PER_PACKET.items()}
    measured["packets_per_tx_kick"] = 1 / measured["tx_kicks_per_packet"]
    measured |= {"queue_stops": 0.0, "tap_drops": 0.0, "qdisc_drops": 0.0, "retransmits": 0.0}
    baseline = factors["knob"] in KNOBS and factors["level"] == KNOBS[factors["knob"]].baseline
    raw: dict[str, Any] = {
        "schema": 1,
        "run_id": run_id,
        "study": "knobs",
        "host": host,
        "cell": factors,
        "trial": trial,
        "started_at": started_at,
        "duration_s": 2.0004,
        "metrics": measured | dict(metrics or {}),
        "cpu": {role: scattered(cores, role) for role, cores in _CPU.items()},
        "counters": {"guest": {"interrupts": {"input.0": 4560}}, "host": {"mmio": 3320}, "absent": dict(absent or {})},
        "asked": {
            "settings": {factors["knob"]: factors["level"]},
            "arm": "baseline" if baseline else name,
            "boot": 1,
            "seed": 7,
            "position": trial,
            "window_seconds": 2.0,
        },
        "observed": {
            "accel": "tcg",
            "rings": {"rx": 256, "tx": 256},
            "queues": 1,
            "driver": "virtio_net",
            "vhost": name != "vhost=off",
            "kernel": "6.12.48+deb13-cloud-amd64",
        },
        "valid": True,
        "reasons": [],
        "verdict": {"limit": limit, "evidence": "the worker had 0.98 of a core in the window"},
    }
    return raw | changes


def invalid(reason: str = "tx ring of 256 instead of 64", **arguments: Any) -> dict[str, Any]:
    """A record of a trial whose setup was not the one asked for; it measured nothing."""
    raw = record(**arguments)
    for field in ("metrics", "cpu", "verdict", "duration_s", "counters"):
        del raw[field]
    return raw | {"valid": False, "reasons": [reason]}


def screening(
    asked: Iterable[Mapping[str, Any]] = (),
    *,
    trials: int = 5,
    scatter: float = 0.03,
    host: str = "localhost",
    run_id: str = RUN_ID,
    seed: int = 7,
    **arguments: Any,
) -> list[dict[str, Any]]:
    """All trials of these cells, in the order in which a boot takes them: pair after pair, shuffled, drifting."""
    dice = random.Random(seed)
    chosen = list(asked) or cells()
    pairs: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for one in chosen:
        for trial in range(1, trials + 1):
            pairs.setdefault((one["knob"], one["workload"], trial), []).append(one)
    order = list(pairs.items())
    dice.shuffle(order)
    began = datetime(2026, 11, 20, 10, tzinfo=UTC)
    records = []
    for (_knob, _workload, trial), both in order:
        for one in dice.sample(both, len(both)):
            at = began + timedelta(seconds=3 * len(records))
            records.append(
                record(
                    one,
                    trial=trial,
                    scatter=scatter,
                    dice=dice,
                    host=host,
                    run_id=run_id,
                    started_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
                    **arguments,
                )
            )
    return records
