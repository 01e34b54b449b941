# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The curves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import Curves, lay_out_consolidations
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.figures import DOTS_AT_MOST, draw
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.tests.unit import consolidate_factory as make

NUMBERS = {policy: number for number, policy in enumerate(make.POLICIES)}


def curves(raws: list[dict[str, Any]]) -> Curves:
    """Of the only workload."""
    (found,) = lay_out_consolidations(gather([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))
    (only,) = found.curves
    return only


def test_one_line_a_policy_through_its_medians() -> None:
    found = draw(curves(make.curves(make.cells(workloads=("tcp_rr",)), scatter=0.0)), NUMBERS)
    assert [figure.key for figure in found] == ["rate", "latency_p50_us", "latency_p99_us", "ratio"]
    rate = json.loads(json.dumps(found[0].plot))
    lines = {trace["name"]: trace for trace in rate["data"] if trace["meta"]["part"] == "median"}
    assert {name: trace["meta"]["series"] for name, trace in lines.items()} == NUMBERS
    assert lines["sidecore"]["y"] == pytest.approx([9000 * 1.3 * (1 - 0.5**guests) for guests in (1, 2, 3)])
    assert lines["sidecore"]["x"] == pytest.approx([1, 2, 3])
    assert rate["layout"]["xaxis"]["tickvals"] == [1, 2, 3]
    ratio = json.loads(json.dumps(found[3].plot))
    assert {trace.get("name") for trace in ratio["data"]} == {"sidecore", "sidecore_poll", None}


def test_a_stream_has_no_latency() -> None:
    found = draw(curves(make.curves(make.cells(workloads=("tcp_maerts",)))), NUMBERS)
    assert [figure.key for figure in found] == ["rate", "ratio"]


def test_nothing_to_draw() -> None:
    assert draw(curves([make.invalid()]), {"sidecore": 0}) == []


def test_the_newest_trials_are_dots_and_lead_to_their_records() -> None:
    found = draw(curves(make.curves(make.cells(("baseline",), (1,), ("nginx",)), trials=30)), NUMBERS)
    (dots,) = (trace for trace in found[0].plot["data"] if trace["meta"]["part"] == "trials")
    assert len(dots["y"]) == DOTS_AT_MOST
    assert [each[2] for each in dots["customdata"]] == list(range(11, 31))


def test_names_that_are_markup_stay_text() -> None:
    raws = [make.record(make.cell("<b>x</b>", 1, "nginx"), limit="<b>x</b>")]
    text = json.dumps([figure.plot for figure in draw(curves(raws), {"<b>x</b>": 0})])
    assert "<b>x" not in text
