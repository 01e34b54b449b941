# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots of the study throttle: what is drawn, and that plotly takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils import records
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle_figures import ladder, timeline
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.throttle.test_account import FRAME, RUNS, series


def record(
    phase: str, mbps: float, *, cpu_max: str = "max 100000", percent: float | None = None, **more: Any
) -> Record:
    """A phase as a host would write it, read back as the report reads it."""
    raw = {
        "schema": 1,
        "run_id": "r1",
        "study": "throttle",
        "host": "hv",
        "cell": {"workload": "iperf3", "layout": "kthread", "phase": phase},
        "trial": 1,
        "started_at": "2026-11-20T10:00:00Z",
        "duration_s": 10.0,
        "metrics": {"received_mbps": mbps},
        "cpu": {"worker": 0.5},
        "asked": {"cpu_max": cpu_max, "ladder_percent": percent, "sender": "client"},
        "observed": {"interfaces": {"server": ["tap0"], "client": ["tap1"]}},
        "valid": True,
        "reasons": [],
        "verdict": {"limit": "worker-throttled", "evidence": "it was"},
        **more,
    }
    return records.parse(json.dumps(raw).encode(), Path("trials.jsonl"), 3)


PHASES = [record(run.phase.name, 100.0, timeline=run.as_dict(), cpu_max=str(run.phase.cpu_max)) for run in RUNS]


def test_rate_throttled_share_and_drops_on_one_axis() -> None:
    figure = timeline(PHASES, series())
    lines = {trace["name"]: trace for trace in figure.plot["data"]}
    assert {name: trace["yaxis"] for name, trace in lines.items()} == {
        "received": "y",
        "sent": "y",
        "workers throttled": "y2",
        "tap0 drops": "y3",
        "tap1 drops": "y3",
    }
    assert lines["received"]["y"][0] == pytest.approx(FRAME * 1000 * 8 * 10 / 1e6)
    assert lines["workers throttled"]["y"] == [0.0] * 10 + [100.0] * 10 + [0.0] * 10
    assert lines["tap1 drops"]["y"][150] == pytest.approx(70)
    layout = figure.plot["layout"]
    assert [shape["x0"] for shape in layout["shapes"]] == [0.001, 10.001, 20.001]
    assert [note["text"] for note in layout["annotations"]] == ["baseline", "throttled", "recovered"]
    assert layout["yaxis3"]["domain"][1] < layout["yaxis2"]["domain"][0] < layout["yaxis"]["domain"][0]


def test_a_phase_that_was_not_run_has_no_mark() -> None:
    absent = record("late", 0.0, valid=False, reasons=["not run"], observed={}, metrics={})
    assert len(timeline([*PHASES, absent], series()).plot["layout"]["shapes"]) == 3


def test_throughput_against_quota() -> None:
    steps = [
        record(f"{percent:g}%", mbps, cpu_max="x", percent=percent)
        for percent, mbps in ((50.0, 400.0), (50.0, 420.0), (50.0, 410.0), (0.1, 1.0))
    ]
    bad = record("1%", 9.0, cpu_max="x", percent=1.0, valid=False, reasons=["died"])
    figure = ladder([record("baseline", 900.0), record("recovered", 800.0), *steps, bad])
    assert figure is not None
    line, dots = figure.plot["data"]
    assert (list(line["x"]), list(line["y"])) == ([0.1, 50.0, 100.0], [1.0, 410.0, 900.0])
    assert len(dots["y"]) == 5
    assert dots["customdata"][0] == ["0.1%", 1, 3, "worker-throttled"]
    assert figure.plot["layout"]["xaxis"]["ticktext"] == ["0.1", "50", "no limit"]


def test_without_steps_there_is_no_ladder() -> None:
    assert ladder([record("baseline", 900.0)]) is None
