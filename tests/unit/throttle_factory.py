# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timelines of the study throttle as a host writes them: invented samples, and the study's own account of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.loop import Pace
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import SeriesWriter
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.account import Heard
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import Offset
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import Phase, ladder, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import Setup, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.study import Study, Timeline
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.timeline import PhaseRun

RUN_ID = "20261120T100000Z-1a2b"
BASIC = (
    {"name": "baseline", "cpu_max": "max 100000"},
    {"name": "throttled", "cpu_max": "1000 1000000"},
    {"name": "recovered", "cpu_max": "max 100000"},
)
LADDER = (50.0, 20.0, 10.0, 5.0, 1.0, 0.1)
# What the workers carry with all the CPU they want, of which they want so much, and how long they take to be back.
_MBPS, _NEEDED, _BACK_S = 800.0, 0.8, 0.8
_FRAME, _CHANGE = 1514, 4_101_000
_EVERY_S = 4.0


def timeline_phases(seconds: float = 10.0, steps: Sequence[float] = LADDER, step_seconds: float = 8.0) -> list[Phase]:
    """The default phases of the role throttle."""
    return parse([*BASIC, *(phase.as_dict() for phase in ladder(steps, step_seconds))], seconds)


def definition(timelines: Iterable[tuple[str, str]], phases: Sequence[Phase], *, trials: int = 3) -> dict[str, Any]:
    """The study as resolved, for these workloads and layouts."""
    cells = [
        {"workload": workload, "layout": layout, "phase": phase.name}
        for workload, layout in timelines
        for phase in phases
    ]
    return {"cells": cells, "trials": trials, "sample_seconds": 0.1}


def measure(
    state: Path,
    *,
    workload: str = "iperf3",
    layout: str = "qemu-thread",
    phases: Sequence[Phase] | None = None,
    trials: int = 3,
    host: str = "localhost",
    run_id: str = RUN_ID,
    began: str = "2026-11-20T10:00:00",
    ends_in: str = "",
    seed: int = 7,
) -> Path:
    """Append the records of these trials to the host's file below ``state``, samples beside it; returns its directory.

    In the phase ``ends_in`` the client of the last trial ends.
    """
    made = _setup(workload, layout, timeline_phases() if phases is None else phases, trials)
    here = Host(run=str(state / "run"), state=str(state))
    study = Study(here, run_id, host, made, SimpleNamespace())
    directory = state / "runs" / run_id
    (directory / "samples").mkdir(parents=True, exist_ok=True)
    at = datetime.fromisoformat(began).replace(tzinfo=UTC)
    dice = random.Random(seed)
    for trial in range(1, trials + 1):
        study._trial = trial
        path = directory / "samples" / f"throttle-{workload}-{layout}-{at:%Y%m%dT%H%M%S}.jsonl"
        runs = _runs(made.phases, ends_in if trial == trials else "")
        _write_series(path, made, runs, dice)
        pace = Pace(samples=int(made.seconds * 10), missed=0, worst_late_s=0.0031, cpu_share=0.0048)
        study._record(Timeline(runs, _heard(made, runs), pace, "SCHED_FIFO", at, str(path)))
        at += timedelta(seconds=made.seconds + 20)
    return directory


def records(directory: Path) -> list[dict[str, Any]]:
    """What ``measure`` appended."""
    return [json.loads(line) for line in (directory / "throttle.jsonl").read_text().splitlines()]


def _setup(workload: str, layout: str, phases: Sequence[Phase], trials: int) -> Setup:
    ends: Mapping[str, Any] = {"server": {"interfaces": ["tap0"]}, "client": {"interfaces": ["tap1"]}}
    roles = {"worker": "worker", "vcpu0": "vcpu", "emulator": "emulator"}
    return setup(
        {
            "workload": workload,
            "layout": layout,
            "phases": [phase.as_dict() for phase in phases],
            "trials": trials,
            "sender": "client" if workload == "iperf3" else "server",
            **ends,
            "bridge": ["br0"],
            "threads": [
                {"label": f"{end}/{name}", "role": role, "pid": 1, "tid": 2}
                for end in ends
                for name, role in roles.items()
            ],
            "cgroups": {end: f"/sys/fs/cgroup/{end}" for end in ends},
            "sample_seconds": 0.1,
            "socket_seconds": 1.0,
            "settle_seconds": 2.0,
            "warmup_seconds": 2.0,
        }
    )


def _runs(phases: Sequence[Phase], ends_in: str) -> list[PhaseRun]:
    runs: list[PhaseRun] = []
    at_s, fault = 0.0, ""
    for phase in phases:
        if fault:
            runs.append(PhaseRun(phase, at_s, at_s, at_s, "", f"not run: {fault}"))
            continue
        fault = "client ended with status 1, its last words: broken pipe" if phase.name == ends_in else ""
        end_s = at_s + (phase.seconds / 2 if fault else phase.seconds)
        runs.append(PhaseRun(phase, at_s + 0.0005, at_s + 0.001, end_s, str(phase.cpu_max), fault))
        at_s = end_s
    return runs


def _share(phase: Phase) -> float:
    """What the workers get of the CPU time that they need, 0 to 1."""
    if phase.cpu_max.quota_us is None:
        return 1.0
    return min(1.0, phase.cpu_max.quota_us / phase.cpu_max.period_us / _NEEDED)


def _write_series(path: Path, made: Setup, runs: Sequence[PhaseRun], dice: random.Random) -> None:
    columns: list[tuple[str, str, str]] = [
        *(("net", tap, counter) for tap in ("tap0", "tap1") for counter in _NET),
        *(("qdisc", tap, counter) for tap in ("tap0", "tap1") for counter in ("dropped", "backlog_bytes")),
        *(("thread", thread.label, counter) for thread in made.threads for counter in ("run_ns", "wait_ns")),
        *(("cgroup", label, counter) for label in made.cgroups for counter in _CGROUP),
    ]
    now = dict.fromkeys(columns, 0)
    sender, receiver = ("tap0", "tap1") if made.sender == "server" else ("tap1", "tap0")
    about = {"period_s": 0.1, "started_at": "2026-11-20T10:00:00.000000Z"}
    owed = 0.0
    with SeriesWriter(str(path), columns, about) as writer:
        writer.append(0, 0, list(now.values()))
        for tick in range(1, round(runs[-1].end_s * 10) + 1):
            at_s = tick / 10
            run = next(one for one in runs if at_s <= one.end_s + 1e-9)
            share = _share(run.phase)
            lost = run.phase.name == "recovered" and at_s - run.set_to_s < _BACK_S
            able = 0.0 if lost else share * _MBPS / 8 * 1e5 * dice.gauss(1, 0.03)
            if made.workload == "vnc":
                owed += _CHANGE if at_s % _EVERY_S < 0.05 and share > 0.1 else 0
                moved = int(min(owed, able))
                owed -= moved
            else:
                moved = int(max(able, 0.0))
            now["net", receiver, "tx_bytes"] += moved
            now["net", receiver, "tx_packets"] += moved // _FRAME
            now["net", sender, "rx_bytes"] += moved
            now["net", receiver, "tx_dropped"] += int(40 * (1 - share))
            for thread in made.threads:
                used = {"worker": _NEEDED * share * moved / max(able, 1.0), "vcpu": 0.55, "emulator": 0.01}
                now["thread", thread.label, "run_ns"] += int(used[made.roles[thread.label]] * 1e8)
            for label in made.cgroups:
                if share < 1.0:
                    now["cgroup", label, "nr_periods"] += 1
                    now["cgroup", label, "nr_throttled"] += 1
                    now["cgroup", label, "throttled_usec"] += int(1e5 * (1 - share))
            writer.append(round(at_s * 1e6), dice.randrange(3000), list(now.values()))


_NET = ("rx_bytes", "tx_bytes", "tx_packets", "tx_dropped", "tx_errors")
_CGROUP = ("nr_periods", "nr_throttled", "throttled_usec")


def _heard(made: Setup, runs: Sequence[PhaseRun]) -> Heard:
    """What both ends print: a change every four seconds, of which the client misses some while it is throttled."""
    here = Offset(0.0, 0.001)
    if made.workload != "vnc":
        line = {"event": "interval", "data": {"sum": {"start": 0, "end": 0.5, "bytes": 45_000_000}}}
        said = [(0.5 * n, json.dumps(line)) for n in range(1, int(made.seconds * 2))]
        return Heard({"server": said}, {}, {"server": here, "client": here})
    output: dict[str, list[tuple[float, str]]] = {"server": [], "client": []}
    for number in range(1, int(runs[-1].end_s / _EVERY_S)):
        at_s = number * _EVERY_S
        share = next(_share(run.phase) for run in runs if at_s <= run.end_s)
        output["server"].append((at_s, json.dumps({"event": "change", "number": number, "at": at_s})))
        if share > 0.1:
            seen_s = at_s + 0.25 / share
            output["client"].append((seen_s, json.dumps({"event": "shown", "number": number, "at": seen_s})))
    return Heard(output, {}, {"server": here, "client": here})
