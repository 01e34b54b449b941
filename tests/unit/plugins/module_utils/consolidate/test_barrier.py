# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that start together."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.barrier import Barrier, stop
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.loads import Load, Told
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.tests.unit.consolidate_stations import FakeStation


class Clock:
    """Goes on by ``step_s`` each time it is looked at."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.now_s, self.step_s = 100.0, step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def load(station: FakeStation, key: str = "netperf", *, waits: bool = False) -> Load:
    return Load(station.name, key, station, ["x"], lambda _text, _errors: Told(), waits)


def test_all_are_told_the_same_instant() -> None:
    here, there = FakeStation("a"), FakeStation("b")
    Barrier().tell([load(here), load(there), load(here, "probe", waits=True)], 42.0)
    assert [at for _key, _words, at in here.started] == [42.0, None]
    assert [at for _key, _words, at in there.started] == [42.0]


def test_it_learns_how_long_telling_takes() -> None:
    clock = Clock()
    gate = Barrier(clock)
    first_s = gate.instant(3) - clock.now_s
    clock.step_s = 0.6
    gate.tell([load(FakeStation(f"g{number}")) for number in range(3)], 0.0)
    clock.step_s = 0.0
    slow_s = gate.instant(3) - clock.now_s
    assert slow_s > first_s
    assert slow_s >= 2 * 0.6
    for _trial in range(20):
        gate.tell([load(FakeStation("g"))], 0.0)
    assert gate.instant(3) - clock.now_s < first_s


def test_what_waits_by_itself_gets_the_time_to_be_ready() -> None:
    clock = Clock()
    gate = Barrier(clock)
    assert gate.instant(2, 2) - gate.instant(2) > 1.0
    gate.tell([load(FakeStation("g"), waits=True)], 0.0)
    gate.learn([clock.now_s + 3.0])
    assert gate.instant(1, 1) - clock.now_s > 3.0
    gate.learn([])


def test_one_that_cannot_be_started_takes_the_others_along() -> None:
    here, dead = FakeStation("a"), FakeStation("b", dies="the connection broke")
    with pytest.raises(VirtperfError, match="guest b does not answer"):
        Barrier().tell([load(here), load(dead)], 1.0)
    assert here.stopped == ["netperf"]


def test_stopping_does_not_mind_the_dead() -> None:
    class Dead(FakeStation):
        def stop(self, key: str):  # type: ignore[no-untyped-def]
            raise VirtperfError("gone")

    here = FakeStation("a")
    stop([load(Dead("b")), load(here)])
    assert here.stopped == ["netperf"]
