# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about the study throttle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler import series as series_file
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.samples import AllSeries
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import section as throttle_section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import Timelines, lay_out_timelines
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.tests.unit import throttle_factory as make

PHASES = make.timeline_phases(6.0, (50.0, 0.1), 6.0)


def laid_out(raws: list[dict[str, Any]]) -> Timelines:
    """Of the only host."""
    (only,) = lay_out_timelines(gather([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))
    return only


def all_series(directory: Path) -> AllSeries:
    """All that a host has, as the report would have it."""
    return {
        ("localhost", f"samples/{path.name}"): series_file.read(str(path)) for path in (directory / "samples").iterdir()
    }


def with_rates(raws: list[dict[str, Any]], **mbps: float) -> list[dict[str, Any]]:
    """The records with these rates, by phase; the phases that are not named are left out."""
    return [
        raw | {"metrics": raw["metrics"] | {"received_mbps": mbps[raw["cell"]["phase"]]}}
        for raw in raws
        if raw["cell"]["phase"] in mbps
    ]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a host keeps three trials."""
    return make.measure(tmp_path_factory.mktemp("state"), phases=PHASES)


def test_a_box_for_the_course_and_one_for_the_ladder(directory: Path) -> None:
    timelines = laid_out(make.records(directory))
    (part,) = throttle_section.parts_of(timelines, all_series(directory), "result-1")
    assert part.course is not None
    assert [choice.label for choice in part.course.choices] == ["trial 1", "trial 2", "trial 3"]
    middle = timelines.timelines[0].middle_run
    assert middle is not None
    assert part.course.first.label == f"trial {middle.trial}"
    assert list(part.course.legend)[:2] == ["received", "sent"]
    assert part.ladder is not None
    assert part.ladder.legend == {"undetermined": 0, "worker-throttled": 1}
    names = [name for name, _figure in part.plots]
    assert len(set(names)) == 4
    assert f"{part.course.key}-{part.course.first.plot.key}" in names
    assert "was back 1.30 s" in part.recovery


def test_without_samples_there_is_a_ladder_still(directory: Path) -> None:
    (part,) = throttle_section.parts_of(laid_out(make.records(directory)), {}, "result-1")
    assert part.course is None
    assert part.ladder is not None


def test_trials_of_a_resumed_run_are_told_apart(tmp_path: Path) -> None:
    make.measure(tmp_path, phases=PHASES, trials=1, ends_in="50%")
    directory = make.measure(tmp_path, phases=PHASES, trials=1, began="2026-11-20T12:34:56")
    (part,) = throttle_section.parts_of(laid_out(make.records(directory)), all_series(directory), "r")
    assert part.course is not None
    assert [choice.label for choice in part.course.choices] == ["trial 1, 10:00:00, not valid", "trial 1, 12:34:56"]
    assert part.course.first.label == "trial 1, 12:34:56"


def test_a_page_carries_the_newest_trials_only(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle_section, "TRIALS_AT_MOST", 2)
    (part,) = throttle_section.parts_of(laid_out(make.records(directory)), all_series(directory), "r")
    assert part.course is not None
    assert [choice.label for choice in part.course.choices] == ["trial 2", "trial 3"]
    assert part.left_out == 1


def test_the_sentence(directory: Path) -> None:
    raws = make.records(directory)
    timelines = laid_out(with_rates(raws, baseline=812.0, throttled=0.5, recovered=810.0))
    assert throttle_section.sentence([timelines]) == (
        "On localhost the iperf3 stream fell from 812 to 0.50 Mbit/s (1,624 times less) when its vhost workers got"
        " 1000 1000000, and was back 1.30 s after the limit was lifted."
    )
    assert throttle_section.sentence_cells([timelines]) == (
        "That was iperf3, qemu-thread, baseline and throttled, throttled in 100 % of the periods, medians of 3 trials."
    )


def test_the_sentence_claims_no_more_than_there_is(directory: Path) -> None:
    raws = make.records(directory)
    assert throttle_section.sentence([]) == throttle_section.sentence_cells([]) == ""
    assert throttle_section.sentence([laid_out(with_rates(raws, baseline=812.0))]) == ""
    stopped = throttle_section.sentence([laid_out(with_rates(raws, baseline=812.0, throttled=0.0))])
    assert stopped == (
        "On localhost the iperf3 stream fell from 812 to 0.00 Mbit/s when its vhost workers got 1000 1000000."
    )
    for raw in raws:
        if raw["trial"] == 2:
            raw["metrics"]["back_s"] = None
    lame = laid_out(with_rates(raws, baseline=812.0, throttled=0.5, recovered=400.0))
    assert "was back" not in throttle_section.sentence([lame])
    (part,) = throttle_section.parts_of(lame, {}, "r")
    assert part.recovery.endswith("in recovered; in 1 of 3 trials it never was.")
    for raw in raws:
        raw["metrics"]["back_s"] = None
    (part,) = throttle_section.parts_of(laid_out(raws), {}, "r")
    assert part.recovery == "In recovered 90 % of the baseline never came back."


def test_it_is_about_the_stream_that_lost_most(tmp_path: Path) -> None:
    make.measure(tmp_path, workload="vnc", phases=PHASES, trials=1)
    directory = make.measure(tmp_path, phases=PHASES, trials=1)
    assert "the iperf3 stream" in throttle_section.sentence([laid_out(make.records(directory))])
