# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots of effects."""

from __future__ import annotations

import json
from math import log10
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Comparison, lay_out_screenings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.figures import drawable, effects
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.wording import ROWS_AT_MOST, VERDICTS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.tests.unit import knobs_factory as make


def comparisons(raws: list[dict[str, Any]]) -> list[Comparison]:
    """Of one host."""
    (found,) = lay_out_screenings(gather([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))
    return list(found.comparisons)


def test_effects_from_the_top_to_the_bottom_with_their_intervals() -> None:
    found = comparisons(make.screening(make.cells(["vhost", "vectors", "gso"], ["tcp_rr"]), scatter=0.02))
    rows = drawable(found, "transactions_per_s")
    figure = effects("k", "a title", rows, "transactions_per_s", named=False)
    plot = json.loads(json.dumps(figure.plot))
    dots = [trace for trace in plot["data"] if trace["meta"]["part"] == "trials"]
    assert {trace["meta"]["series"] for trace in dots} <= set(VERDICTS.values())
    drawn = {(y, round(x, 3)) for trace in dots for y, x in zip(trace["y"], trace["x"], strict=True)}
    assert drawn == {(len(rows) - 1 - at, round(effect.value, 3)) for at, (_one, effect) in enumerate(rows)}
    labels = dict(zip(plot["layout"]["yaxis"]["tickvals"], plot["layout"]["yaxis"]["ticktext"], strict=True))
    assert labels[2] == "vhost on -&gt; off"
    for trace in dots:
        for x, up, down in zip(trace["x"], trace["error_x"]["array"], trace["error_x"]["arrayminus"], strict=True):
            assert log10(x - down) >= plot["layout"]["xaxis"]["range"][0]
            assert log10(x + up) <= plot["layout"]["xaxis"]["range"][1]
    # no change, and 3 % to either side
    assert sorted(trace["x"][0] for trace in plot["data"] if trace["meta"]["part"] == "line") == [0.97, 1.0, 1.03]
    assert 1.0 in plot["layout"]["xaxis"]["tickvals"]
    # a dot leads to a record
    assert all(isinstance(each[2], int) for trace in dots for each in trace["customdata"])


def test_what_cannot_be_drawn() -> None:
    raws = make.screening(make.cells(["vhost"], ["tcp_rr", "udp_out"]), trials=3)
    for raw in raws:
        if raw["cell"]["workload"] == "tcp_rr":
            raw["metrics"]["tx_kicks_per_packet"] = 0.0
    found = comparisons(raws)
    assert [one.variant.workload for one, _effect in drawable(found, "tx_kicks_per_packet")] == ["udp_out"]
    assert drawable(found, "latency_p50_us")[0][0].variant.workload == "tcp_rr"
    assert drawable(comparisons(make.screening(make.cells(["vhost"]), trials=1)), "received_mbps") == []


def test_the_largest_are_drawn_where_there_are_too_many() -> None:
    asked = [make.cell("a stranger", f"{level}", "tcp_rr") for level in range(ROWS_AT_MOST + 20)]
    rows = drawable(comparisons(make.screening(asked, trials=3)), "received_mbps")
    assert rows == []
    rows = drawable(comparisons(make.screening(asked, trials=3)), "transactions_per_s")
    assert len(rows) == ROWS_AT_MOST
    assert rows[0][1].size >= rows[-1][1].size


def test_names_that_are_markup_stay_text() -> None:
    asked = [make.cell("<b>x</b>", "a"), make.cell("<b>x</b>", "b")]
    rows = drawable(comparisons(make.screening(asked, trials=3)), "received_pps")
    text = json.dumps(effects("k", "t", rows, "received_pps", named=True).plot)
    assert "<b>x" not in text
    assert "&lt;b&gt;x" in text
