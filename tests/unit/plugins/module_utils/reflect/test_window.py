# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A window over two testpmds that only pretend: how long it is, and what is read in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect import window as window_module
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import Edge
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.testpmd_end import TestpmdEnd
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.window import Ends, Window, measure
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        yield lab


def running(lab: Lab) -> Ends:
    vswitch, generator = lab.vswitch(forwarding=True), lab.generator(forwarding=True)
    lab.start(vswitch, generator)
    return Ends(TestpmdEnd(lab.host, vswitch), TestpmdEnd(lab.host, generator), vswitch_reflects=True)


@pytest.fixture
def ends(lab: Lab) -> Ends:
    return running(lab)


def test_it_lasts_as_long_as_asked_and_shows_both_ends(ends: Ends) -> None:
    window = measure(ends, seconds=0.2, sample_s=0.05)
    assert 0.2 <= window.duration_s < 0.3
    assert window.last.generator.rx_packets > window.first.generator.rx_packets
    assert window.last.reflector.rx_packets > window.first.reflector.rx_packets
    assert set(window.cpu) == set(window.stats) == {"generator", "vswitch"}
    assert all(stats is not None for stats in window.stats.values())
    assert window.stats_s >= window.duration_s


def test_samples_lie_inside_and_have_their_own_rates(ends: Ends) -> None:
    window = measure(ends, seconds=0.2, sample_s=0.05)
    assert len(window.samples) == 3
    assert all(0 < at_s < window.duration_s for at_s, _pps in window.samples)
    assert [at_s for at_s, _pps in window.samples] == sorted(at_s for at_s, _pps in window.samples)
    # What it pretends is a packet a microsecond.
    assert all(0.5e6 < pps < 1.5e6 for pps in window.sample_pps)


@pytest.mark.parametrize("sample_s", [0.0, 0.05, 1.0])
def test_no_samples_where_none_fit(ends: Ends, sample_s: float) -> None:
    assert measure(ends, seconds=0.05, sample_s=sample_s).samples == ()


def test_threads_that_only_wait_use_no_cpu(ends: Ends) -> None:
    window = measure(ends, seconds=0.1, sample_s=0.0)
    assert all(0.0 <= share < 0.5 for share in window.cpu.values())


def test_an_end_that_dies_in_it_is_an_error(lab: Lab) -> None:
    lab.behave(vswitch={"dies_when_asked": True})
    ends = running(lab)
    with pytest.raises(VirtperfError):
        measure(ends, 0.05, 0.0)


def test_what_comes_back_is_read_at_the_vswitch() -> None:
    def end(name: str, received: int, sent: int) -> Any:
        return SimpleNamespace(name=name, counters=lambda: Counters(7.0, 0.0, received, sent, 0, 0, 0, 0))

    vswitch, far_end = end("vswitch", 10, 20), end("other", 0, 0)
    assert Ends(vswitch, far_end, vswitch_reflects=True).came_back() == (7.0, 20)
    assert Ends(vswitch, far_end, vswitch_reflects=False).came_back() == (7.0, 10)


def test_who_generates_is_a_matter_of_direction() -> None:
    vswitch, far_end = SimpleNamespace(name="vswitch"), SimpleNamespace(name="far")
    ends = Ends(vswitch, far_end, vswitch_reflects=True)  # type: ignore[arg-type]
    assert (ends.generator.name, ends.reflector.name) == ("far", "vswitch")
    ends = Ends(vswitch, far_end, vswitch_reflects=False)  # type: ignore[arg-type]
    assert (ends.generator.name, ends.reflector.name) == ("vswitch", "far")


class TestSleeping:
    """Time that only passes when somebody sleeps."""

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        clock = SimpleNamespace(now=100.0, slept=[])

        def sleep(seconds: float) -> None:
            assert seconds >= 0
            clock.slept.append(seconds)
            clock.now += seconds

        monkeypatch.setattr(window_module, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
        return clock

    @pytest.mark.parametrize(
        ("seconds", "sample_s", "samples"), [(1.0, 0.1, 9), (0.3, 0.1, 2), (1.0, 0.3, 2), (1, 0, 0)]
    )
    def test_its_end_does_not_depend_on_the_samples(
        self, clock: SimpleNamespace, seconds: float, sample_s: float, samples: int
    ) -> None:
        late_s = 0.004

        def read() -> tuple[float, int]:
            clock.now += late_s  # an answer takes its time
            return clock.now, int(clock.now * 1000)

        found = window_module._sleep(read, clock.now, seconds, sample_s)
        # 0.3 / 0.1 is a hair below 3: one sample fewer does no harm.
        assert samples - 1 <= len(found) <= samples
        assert clock.now == pytest.approx(100.0 + seconds, abs=late_s)
        assert all(pps == pytest.approx(1000, rel=0.05) for _at_s, pps in found)

    def test_late_answers_do_not_make_it_sleep_backwards(self, clock: SimpleNamespace) -> None:
        def read() -> tuple[float, int]:
            clock.now += 0.5
            return clock.now, int(clock.now * 1000)

        window_module._sleep(read, clock.now, 1.0, 0.1)
        assert min(clock.slept) == 0.0


def test_the_share_of_threads_that_ended_is_left_out() -> None:
    assert window_module._used_ratio({1: 0.0, 2: 0.0}, {1: 0.5}, 1.0) == 0.5
    assert window_module._used_ratio({1: 0.0}, {}, 1.0) == 0.0
    assert window_module._used_ratio({1: 1.0, 2: 1.0}, {1: 2.1, 2: 2.0}, 1.0) == 1.0


def test_a_window_is_as_long_as_the_generator_s_readings_are_apart() -> None:
    ends = [Edge(Counters(at, 0, 0, 0, 0, 0, 0, 0), Counters(0, 0, 0, 0, 0, 0, 0, 0)) for at in (5.0, 6.5)]
    assert Window(ends[0], ends[1], ((0.1, 7.0),), {}, {}, 2.0).duration_s == 1.5
