# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A window over two testpmds that only pretend: how long it is, and what is read in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect import window as window_module
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import Edge
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.window import Window, measure
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        yield lab


@pytest.fixture
def ends(lab: Lab) -> tuple[Instance, Instance]:
    lab.start(lab.vswitch(forwarding=True), lab.generator(forwarding=True))
    return Instance(lab.host, "generator"), Instance(lab.host, "vswitch")


def test_it_lasts_as_long_as_asked_and_shows_both_ends(ends: tuple[Instance, Instance]) -> None:
    window = measure(*ends, seconds=0.2, sample_s=0.05)
    assert 0.2 <= window.duration_s < 0.3
    assert window.last.generator.rx_packets > window.first.generator.rx_packets
    assert window.last.reflector.rx_packets > window.first.reflector.rx_packets
    assert set(window.cpu) == set(window.stats) == {"generator", "vswitch"}
    assert all(stats is not None for stats in window.stats.values())
    assert window.stats_s >= window.duration_s


def test_samples_lie_inside_and_have_their_own_rates(ends: tuple[Instance, Instance]) -> None:
    window = measure(*ends, seconds=0.2, sample_s=0.05)
    assert len(window.samples) == 3
    assert all(0 < at_s < window.duration_s for at_s, _pps in window.samples)
    assert [at_s for at_s, _pps in window.samples] == sorted(at_s for at_s, _pps in window.samples)
    # What it pretends is a packet a microsecond.
    assert all(0.5e6 < pps < 1.5e6 for pps in window.sample_pps)


@pytest.mark.parametrize("sample_s", [0.0, 0.05, 1.0])
def test_no_samples_where_none_fit(ends: tuple[Instance, Instance], sample_s: float) -> None:
    assert measure(*ends, seconds=0.05, sample_s=sample_s).samples == ()


def test_threads_that_only_wait_use_no_cpu(ends: tuple[Instance, Instance]) -> None:
    window = measure(*ends, seconds=0.1, sample_s=0.0)
    assert all(0.0 <= share < 0.5 for share in window.cpu.values())


def test_an_end_that_dies_in_it_is_an_error(lab: Lab) -> None:
    lab.behave(vswitch={"dies_when_asked": True})
    lab.start(lab.vswitch(forwarding=True), lab.generator(forwarding=True))
    with pytest.raises(VirtperfError):
        measure(Instance(lab.host, "generator"), Instance(lab.host, "vswitch"), 0.05, 0.0)


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

    def edge(self, now: float) -> Edge:
        counters = Counters(now, 0.0, int(now * 1000), 0, 0, 0, 0, 0)
        return Edge(counters, counters)

    @pytest.mark.parametrize(
        ("seconds", "sample_s", "samples"), [(1.0, 0.1, 9), (0.3, 0.1, 2), (1.0, 0.3, 2), (1, 0, 0)]
    )
    def test_its_end_does_not_depend_on_the_samples(
        self, clock: SimpleNamespace, seconds: float, sample_s: float, samples: int
    ) -> None:
        late_s = 0.004

        def counters() -> Counters:
            clock.now += late_s  # an answer takes its time
            return self.edge(clock.now).generator

        generator = SimpleNamespace(counters=counters)
        found = window_module._sleep(generator, self.edge(clock.now), seconds, sample_s)  # type: ignore[arg-type]
        # 0.3 / 0.1 is a hair below 3: one sample fewer does no harm.
        assert samples - 1 <= len(found) <= samples
        assert clock.now == pytest.approx(100.0 + seconds, abs=late_s)
        assert all(pps == pytest.approx(1000, rel=0.05) for _at_s, pps in found)

    def test_late_answers_do_not_make_it_sleep_backwards(self, clock: SimpleNamespace) -> None:
        def counters() -> Counters:
            clock.now += 0.5
            return self.edge(clock.now).generator

        generator = SimpleNamespace(counters=counters)
        window_module._sleep(generator, self.edge(clock.now), 1.0, 0.1)  # type: ignore[arg-type]
        assert min(clock.slept) == 0.0


def test_the_share_of_threads_that_ended_is_left_out() -> None:
    assert window_module._used_ratio({1: 0.0, 2: 0.0}, {1: 0.5}, 1.0) == 0.5
    assert window_module._used_ratio({1: 0.0}, {}, 1.0) == 0.0
    assert window_module._used_ratio({1: 1.0, 2: 1.0}, {1: 2.1, 2: 2.0}, 1.0) == 1.0


def test_a_window_is_as_long_as_the_generator_s_readings_are_apart() -> None:
    ends = [Edge(Counters(at, 0, 0, 0, 0, 0, 0, 0), Counters(0, 0, 0, 0, 0, 0, 0, 0)) for at in (5.0, 6.5)]
    assert Window(ends[0], ends[1], ((0.1, 7.0),), {}, {}, 2.0).duration_s == 1.5
