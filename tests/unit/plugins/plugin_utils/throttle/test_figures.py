# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plots of the study throttle: what is drawn, and that plotly takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler import series as series_file
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import Series
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import Timeline, lay_out_timelines
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.figures import (
    POINTS_AT_MOST,
    ladder,
    thin,
    timeline,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.tests.unit import throttle_factory as make

PHASES = make.timeline_phases(6.0, (50.0, 0.1), 6.0)


def laid_out(raws: list[dict[str, Any]]) -> Timeline:
    """The only timeline."""
    (host,) = lay_out_timelines(gather([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))
    (only,) = host.timelines
    return only


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a host keeps three trials of five phases."""
    return make.measure(tmp_path_factory.mktemp("state"), phases=PHASES)


@pytest.fixture
def raws(directory: Path) -> list[dict[str, Any]]:
    """Its records."""
    return make.records(directory)


def samples(directory: Path, raw: Mapping[str, Any]) -> Series:
    """Those that belong to a record."""
    return series_file.read(str(directory / raw["series"]))


def test_rate_throttled_share_and_drops_on_one_axis(directory: Path, raws: list[dict[str, Any]]) -> None:
    numbers: dict[str, int] = {}
    figure = timeline(laid_out(raws).runs[0], samples(directory, raws[0]), numbers)
    lines = {trace["name"]: trace for trace in figure.plot["data"]}
    assert {name: trace["yaxis"] for name, trace in lines.items()} == {
        "received": "y",
        "sent": "y",
        "server throttled": "y2",
        "client throttled": "y2",
        "dropped towards the server": "y3",
        "dropped towards the client": "y3",
    }
    assert numbers == {name: trace["meta"]["series"] for name, trace in lines.items()}
    received = dict(zip(lines["received"]["x"], lines["received"]["y"], strict=True))
    assert received[3.0] == pytest.approx(800, rel=0.2)
    assert max(value for at_s, value in received.items() if 6.2 < at_s <= 12) < 2
    throttled = lines["server throttled"]
    assert {round(value) for value in throttled["y"]} == {0, 100}
    # packets go to the server, whose queue is the one that overflows
    assert max(lines["dropped towards the server"]["y"]) == pytest.approx(390, abs=10)
    assert set(lines["dropped towards the client"]["y"]) == {0}
    layout = figure.plot["layout"]
    assert layout["xaxis"]["range"] == [0, 30]
    assert layout["yaxis3"]["domain"][1] < layout["yaxis2"]["domain"][0] < layout["yaxis"]["domain"][0]


def test_phases_are_bands_with_their_limits(directory: Path, raws: list[dict[str, Any]]) -> None:
    layout = timeline(laid_out(raws).runs[0], samples(directory, raws[0]), {}).plot["layout"]
    bands = [(band["name"], band["x0"], band["x1"]) for band in layout["shapes"]]
    assert bands == [
        ("free", 0.001, 6.0),
        ("limited", 6.001, 12.0),
        ("free", 12.001, 18.0),
        ("limited", 18.001, 24.0),
        ("limited", 24.001, 30.0),
    ]
    assert [note["text"] for note in layout["annotations"]] == [
        "baseline<br>max",
        "throttled<br>1000 1000000",
        "recovered<br>max",
        "50%<br>50000 100000",
        "0.1%<br>1000 1000000",
    ]


def test_trials_look_alike(directory: Path, raws: list[dict[str, Any]]) -> None:
    numbers: dict[str, int] = {}
    for run in laid_out(raws).runs:
        before = dict(numbers)
        figure = timeline(run, samples(directory, run.records[0].raw), numbers)
        assert {trace["name"]: trace["meta"]["series"] for trace in figure.plot["data"]} == (before or numbers)


def test_a_phase_that_was_not_run_has_no_band(tmp_path: Path) -> None:
    directory = make.measure(tmp_path, phases=PHASES, trials=1, ends_in="throttled")
    raws = make.records(directory)
    figure = timeline(laid_out(raws).runs[0], samples(directory, raws[0]), {})
    assert [(band["x0"], band["x1"]) for band in figure.plot["layout"]["shapes"]] == [(0.001, 6.0), (6.001, 9.0)]


def test_a_series_without_samples_is_no_trouble(directory: Path, raws: list[dict[str, Any]]) -> None:
    empty = samples(directory, raws[0]).part(-2, -1)
    assert timeline(laid_out(raws).runs[0], empty, {}).plot["data"] == []


def test_throughput_against_quota_with_the_verdict_of_each_trial(raws: list[dict[str, Any]]) -> None:
    numbers: dict[str, int] = {}
    figure = ladder(laid_out(raws), numbers)
    assert figure is not None
    line, top, below = figure.plot["data"]
    assert list(line["x"]) == [0.1, 50.0, 200.0]
    assert line["y"] == sorted(line["y"])
    assert numbers == {"undetermined": 0, "worker-throttled": 1}
    assert (top["name"], set(top["x"])) == ("undetermined", {200.0})
    assert (below["name"], set(below["x"])) == ("worker-throttled", {0.1, 50.0})
    assert len(top["y"]) + len(below["y"]) == 9
    assert below["customdata"][0][:4] == ["50%", 1, 4, "worker-throttled"]
    assert figure.plot["layout"]["xaxis"]["ticktext"] == ["0.1", "50", "no limit"]


def test_a_trial_that_is_not_valid_is_no_point(raws: list[dict[str, Any]]) -> None:
    raws[3] |= {"valid": False, "reasons": ["died"]}
    figure = ladder(laid_out(raws), {})
    assert figure is not None
    assert sum(len(trace["y"]) for trace in figure.plot["data"][1:]) == 8


def test_without_steps_there_is_no_ladder(raws: list[dict[str, Any]]) -> None:
    assert ladder(laid_out([raw for raw in raws if raw["asked"]["ladder_percent"] is None]), {}) is None


def test_names_of_hosts_and_users_stay_text(directory: Path, raws: list[dict[str, Any]]) -> None:
    for raw in raws:
        raw["cell"]["phase"] = "<img src=x>"
        raw["verdict"]["limit"] = "<b>x"
    found = laid_out(raws[:1] + raws[3:4])
    for figure in (timeline(found.runs[0], samples(directory, raws[0]), {}), ladder(found, {})):
        assert figure is not None
        assert "<img" not in str(figure.plot)
        assert "<b>x" not in str(figure.plot)


@given(st.lists(st.floats(0, 1e4), max_size=3 * POINTS_AT_MOST))
def test_thinned_points_keep_order_ends_dips_and_peaks(values: list[float]) -> None:
    points = [(number / 10, value) for number, value in enumerate(values)]
    kept = thin(points)
    assert len(kept) <= POINTS_AT_MOST + 1
    assert kept == sorted(set(kept))
    assert set(kept) <= set(points)
    if points:
        assert kept[-1] == points[-1]
        assert {min(values), max(values)} <= {value for _at_s, value in kept}


def test_what_stands_still_takes_two_points() -> None:
    assert thin([(float(n), 0.0) for n in range(50)] + [(50.0, 1.0)]) == [(0.0, 0.0), (49.0, 0.0), (50.0, 1.0)]
