# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records and definitions of the study reflect as a host would write them, for tests of everything that reads them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

RUN_ID = "20261120T100000Z-1a2b"
DRIVERS = ("virtio_user_split", "virtio_user_packed")
SIZES = (64, 128, 256, 512, 1024, 1518)

FACTS: dict[str, Any] = {
    "cpus": {
        "model": "AMD EPYC 7B13",
        "allowed": [0, 1],
        "isolated": [],
        "node_of": {"0": 0, "1": 0},
        "sockets": 1,
        "smt": False,
    },
    "numa_nodes": [{"node": 0, "cpus": [0, 1], "memory": {"total_kb": 24684140}}],
    "kernel": {
        "release": "6.1.0-40-amd64",
        "version": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1",
        "cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro quiet",
    },
    "dpdk": {"version": "22.11.11"},
    "qemu": None,
    "libvirt": {"path": "/usr/sbin/libvirtd", "version": "9.0.0"},
}


def cell(driver: str = "virtio_user_packed", queues: int = 1, packet_size: int = 64, **more: Any) -> dict[str, Any]:
    """A cell of the study reflect."""
    return {"driver": driver, "queues": queues, "packet_size": packet_size, **more}


def cells(
    drivers: Iterable[str] = DRIVERS, queues: Iterable[int] = (1, 2), sizes: Iterable[int] = SIZES
) -> list[dict[str, Any]]:
    """Every combination; packet sizes vary fastest."""
    return [cell(*levels) for levels in product(drivers, queues, sizes)]


def definition(asked: Iterable[Mapping[str, Any]] = (), *, trials: int = 3, **more: Any) -> dict[str, Any]:
    """A resolved definition; of the 24 default cells if none are given."""
    return {"cells": list(asked) or cells(), "trials": trials, "trial_seconds": 1, "skipped": [], **more}


def record(
    rx_pps: float = 15.2e6,
    *,
    of: Mapping[str, Any] | None = None,
    trial: int = 1,
    host: str = "localhost",
    run_id: str = RUN_ID,
    started_at: str = "2026-11-20T10:00:00Z",
    limit: str = "vswitch-cpu",
    ends: tuple[str, str] = ("vswitch", "generator"),
    samples: list[list[float]] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A valid record; ``changes`` replace whole fields."""
    factors = dict(of or cell())
    size = factors["packet_size"]
    vswitch, far_end = ends
    offered = int(rx_pps * 1.7)
    sent = int(rx_pps * 1.001)
    raw: dict[str, Any] = {
        "schema": 1,
        "run_id": run_id,
        "study": "reflect",
        "host": host,
        "cell": factors,
        "trial": trial,
        "started_at": started_at,
        "duration_s": 1.0003,
        "metrics": {
            "rx_pps": rx_pps,
            "tx_pps": rx_pps * 1.001,
            "loss_ratio": 0.001,
            "l1_mbps": rx_pps * (size + 20) * 8 / 1e6,
            "l2_mbps": rx_pps * size * 8 / 1e6,
            "reflector_rx_pps": rx_pps * 1.001,
            "reflector_tx_pps": rx_pps,
            "reflector_busy_ratio": 0.97,
            "refused_ratio": 0.41,
        },
        "cpu": {vswitch: 0.99, far_end: 0.99},
        "ledger": {
            "offered": offered,
            "refused": offered - sent,
            "sent": sent,
            "reflector_received": sent,
            "reflected": int(rx_pps),
            "received": int(rx_pps),
            "lost": {"before_reflector": 0, "in_reflector": sent - int(rx_pps), "after_reflector": 0},
        },
        "asked": {
            **factors,
            "ring_size": 256,
            "burst": 32,
            "mrg_rxbuf": True,
            "in_order": True,
            "vectorized": False,
            "direction": "vswitch",
            "forwarding_cores": "one",
            "vswitch_cpus": [0],
            "generator_cpus": [1],
        },
        "observed": {
            "queues": factors["queues"],
            "ring_size": 256,
            "features": ["version_1", "mrg_rxbuf", "in_order"],
            "link_speed_mbps": None,
            "frame_bytes": size - 4,
            "vswitch_cpus": [0],
            "generator_cpus": [1],
            "vswitch": {"command": ["dpdk-testpmd", "--lcores=0@0,1@0", "--vdev=net_vhost0,iface=/run/virtperf/s"]},
            "generator": {"command": ["dpdk-testpmd", "--lcores=0@1,1@1", "--vdev=net_virtio_user0"]},
        },
        "valid": True,
        "reasons": [],
        "verdict": {"limit": limit, "evidence": "the vswitch's core was busy 97 % of the window"},
    }
    if samples is not None:
        raw["samples"] = samples
    return raw | changes


def invalid(reason: str = "ring size 128 instead of 256", **arguments: Any) -> dict[str, Any]:
    """A record of a trial whose setup was not the one asked for; it measured nothing."""
    raw = record(**arguments)
    for field in ("metrics", "cpu", "verdict", "duration_s"):
        del raw[field]
    return raw | {"valid": False, "reasons": [reason]}


def sweep(
    asked: Iterable[Mapping[str, Any]] = (),
    *,
    trials: int = 3,
    host: str = "localhost",
    run_id: str = RUN_ID,
    samples: bool = False,
    seed: int = 7,
) -> list[dict[str, Any]]:
    """A run as it is seen on small machines: rates fall with the packet size, and some cells have two modes."""
    dice = random.Random(seed)
    records = []
    for number, factors in enumerate(list(asked) or cells()):
        top = 15.4e6 / (1 + factors["packet_size"] / 900)
        top *= 0.8 if "split" in factors["driver"] else 1.0
        top /= 1.6 if factors["queues"] == 2 else 1.0
        for trial in range(1, trials + 1):
            halved = number % 9 == 4 and trial == 2
            pps = float(round(top * dice.gauss(1, 0.012) * (0.47 if halved else 1)))
            minute, second = divmod(number * trials + trial, 60)
            taken = [[round(t / 20, 2), pps * dice.gauss(1, 0.02)] for t in range(1, 21)] if samples else None
            limit = "generator-cpu" if factors["packet_size"] >= 1024 else "vswitch-cpu"
            records.append(
                record(
                    pps,
                    of=factors,
                    trial=trial,
                    host=host,
                    run_id=run_id,
                    limit=limit,
                    samples=taken,
                    started_at=f"2026-11-20T{10 + minute // 60:02d}:{minute % 60:02d}:{second:02d}Z",
                )
            )
    return records


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """A file of records, as it is fetched from a host."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path
