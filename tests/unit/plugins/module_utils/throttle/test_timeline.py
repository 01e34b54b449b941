# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timelines over a sampler and a limiter that only pretend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import Phase, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.timeline import PhaseRun, run


class World:
    """A clock, the limit in force, and what happened when."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.start_s = 50.0
        self.limit = "5 5"
        self.events: list[Any] = []
        self.refuses = ""
        self.grants = ""

    def clock(self) -> float:
        return self.now_s

    def set(self, cpu_max: str) -> str:
        self.now_s += 0.001
        if cpu_max == self.refuses:
            raise VirtperfError("the kernel does not take it")
        self.limit = cpu_max
        self.events.append((round(self.now_s - self.start_s, 3), cpu_max))
        return self.grants or cpu_max

    def restore(self) -> None:
        self.limit = "5 5"

    def run_until(self, instant_s: float, stop: Callable[[], bool]) -> None:
        while self.now_s < instant_s and not stop():
            self.now_s = min(instant_s, self.now_s + 0.1)


@pytest.fixture
def world() -> World:
    return World()


PHASES = parse(
    [
        {"name": "baseline", "seconds": 2},
        {"name": "throttled", "cpu_max": "1000 1000000", "seconds": 3},
        {"name": "recovered", "seconds": 1},
    ]
)


def timeline(world: World, watch: Callable[[], str] = lambda: "", **more: Any) -> list[PhaseRun]:
    return run(PHASES, world, world, watch, clock=world.clock, **more)  # type: ignore[arg-type]


def test_the_limit_changes_at_the_first_instant_of_each_phase(world: World) -> None:
    announced: list[Phase] = []
    runs = timeline(world, announce=announced.append)
    assert world.events == [(0.001, "max 100000"), (2.001, "1000 1000000"), (5.001, "max 100000")]
    assert announced == PHASES
    assert [(one.set_from_s, one.set_to_s, one.end_s) for one in runs] == [
        (pytest.approx(0.0), pytest.approx(0.001), pytest.approx(2.0)),
        (pytest.approx(2.0), pytest.approx(2.001), pytest.approx(5.0)),
        (pytest.approx(5.0), pytest.approx(5.001), pytest.approx(6.0)),
    ]
    assert [one.fault for one in runs] == ["", "", ""]
    assert world.limit == "5 5"


def test_a_limit_that_reads_back_otherwise_spoils_its_phase_only(world: World) -> None:
    world.grants = "max 100000"
    assert [one.fault for one in timeline(world)] == [
        "",
        "cpu.max reads 'max 100000', asked '1000 1000000'",
        "",
    ]


def test_who_stops_in_the_middle_ends_it_and_the_limit_is_lifted(world: World) -> None:
    runs = timeline(world, lambda: "guest1 has stopped" if world.now_s > 53 else "")
    assert [one.fault for one in runs] == ["", "guest1 has stopped", "not run: guest1 has stopped"]
    assert runs[1].end_s == pytest.approx(3.0, abs=0.11)
    assert runs[2].effective == ""
    assert world.limit == "5 5"


def test_a_limit_that_cannot_be_set_ends_it(world: World) -> None:
    world.refuses = "1000 1000000"
    runs = timeline(world)
    assert runs[1].fault.startswith("the limit of phase throttled could not be set: the kernel does not take it")
    assert runs[2].fault.startswith("not run: ")
    assert world.limit == "5 5"


def test_whatever_happens_the_limit_is_lifted(world: World) -> None:
    def interrupt() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        timeline(world, interrupt)
    assert world.limit == "5 5"
