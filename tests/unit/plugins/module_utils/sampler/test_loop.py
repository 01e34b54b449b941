# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pace, on a clock that only goes on when somebody waits or works."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.loop import Sampler, sleep_until
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import Series, read
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Column, Reading


class World:
    """A clock, and a source whose reading takes time; it counts its readings."""

    columns: Sequence[Column] = [("net", "tap0", "tx_bytes")]

    def __init__(self, tmp_path: Path) -> None:
        self.now_s = 1000.0
        self.late_s = 0.0
        self.reading_s = 0.001
        self.readings = 0
        self.closed = False
        self.path = str(tmp_path / "s.jsonl")

    def read(self) -> list[Reading]:
        self.readings += 1
        self.now_s += self.reading_s
        return [self.readings]

    def close(self) -> None:
        self.closed = True

    def clock(self) -> float:
        return self.now_s

    def wait(self, instant_s: float) -> None:
        self.now_s = max(self.now_s, instant_s) + self.late_s

    def sampler(self) -> Sampler:
        return Sampler(
            [self], self.path, 0.1, wait=self.wait, clock=self.clock, cpu_clock=lambda: self.readings * self.reading_s
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def series(world: World) -> Series:
    return read(world.path)


def test_one_sample_a_period_from_the_start_to_the_end(world: World) -> None:
    with world.sampler() as sampler:
        sampler.run_until(1001.0)
    assert series(world).times_s == [pytest.approx(number / 10) for number in range(11)]
    pace = sampler.pace()
    assert (pace.samples, pace.missed, pace.worst_late_s) == (11, 0, 0.0)
    assert pace.cpu_share == pytest.approx(0.011, rel=0.01)
    assert world.closed


def test_stretches_join_without_a_gap_or_a_double(world: World) -> None:
    with world.sampler() as sampler:
        # 0.1 * 3 is a hair more than 0.3.
        for end_s in (1000.3, 1000.1 + 0.5, 1001.0):
            sampler.run_until(end_s)
    assert [round(at_s, 3) for at_s in series(world).times_s] == [number / 10 for number in range(11)]


def test_lateness_is_recorded_and_does_not_add_up(world: World) -> None:
    world.late_s = 0.004
    with world.sampler() as sampler:
        sampler.run_until(1000.5)
    assert list(series(world).late_s) == [pytest.approx(0.004)] * 6
    assert sampler.pace().as_dict()["worst_late_ms"] == pytest.approx(4.0)


def test_ticks_that_were_missed_are_left_out_and_counted(world: World) -> None:
    with world.sampler() as sampler:
        sampler.run_until(1000.2)
        world.now_s += 0.35
        sampler.run_until(1001.0)
    times_s = [round(at_s, 3) for at_s in series(world).times_s]
    assert times_s[:4] == [0.0, 0.1, 0.2, 0.551]
    assert times_s[4:] == [0.6, 0.7, 0.8, 0.9, 1.0]
    assert sampler.pace().missed == 2


def test_who_stops_it_gets_control_at_once(world: World) -> None:
    with world.sampler() as sampler:
        sampler.run_until(1005.0, lambda: world.readings >= 3)
    assert world.readings == 3
    assert world.now_s < 1000.3


def test_waiting_for_what_is_over_takes_no_time() -> None:
    sleep_until(0.0)
