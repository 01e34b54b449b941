# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots: what is drawn, and that plotly takes it."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils import figures
from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make

ROOT = Path(__file__).resolve().parents[4]


def grid_of(raws: list[dict[str, Any]]) -> Grid:
    """The grid of one host's records."""
    (grid,) = lay_out(analyse([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))
    return grid


def traces(figure: figures.Figure, part: str) -> list[dict[str, Any]]:
    """Those that show medians, or trials."""
    return [trace for trace in figure.plot["data"] if trace["meta"]["part"] == part]


def test_rates_in_packets_and_in_bits_and_the_load_of_each_end() -> None:
    drawn = figures.draw(grid_of(make.sweep()))
    assert [figure.key for figure in drawn] == ["mpps", "l1", "load-vswitch", "load-generator"]
    assert "time spent on packets" in drawn[2].title
    # Nobody measured how busy the generator was: what is known of it is its CPU time.
    assert "polling included" in drawn[3].title
    for figure in drawn:
        assert [trace["meta"]["series"] for trace in traces(figure, "median")] == [0, 1, 2, 3]
        assert all(len(trace["y"]) == 18 for trace in traces(figure, "trials"))


def test_a_line_through_the_medians_and_a_bar_over_all_trials() -> None:
    raws = [make.record(mpps * 1e6, trial=n) for n, mpps in enumerate((7.0, 15.0, 16.0), start=1)]
    drawn = figures.draw(grid_of(raws))
    (line,) = traces(drawn[0], "median")
    assert line["y"] == [15.0]
    assert (line["error_y"]["arrayminus"], line["error_y"]["array"]) == ([8.0], [1.0])
    (dots,) = traces(drawn[0], "trials")
    assert dots["y"] == [7.0, 15.0, 16.0]
    assert dots["customdata"][1] == [64, 2, 2, "vswitch-cpu"]
    (bits,) = traces(drawn[1], "median")
    assert bits["y"] == [pytest.approx(15 * 84 * 8)]


def test_a_size_without_a_rate_interrupts_the_line() -> None:
    cells = [make.cell(packet_size=size) for size in (64, 128, 256)]
    drawn = figures.draw(grid_of([make.record(of=cells[0]), make.invalid(of=cells[1]), make.record(of=cells[2])]))
    (line,) = traces(drawn[0], "median")
    assert line["y"] == [15.2, None, 15.2]


def test_rows_stand_apart_but_near_their_size() -> None:
    drawn = figures.draw(grid_of(make.sweep(make.cells(sizes=[64]))))
    places = [trace["x"][0] for trace in traces(drawn[0], "trials")]
    assert len(set(places)) == 4
    assert all(abs(place - 64) < 6 for place in places)


def test_of_too_many_rows_the_fastest_are_drawn_in_their_order() -> None:
    raws = [make.record(float(queues), of=make.cell(queues=queues)) for queues in range(1, 31)]
    rows = figures.rows_drawn(grid_of(raws))
    assert [row.factors["queues"] for row in rows] == list(range(23, 31))


def test_nothing_measured_nothing_drawn() -> None:
    assert figures.draw(grid_of([make.invalid()])) == []


def test_ends_are_those_of_the_records() -> None:
    assert figures.ends(grid_of([make.record(ends=("vswitch", "reflector"))])) == ["vswitch", "reflector"]


def test_what_hosts_say_is_no_markup_in_a_hover_text() -> None:
    raws = [make.record(of=make.cell("<a href='x'>d</a>"), limit="<b>x</b>")]
    (dots,) = traces(figures.draw(grid_of(raws))[0], "trials")
    assert "<a" not in dots["name"] + dots["hovertemplate"]
    assert dots["customdata"][0][3] == "&lt;b&gt;x&lt;/b&gt;"


def test_without_plotly_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("plotly"):
            raise ImportError("No module named 'plotly'")
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(figures.PlotlyError, match=f"pip install plotly=={figures.PLOTLY_VERSION}"):
        figures.draw(grid_of([make.record()]))


def test_the_version_told_is_the_one_that_is_pinned() -> None:
    assert f"plotly=={figures.PLOTLY_VERSION}\n" in (ROOT / "requirements.txt").read_text()
