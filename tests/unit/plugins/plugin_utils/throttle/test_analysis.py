# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of a timeline say together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.analysis import (
    Timeline,
    Timelines,
    lay_out_timelines,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import throttle_factory as make

PHASES = make.timeline_phases(6.0, (50.0, 0.1), 6.0)
ONE = [("iperf3", "qemu-thread")]


def results(raws: list[dict[str, Any]], studies: dict[str, Any] | None = None) -> list[Timelines]:
    """As the report gets them."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    hosts = sorted({raw["host"] for raw in raws}) or ["localhost"]
    return lay_out_timelines(gather(records, wanted_cells(studies or {}, hosts)))


def timeline(raws: list[dict[str, Any]], studies: dict[str, Any] | None = None) -> Timeline:
    """The only one."""
    (host,) = results(raws, studies)
    (only,) = host.timelines
    return only


@pytest.fixture(scope="module")
def raws(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Three trials of five phases."""
    return make.records(make.measure(tmp_path_factory.mktemp("state"), phases=PHASES))


def test_phases_in_their_order_with_their_numbers(raws: list[dict[str, Any]]) -> None:
    found = timeline(raws, {"throttle": make.definition(ONE, PHASES)})
    assert [phase.name for phase in found.phases] == ["baseline", "throttled", "recovered", "50%", "0.1%"]
    assert [phase.quota for phase in found.phases] == ["max", "1000 1000000", "max", "50000 100000", "1000 1000000"]
    baseline, throttled, recovered, half, _least = found.phases
    assert baseline.mbps is not None
    assert baseline.mbps.low <= baseline.mbps.median <= baseline.mbps.high
    assert baseline.mbps.median == pytest.approx(800, rel=0.05)
    ratio, cpu = half.metric("baseline_ratio"), half.cpu("worker")
    assert ratio is not None
    assert ratio.median == pytest.approx(0.625, rel=0.05)
    assert cpu is not None
    assert cpu.median == pytest.approx(0.5, rel=0.05)
    assert (found.baseline, found.hardest, found.recovery) == (baseline, throttled, recovered)
    assert recovered.back_s == [pytest.approx(1.3, abs=0.11)] * 3
    assert baseline.metric("nothing") is None


def test_far_apart_trials_keep_their_verdict_and_the_middle_one_s_evidence(raws: list[dict[str, Any]]) -> None:
    trials = [raw for raw in raws if raw["cell"]["phase"] == "throttled"]
    changed = [
        raw
        | {
            "metrics": raw["metrics"] | {"received_mbps": mbps},
            "verdict": raw["verdict"] | {"evidence": f"at {mbps}"},
        }
        for raw, mbps in zip(trials, (0.0, 6.0, 0.5), strict=True)
    ]
    (phase,) = timeline(changed).phases
    assert (phase.verdict.limit, phase.verdict.evidence) == ("worker-throttled", "at 0.5")
    changed[0]["verdict"] = {"limit": "receiver", "evidence": "it waited"}
    assert timeline(changed).phases[0].verdict.limit == "worker-throttled"
    assert "receiver (1 of 3: it waited)" in timeline(changed).phases[0].verdict.evidence
    changed[1]["verdict"] = {"limit": "vcpu-cpu", "evidence": "it ran"}
    assert timeline(changed).phases[0].verdict.limit == "undetermined"


def test_what_was_not_measured(tmp_path: Path) -> None:
    studies = {"throttle": make.definition(ONE, PHASES)}
    (nothing,) = lay_out_timelines(gather([], wanted_cells(studies, ["hv"])))
    assert nothing.host == "hv"
    assert len(nothing.incomplete) == 5
    (empty,) = nothing.timelines
    assert (empty.baseline, empty.hardest, empty.recovery, empty.middle_run) == (None, None, None, None)
    assert empty.phases[0].quota == ""
    assert [phase.verdict.limit for phase in empty.phases] == ["no valid trial"] * 5

    halved = make.records(make.measure(tmp_path, phases=PHASES, ends_in="recovered"))
    found = timeline(halved, studies)
    assert [len(phase.counted) for phase in found.phases] == [3, 3, 2, 2, 2]
    assert found.phases[2].reasons == ["trial 3: client ended with status 1, its last words: broken pipe"]
    assert found.phases[3].reasons[0].startswith("trial 3: not run: client ended")
    # what was not run left no samples; what was spoilt did
    assert [(run.trial, run.is_valid, len(run.records)) for run in found.runs] == [
        (1, True, 5),
        (2, True, 5),
        (3, False, 3),
    ]
    assert found.middle_run in found.runs[:2]


def test_nothing_comes_back_where_no_limit_was_lifted(raws: list[dict[str, Any]]) -> None:
    assert timeline([raw for raw in raws if raw["cell"]["phase"] in ("baseline", "recovered")]).recovery is None
    assert timeline([raw for raw in raws if raw["cell"]["phase"] != "recovered"]).recovery is None


def test_a_resumed_run_s_trials_are_told_apart_by_their_samples(tmp_path: Path) -> None:
    make.measure(tmp_path, phases=PHASES, trials=2)
    directory = make.measure(tmp_path, phases=PHASES, trials=1, began="2026-11-20T12:00:00", seed=8)
    found = timeline(make.records(directory), {"throttle": make.definition(ONE, PHASES)})
    assert all(phase.is_complete for phase in found.phases)
    assert [run.trial for run in found.runs] == [1, 2, 1]
    assert len({run.series for run in found.runs}) == 3


def test_the_newest_trials_count(tmp_path: Path) -> None:
    make.measure(tmp_path, phases=PHASES)
    directory = make.measure(tmp_path, phases=PHASES, trials=1, began="2026-11-20T12:00:00")
    found = timeline(make.records(directory), {"throttle": make.definition(ONE, PHASES)})
    assert [len(phase.superseded) for phase in found.phases] == [1] * 5
    assert found.phases[0].counted[-1].started_at > "2026-11-20T12"


def test_timelines_and_hosts_apart(tmp_path: Path) -> None:
    for host, layout in (("a", "kthread"), ("b", "kthread"), ("a", "libvirt")):
        directory = make.measure(tmp_path / host / layout, phases=PHASES, trials=1, host=host, layout=layout)
        assert directory.is_dir()
    raws = [raw for path in tmp_path.glob("*/*/runs/*") for raw in make.records(path)]
    studies = {"throttle": make.definition([("iperf3", "kthread"), ("iperf3", "libvirt")], PHASES, trials=1)}
    found = results(raws, studies)
    assert [(one.host, [timeline.label for timeline in one.timelines]) for one in found] == [
        ("a", ["iperf3, kthread", "iperf3, libvirt"]),
        ("b", ["iperf3, kthread", "iperf3, libvirt"]),
    ]
    assert [len(one.incomplete) for one in found] == [0, 5]


def test_the_run_in_the_middle_is_shown_first(raws: list[dict[str, Any]]) -> None:
    changed = [
        raw | {"metrics": raw["metrics"] | {"received_mbps": {1: 9.0, 2: 7.0, 3: 8.0}[raw["trial"]]}} for raw in raws
    ]
    middle = timeline(changed).middle_run
    assert middle is not None
    assert middle.trial == 3
