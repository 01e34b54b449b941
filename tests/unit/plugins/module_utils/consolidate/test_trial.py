# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial, with programs that only pretend."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate import barrier
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate import trial as module
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.barrier import Barrier
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.loads import Load, loads
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import Setup, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.trial import Taken, take
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.window import Counters, Look
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make


class Growing(Counters):
    """The kernel's counters: of each tap 1000 packets a look, of each CPU half of the time."""

    def __init__(self, proc: make.FakeProc, made: Setup, quiet: tuple[str, ...] = ()) -> None:
        self.proc, self.quiet = proc, quiet
        proc.taps = dict.fromkeys(made.taps, 0)
        proc.write()
        super().__init__(Host(proc=str(proc.root)), made.taps, [])

    def look(self) -> Look:
        for tap in self.proc.taps:
            self.proc.taps[tap] += 0 if tap in self.quiet else 1000
        for ticks in self.proc.ticks.values():
            ticks[0] += 10
            ticks[3] += 10
        self.proc.write()
        found = super().look()
        shares = {
            ("thread", label, counter): int(part * 1e9 * (found.at_s - self.begun_s))
            for label, part in self.parts.items()
            for counter in ("run_ns", "wait_ns")
        }
        return Look(found.at_s, {**found.readings, **shares}, found.cpus)

    begun_s = time.monotonic()
    parts: dict[str, float] = {}

    def ended(self) -> list[str]:
        return list(self.gone)

    gone: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here takes long to be told."""
    for name in ("_A_TELL_S", "_READY_S", "_SLACK_S"):
        monkeypatch.setattr(barrier, name, 0.02)


@pytest.fixture
def stations() -> dict[str, make.FakeStation]:
    says = {"netperf": make.RR}
    return {name: make.FakeStation(name, says=says) for name in ("g1", "g2")}


def run(
    tmp_path: Path,
    stations: dict[str, make.FakeStation],
    workload: str = "tcp_rr",
    guests: int = 2,
    here: make.FakeStation | None = None,
    **counted: Any,
) -> Taken:
    made = setup(make.arguments(trials=[make.trial(workload, guests, "sidecore")]))
    counters = Growing(make.FakeProc(tmp_path), made, counted.pop("quiet", ()))
    for name, value in counted.items():
        setattr(counters, name, value)

    def programs(at_s: float) -> list[Load]:
        if here:
            here.says = {"memaslap": make.MEMASLAP, "probe": make.probe(at_s + here.late_s), "ab": make.AB}
        return loads(made.trials[0], made, here or make.FakeStation(), stations, "memcaslap", at_s, "/run/x")

    with counters:
        return take(made.trials[0], made, counters, Barrier(), programs)


def test_all_start_at_one_instant_and_share_one_window(tmp_path: Path, stations: dict[str, make.FakeStation]) -> None:
    parts = {f"g{n}/{role}": 0.25 for n in (1, 2) for role in ("worker0", "worker1", "vcpu0", "emulator0")}
    taken = run(tmp_path, stations, parts=parts)
    assert taken.reasons == []
    instants = {at for station in stations.values() for _key, _words, at in station.started}
    assert len(instants) == 1
    (at_s,) = instants
    assert taken.window is not None
    assert at_s is not None
    assert taken.window.begin.at_s == pytest.approx(at_s + 0.05, abs=0.05)
    assert taken.window.seconds == pytest.approx(0.2, abs=0.05)
    assert taken.metrics["transactions_per_s"] == 2001.0
    assert taken.metrics["fairness"] == 1.0
    assert (taken.metrics["latency_p50_us"], taken.metrics["latency_p99_us"]) == (90.0, 450.0)
    assert taken.metrics["io_cpu"] == 0.5
    assert taken.cpu == pytest.approx({"worker": 1.0, "vcpu": 0.5, "emulator": 0.5})
    assert taken.metrics["transactions_per_cpu"] == pytest.approx(1000.5)
    assert [guest.started_late_s for guest in taken.guests] == [0.0, 0.0]
    assert taken.verdict["limit"] == "latency"
    assert taken.observed["idle_guests_cpu"] == 0.0


def test_streams_are_counted_at_the_taps(tmp_path: Path, stations: dict[str, make.FakeStation]) -> None:
    for station in stations.values():
        station.says = {"netperf": make.STREAM}
    taken = run(tmp_path, stations, "tcp_stream_64", 1)
    assert taken.reasons == []
    assert taken.window is not None
    (guest,) = taken.guests
    assert guest.mbps == pytest.approx(1e6 * 8 / 1e6 / taken.window.seconds)
    assert guest.goodput_mbps == 940.25
    assert guest.transactions_per_s is None
    assert stations["g2"].started == []


def test_guests_that_do_not_take_part_are_watched(tmp_path: Path, stations: dict[str, make.FakeStation]) -> None:
    parts = {f"g2/{role}": 0.01 for role in ("worker0", "worker1", "vcpu0", "emulator0")}
    taken = run(tmp_path, stations, guests=1, parts=parts)
    assert taken.observed["idle_guests_cpu"] == pytest.approx(0.04, abs=1e-6)
    assert taken.cpu["vcpu"] is None  # nobody told of the first guest


@pytest.mark.parametrize("workload", ["memcached", "nginx"])
def test_guests_that_are_asked_from_here(tmp_path: Path, stations: dict[str, make.FakeStation], workload: str) -> None:
    here = make.FakeStation()
    taken = run(tmp_path, stations, workload, here=here)
    assert taken.reasons == []
    assert taken.metrics["transactions_per_s"] == (1998.0 if workload == "memcached" else 501.0)
    assert taken.metrics["latency_p99_us"] == (300.0 if workload == "memcached" else 9125.0)


def test_a_guest_that_starts_late(tmp_path: Path, stations: dict[str, make.FakeStation]) -> None:
    stations["g2"].late_s = 0.4
    taken = run(tmp_path, stations)
    assert taken.reasons == ["guest g2: netperf started 0.40 s after the others were told to, where 0.1 s are allowed"]
    assert taken.guests[1].started_late_s == pytest.approx(0.4)
    assert taken.metrics["transactions_per_s"] == 2001.0  # kept in the record, and not counted


def test_a_probe_that_begins_late(tmp_path: Path, stations: dict[str, make.FakeStation]) -> None:
    here = make.FakeStation(late_s=0.3)
    reasons = run(tmp_path, stations, "memcached", 1, here=here).reasons
    assert any(reason.startswith("guest g1: probe started 0.30 s after") for reason in reasons)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": 1, "errors": "could not establish the control connection"}, "ended with status 1 .*control conn"),
        ({"says": {}}, "netperf gave no result .*nothing"),
        ({"says": {"netperf": "netperf: cannot allocate"}}, "netperf gave no result .*cannot allocate"),
        ({"lasts_s": 0.1}, "netperf ended 0.1. s before the window did"),
    ],
)
def test_a_tool_that_prints_an_error_or_nothing(
    tmp_path: Path, stations: dict[str, make.FakeStation], changes: dict[str, Any], reason: str
) -> None:
    for name, value in changes.items():
        setattr(stations["g2"], name, value)
    taken = run(tmp_path, stations)
    (found,) = taken.reasons
    assert found.startswith("guest g2: ")
    with pytest.raises(VirtperfError, match=reason):
        raise VirtperfError(found)
    assert taken.metrics["transactions_per_s"] is None


def test_a_guest_that_dies_in_the_window(
    tmp_path: Path, stations: dict[str, make.FakeStation], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module._wait_until

    def wait(instant_s: float) -> None:
        real(instant_s)
        stations["g1"].dies = "the connection broke"

    monkeypatch.setattr(module, "_wait_until", wait)
    taken = run(tmp_path, stations, gone=("g1/worker0", "g1/vcpu0"))
    assert taken.reasons == [
        "guest g1: its VM ended before the window did",
        "guest g1: guest g1 does not answer (station) (found: the connection broke)",
    ]
    assert taken.guests[1].transactions_per_s == 1000.5


def test_a_guest_that_is_dead_already(tmp_path: Path, stations: dict[str, make.FakeStation]) -> None:
    stations["g2"].dies = "the connection broke"
    with pytest.raises(VirtperfError, match="guest g2 does not answer"):
        run(tmp_path, stations)
    assert stations["g1"].stopped == ["netperf"]


def test_traffic_that_took_another_way(tmp_path: Path, stations: dict[str, make.FakeStation]) -> None:
    taken = run(tmp_path, stations, quiet=("plain2",))
    assert taken.reasons == ["guest g2: nothing went over its tap plain2 in the window"]


def test_one_that_is_given_up_leaves_nothing_running(
    tmp_path: Path, stations: dict[str, make.FakeStation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_instant_s: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_wait_until", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stations)
    assert [station.stopped for station in stations.values()] == [["netperf"], ["netperf"]]


def test_a_window_of_another_length_is_none(
    tmp_path: Path, stations: dict[str, make.FakeStation], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module._wait_until

    def wait(instant_s: float) -> None:
        real(instant_s + 0.1 * (wait.calls > 0))  # type: ignore[attr-defined]
        wait.calls += 1  # type: ignore[attr-defined]

    wait.calls = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "_wait_until", wait)
    (reason,) = run(tmp_path, stations).reasons
    assert "s long, 0.2 s were asked for" in reason
