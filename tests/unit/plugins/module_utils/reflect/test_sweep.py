# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep over testpmds that only pretend: one record a trial, and no cell that keeps another from being measured."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition, Port
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import ForwardStats
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import read_lines
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect import sweep as sweep_module
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.guest import GuestSide
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import Cell, FarEnd, Launch
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launcher import Launcher
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import Edge
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.sweep import Summary, Sweep, Timing
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.window import Ends, Window
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed

# The contract that scripts outside the project rely on.
CONTRACT = {
    "schema": int,
    "run_id": str,
    "study": str,
    "host": str,
    "cell": dict,
    "trial": int,
    "started_at": str,
    "duration_s": float,
    "metrics": dict,
    "cpu": dict,
    "asked": dict,
    "observed": dict,
    "valid": bool,
    "reasons": list,
    "verdict": dict,
}
METRICS = {"rx_pps", "tx_pps", "loss_ratio", "l1_mbps", "l2_mbps"}

Measure = Callable[[Ends, float, float], Window]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        monkeypatch.setattr(manager.processes, "allowed_cpus", lambda: set(range(100)))
        yield lab


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[[Measure], None]:
    """Puts something else in the place of the window."""

    def replace_by(measure: Measure) -> None:
        monkeypatch.setattr(sweep_module, "measure", measure)

    replace_by(window)
    return replace_by


def window(ends: Ends, seconds: float, sample_s: float) -> Window:
    """A window in which a million packets came back, of the size that the generator was told."""
    generator, reflector = ends.generator, ends.reflector
    definition = generator._instance.definition()  # type: ignore[attr-defined]
    assert definition is not None
    assert definition.forwarding
    frame = definition.packet_size - 4

    def counters(at_s: float, packets: int) -> Counters:
        return Counters(at_s, 0.0, packets, packets, packets * frame, packets * frame, 0, 0)

    first = Edge(counters(1.0, 0), counters(1.0, 0))
    packets = int(1e6 * seconds)
    last = Edge(counters(1.0 + seconds, packets), counters(1.0 + seconds, packets))
    stats = {
        generator.name: ForwardStats(packets, packets, packets // 10, None, None),
        reflector.name: ForwardStats(packets, packets, 0, int(seconds * 2.6e9), 2600),
    }
    return Window(first, last, ((0.1, 1e6),) * 3, {generator.name: 1.0, reflector.name: 1.0}, stats, seconds)


def cell(size: int, trials: int = 2, **asked: Any) -> Cell:
    setup = {
        "packet_size": size,
        "queues": 1,
        "ring_size": 256,
        "packed": False,
        "in_order": False,
        "mrg_rxbuf": False,
        "vectorized": False,
        **asked,
    }
    return Cell({"driver": "virtio_user_split", "queues": 1, "packet_size": size}, setup, trials)


def launch(lab: Lab, *cells: Cell, **generator: Any) -> Launch:
    return Launch(lab.vswitch(), far(lab.generator(**generator)), cells)


def far(definition: Definition) -> FarEnd:
    return FarEnd("testpmd", definition.name, definition.cpus, definition.as_dict())


def sweep_of(lab: Lab, *, overlap: bool = False) -> Sweep:
    launcher = Launcher(lab.host, "run-1", GuestSide(lab.host, "run-1", None, 1.0), allow_overlap=overlap)
    return Sweep(lab.host, "run-1", "lab1", Timing(0.1, 0.0, 0.05), launcher)


def run(lab: Lab, *launches: Launch) -> tuple[Summary, list[dict[str, Any]]]:
    summary = sweep_of(lab, overlap=len(lab.cpus) < 2).run(launches)
    return summary, records(lab)


def records(lab: Lab) -> list[dict[str, Any]]:
    return read_lines(f"{lab.host.state}/runs/run-1/reflect.jsonl")


def shape(found: list[dict[str, Any]]) -> list[tuple[int, int, bool]]:
    return [(record["cell"]["packet_size"], record["trial"], record["valid"]) for record in found]


class TestRecords:
    def test_they_are_what_the_contract_says(self, lab: Lab, measured: object) -> None:
        summary, (record,) = run(lab, launch(lab, cell(64, trials=1)))
        for key, kind in CONTRACT.items():
            assert type(record[key]) is kind, key
        assert set(record["metrics"]) >= METRICS
        assert (record["schema"], record["study"], record["run_id"]) == (1, "reflect", "run-1")
        assert record["host"] == "lab1"
        assert record["cell"] == {"driver": "virtio_user_split", "queues": 1, "packet_size": 64}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", record["started_at"])
        assert set(record["cpu"]) == {"vswitch", "generator"}
        assert set(record["verdict"]) == {"limit", "evidence"}
        assert record["valid"]
        assert record["reasons"] == []
        assert (summary.trials, summary.invalid, summary.launches, summary.relaunches) == (1, 0, 1, 0)

    def test_numbers_are_those_of_the_window(self, lab: Lab, measured: object) -> None:
        _summary, (record,) = run(lab, launch(lab, cell(128, trials=1)))
        metrics = record["metrics"]
        assert metrics["rx_pps"] == pytest.approx(1e6)
        assert metrics["l1_mbps"] == pytest.approx(148 * 8)
        assert metrics["l2_mbps"] == pytest.approx(128 * 8)
        assert metrics["loss_ratio"] == 0.0
        assert metrics["reflector_busy_ratio"] == 1.0
        assert metrics["refused_ratio"] == pytest.approx(1 / 11)
        assert record["verdict"]["limit"] == "vswitch-cpu"
        assert record["observed"]["frame_bytes"] == 124.0
        assert record["ledger"]["sent"] == record["ledger"]["received"] + sum(record["ledger"]["lost"].values())
        assert record["duration_s"] == pytest.approx(0.1)

    def test_each_is_on_disk_before_the_next_trial(self, lab: Lab, measured: Callable[[Measure], None]) -> None:
        seen = []

        def look(*arguments: Any) -> Window:
            seen.append(len(records(lab)))
            return window(*arguments)

        measured(look)
        run(lab, launch(lab, cell(64), cell(128, trials=1)))
        assert seen == [0, 1, 2]

    def test_a_real_window_over_the_pretenders(self, lab: Lab) -> None:
        _summary, found = run(lab, launch(lab, cell(64, trials=1), cell(1518, trials=1)))
        assert shape(found) == [(64, 1, True), (1518, 1, True)]
        assert [record["observed"]["frame_bytes"] for record in found] == [60.0, 1514.0]


class TestLaunches:
    def test_one_launch_serves_all_its_sizes(self, lab: Lab, measured: object) -> None:
        summary, found = run(lab, launch(lab, cell(64), cell(512), cell(1518)))
        assert shape(found) == [(size, trial, True) for size in (64, 512, 1518) for trial in (1, 2)]
        assert summary.launches == 1

    def test_the_vswitch_stays_when_only_the_generator_changes(self, lab: Lab, measured: object) -> None:
        pids: list[int] = []
        _summary, found = run(lab, launch(lab, cell(64)), launch(lab, cell(64), mbufs=4096))
        pids = [record["observed"]["vswitch"]["pid"] for record in found]
        assert len(set(pids)) == 1
        assert len({record["observed"]["generator"]["pid"] for record in found}) == 2

    def test_a_burst_changes_in_the_running_processes(self, lab: Lab, measured: object) -> None:
        summary, found = run(lab, launch(lab, cell(64)), launch(lab, cell(64), burst=64))
        assert summary.launches == 1
        assert len(found) == 4

    def test_the_other_direction_does_not_trip_over_the_first(self, lab: Lab, measured: object) -> None:
        # The far end has another name then, and the same CPU.
        first = launch(lab, cell(64))
        vswitch = replace(first.vswitch, forward_mode="flowgen")
        second = Launch(vswitch, far(replace(lab.generator(), name="reflector", forward_mode="io")), [cell(64)])
        sweep = sweep_of(lab)
        if len(lab.cpus) < 2:
            pytest.skip("needs two CPUs")
        sweep.run([first, second])
        assert shape(records(lab)) == [(64, 1, True), (64, 2, True)] * 2
        assert lab.running() == ["reflector", "vswitch"]

    def test_one_that_fails_marks_its_cells_and_the_next_goes_on(self, lab: Lab, measured: object) -> None:
        bad = replace(lab.generator(), ports=(Port("net_virtio_user0", {"path": "/nowhere.sock", "queues": "1"}),))
        summary, found = run(
            lab, Launch(lab.vswitch(), far(bad), [cell(64), cell(128)]), launch(lab, cell(64, trials=1))
        )
        assert shape(found) == [(64, 1, False), (128, 1, False), (64, 1, True)]
        for record in found[:2]:
            assert record["reasons"][0].startswith("not launched: testpmd generator has 0 of the 1 ports")
            assert record["verdict"]["limit"] == "undetermined"
            for key, kind in CONTRACT.items():
                assert type(record[key]) is kind, key
        assert (summary.trials, summary.invalid) == (3, 2)

    def test_two_on_one_cpu_are_not_launched(self, lab: Lab, measured: object) -> None:
        both = replace(lab.generator(), cpus=lab.vswitch().cpus)
        sweep_of(lab).run([Launch(lab.vswitch(), far(both), [cell(64)])])
        assert "would both forward on CPU" in records(lab)[0]["reasons"][0]


class TestDeath:
    def test_the_trial_is_marked_and_the_next_one_is_by_a_new_launch(
        self, lab: Lab, measured: Callable[[Measure], None]
    ) -> None:
        windows = iter([window, dying("generator", lab), window, window])
        measured(lambda *arguments: next(windows)(*arguments))
        summary, found = run(lab, launch(lab, cell(64, trials=3), cell(128, trials=1)))
        assert shape(found) == [(64, 1, True), (64, 2, False), (64, 3, True), (128, 1, True)]
        assert (summary.relaunches, summary.launches) == (1, 2)
        assert "testpmd generator has died" in found[1]["reasons"][0]
        assert found[1]["metrics"] == {}

    def test_a_second_death_gives_the_cell_up_and_not_the_next(
        self, lab: Lab, measured: Callable[[Measure], None]
    ) -> None:
        windows = iter([dying("vswitch", lab), dying("vswitch", lab), window, window])
        measured(lambda *arguments: next(windows)(*arguments))
        summary, found = run(lab, launch(lab, cell(64, trials=5), cell(128)))
        assert shape(found) == [(64, 1, False), (64, 2, False), (128, 1, True), (128, 2, True)]
        assert summary.invalid == 2

    @pytest.mark.parametrize("name", ["vswitch", "generator"])
    def test_it_comes_with_the_end_of_the_log_whoever_noticed_it(self, lab: Lab, name: str) -> None:
        # The other end, or its telemetry, only says that nobody answers.
        lab.behave(**{name: {"dies_when_asked": True}})
        _summary, found = run(lab, launch(lab, cell(64, trials=1)))
        assert shape(found) == [(64, 1, False)]
        assert f"testpmd {name} has died" in found[0]["reasons"][0]
        assert "Segmentation fault in a driver" in found[0]["reasons"][0]

    def test_the_whole_log_is_kept(self, lab: Lab) -> None:
        lab.behave(generator={"dies_when_asked": True})
        _summary, found = run(lab, launch(lab, cell(64, trials=1)))
        kept = Path(lab.host.state, "runs", "run-1", "testpmd-generator-1.log").read_text()
        assert "EAL: Detected CPU lcores" in kept
        assert "Segmentation fault in a driver" in kept
        assert "testpmd-generator-1.log" in found[0]["reasons"][1]

    def test_one_that_hangs_is_as_good_as_dead(self, lab: Lab, measured: object) -> None:
        lab.behave(generator={"hangs_on": "set txpkts 512"})
        summary, found = run(lab, launch(lab, cell(64, trials=1), cell(512, trials=1), cell(1518, trials=1)))
        assert shape(found) == [(64, 1, True), (512, 1, False), (1518, 1, True)]
        assert "does not answer" in found[1]["reasons"][0]
        assert summary.relaunches == 1

    def test_a_relaunch_that_fails_costs_the_cell_and_not_the_sweep(
        self, lab: Lab, measured: Callable[[Measure], None]
    ) -> None:
        def die(*arguments: Any) -> Window:
            lab.behave(generator={"dies_at_start": True})
            return dying("generator", lab)(*arguments)

        measured(die)
        summary, found = run(lab, launch(lab, cell(64, trials=3), cell(128, trials=3)))
        assert shape(found) == [(64, 1, False), (64, 2, False), (128, 1, False), (128, 2, False)]
        assert "ended at its start with status 1" in found[1]["reasons"][0]
        assert summary.launches == 1


def dying(name: str, lab: Lab) -> Measure:
    """A window in which one of both dies."""

    def measure(ends: Ends, seconds: float, sample_s: float) -> Window:
        found = window(ends, seconds, sample_s)
        lab.kill(name)
        return found

    return measure


class TestInvalidTrials:
    @pytest.mark.parametrize(
        ("asked", "reason"),
        [
            ({"ring_size": 1024}, "ring sizes are [256], asked 1024"),
            ({"packed": True}, "ring_packed was not negotiated, asked packed=True"),
            ({"queues": 2}, "vswitch has 1 receive and 1 transmit queues, asked 2"),
        ],
    )
    def test_another_setup_than_asked(self, lab: Lab, measured: object, asked: dict[str, Any], reason: str) -> None:
        summary, (record,) = run(lab, launch(lab, cell(64, trials=1, **asked)))
        assert not record["valid"]
        assert reason in record["reasons"]
        assert reason in summary.reasons
        # What was measured is still there to look at.
        assert record["metrics"]["rx_pps"] > 0

    def test_a_setup_that_was_had(self, lab: Lab, measured: object) -> None:
        options = {"path": lab.socket, "queues": "1", "queue_size": "1024", "packed_vq": "1", "in_order": "1"}
        far_end = replace(lab.generator(), ports=(Port("net_virtio_user0", options),))
        asked = {"ring_size": 1024, "packed": True, "in_order": True}
        _summary, (record,) = run(lab, Launch(lab.vswitch(), far(far_end), [cell(64, trials=1, **asked)]))
        assert record["reasons"] == []

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda w: replace(w, last=Edge(w.first.generator, w.last.reflector)), "no packet came back"),
            (lambda w: later(w, 0.05), "the window took 0.150 s, 0.1 s asked"),
            (lambda w: smaller(w), "frames in the ring had 30.0 bytes, 64 less 4 of FCS asked"),
        ],
    )
    def test_a_window_that_was_none(
        self, lab: Lab, measured: Callable[[Measure], None], change: Callable[[Window], Window], reason: str
    ) -> None:
        def measure(*arguments: Any) -> Window:
            found = window(*arguments)
            changed = change(found)
            if changed.duration_s == 0:
                at_s = found.last.generator.at_s
                changed = replace(
                    changed, last=Edge(replace(changed.last.generator, at_s=at_s), changed.last.reflector)
                )
            return changed

        measured(measure)
        _summary, (record,) = run(lab, launch(lab, cell(64, trials=1)))
        assert not record["valid"]
        assert any(found.startswith(reason) for found in record["reasons"])


def later(window: Window, seconds: float) -> Window:
    moved = [replace(end, at_s=end.at_s + seconds) for end in (window.last.generator, window.last.reflector)]
    return replace(window, last=Edge(*moved))


def smaller(window: Window) -> Window:
    reflector = replace(window.last.reflector, rx_bytes=window.last.reflector.rx_bytes // 2)
    return replace(window, last=Edge(window.last.generator, reflector))


class TestTrouble:
    def test_a_full_disk_ends_the_sweep_with_its_name(
        self, lab: Lab, measured: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_file: object, _record: object) -> None:
            raise VirtperfError("a record cannot be written to there")

        monkeypatch.setattr(sweep_module.RecordFile, "append", full)
        with pytest.raises(VirtperfError, match="cannot be written"):
            run(lab, launch(lab, cell(64)))


class TestProgress:
    def test_it_says_where_it_is_and_for_how_long(self, lab: Lab, measured: Callable[[Measure], None]) -> None:
        seen = []

        def look(*arguments: Any) -> Window:
            seen.append(json.loads(Path(lab.host.run, "status.json").read_text()))
            return window(*arguments)

        measured(look)
        run(lab, launch(lab, cell(64), cell(128, trials=1)))
        assert [(status["cell"], status["cells"], status["trial"], status["trials"]) for status in seen] == [
            (1, 2, 1, 2),
            (1, 2, 2, 2),
            (2, 2, 1, 1),
        ]
        assert all(status["doing"] == "measuring" for status in seen)
        assert seen[2]["what"] == "driver virtio_user_split, queues 1, packet_size 128"
        assert seen[2]["last"] == "1.00 Mpps at 64 bytes"
        assert seen[0]["left_s"] > seen[1]["left_s"] > seen[2]["left_s"] > 0

    def test_what_was_given_up_is_no_time_left(self, lab: Lab, measured: Callable[[Measure], None]) -> None:
        seen = []
        windows = iter([dying("generator", lab), dying("generator", lab), window])

        def look(*arguments: Any) -> Window:
            seen.append(json.loads(Path(lab.host.run, "status.json").read_text())["left_s"])
            return next(windows)(*arguments)

        measured(look)
        run(lab, launch(lab, cell(64, trials=100), cell(128, trials=1)))
        assert seen[0] > 10
        assert seen[2] < 1

    def test_each_trial_is_a_sign_of_life(self, lab: Lab, measured: Callable[[Measure], None]) -> None:
        lab.host.private_directory(lab.host.state)
        lock = Path(lab.host.state, "lock.json")
        lock.touch()
        ages = []

        def look(*arguments: Any) -> Window:
            ages.append(lock.stat().st_mtime)
            os.utime(lock, (0, 0))
            return window(*arguments)

        measured(look)
        run(lab, launch(lab, cell(64)))
        assert min(ages) > 1e9
