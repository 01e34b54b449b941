# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From counters at two edges to rates, and an account in which no packet is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import ForwardStats
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import (
    Edge,
    account,
    busy_ratio,
    frame_bytes,
    l1_mbps,
    l2_mbps,
    rates,
    refused_ratio,
)


def counters(at_s: float, rx: int, tx: int, missed: int = 0, size: int = 60) -> Counters:
    return Counters(at_s, 0.0001, rx, tx, rx * size, tx * size, missed, 0)


def edge(at_s: float, generator: tuple[int, int], reflector: tuple[int, int], skew_s: float = 0.0) -> Edge:
    return Edge(counters(at_s, *generator), counters(at_s + skew_s, *reflector))


counts = st.integers(min_value=0, max_value=1 << 48)
moments = st.floats(min_value=0.01, max_value=1000.0)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Edge, Edge]:
    """Counters never go back, clocks neither."""

    def end(at_s: float) -> tuple[Counters, Counters]:
        rx, tx, missed = draw(counts), draw(counts), draw(counts)
        later = counters(at_s + draw(moments), rx + draw(counts), tx + draw(counts), missed + draw(counts))
        return counters(at_s, rx, tx, missed), later

    (g_first, g_last), (r_first, r_last) = end(draw(moments)), end(draw(moments))
    return Edge(g_first, r_first), Edge(g_last, r_last)


class TestRates:
    def test_each_end_s_by_the_time_between_its_own_readings(self) -> None:
        first = edge(10.0, (100, 200), (0, 0), skew_s=0.5)
        last = Edge(counters(12.0, 2100, 2700), counters(13.5, 3000, 2700))
        found = rates(first, last, 64)
        assert (found["rx_pps"], found["tx_pps"]) == (1000.0, 1250.0)
        assert (found["reflector_rx_pps"], found["reflector_tx_pps"]) == (1000.0, 900.0)
        assert found["loss_ratio"] == pytest.approx(0.2)

    def test_the_original_s_number(self) -> None:
        # 8,040 Mbit/s at 64 bytes are 11.96 Mpps.
        assert l1_mbps(11_964_286, 64) == pytest.approx(8040, abs=0.01)
        assert l2_mbps(1_000_000, 1518) == 12144.0

    def test_nothing_sent_is_all_lost(self) -> None:
        assert rates(edge(0, (0, 0), (0, 0)), edge(1, (0, 0), (0, 0)), 64)["loss_ratio"] == 1.0

    def test_packets_on_their_way_are_no_negative_loss(self) -> None:
        assert rates(edge(0, (0, 0), (0, 0)), edge(1, (1001, 1000), (1000, 1000)), 64)["loss_ratio"] == 0.0

    @given(windows(), st.integers(64, 1518))
    def test_they_are_never_less_than_nothing(self, window: tuple[Edge, Edge], size: int) -> None:
        found = rates(*window, size)
        assert all(value >= 0 for value in found.values())
        assert found["loss_ratio"] <= 1.0
        assert found["l1_mbps"] == pytest.approx(found["l2_mbps"] * (size + 20) / size)
        assert found["l2_mbps"] == pytest.approx(found["rx_pps"] * size * 8 / 1e6)


class TestAccount:
    @given(windows())
    def test_what_was_sent_came_back_or_was_lost_somewhere(self, window: tuple[Edge, Edge]) -> None:
        found = account(*window, None)
        assert found["sent"] == found["received"] + sum(found["lost"].values())
        assert found["skew_s"] >= 0
        assert found["generator_rx_missed"] >= 0

    def test_each_stretch_has_its_own_loss(self) -> None:
        first = edge(0, (0, 0), (0, 0))
        last = edge(1, (70, 100), (90, 80), skew_s=0.25)
        found = account(first, last, ForwardStats(70, 100, 25, None, None))
        assert found["lost"] == {"before_reflector": 10, "in_reflector": 10, "after_reflector": 10}
        assert (found["sent"], found["reflector_received"], found["reflected"], found["received"]) == (100, 90, 80, 70)
        assert (found["offered"], found["refused"]) == (125, 25)
        assert found["skew_s"] == 0.25
        assert refused_ratio(found) == 0.2

    def test_without_statistics_nobody_knows_what_was_refused(self) -> None:
        found = account(edge(0, (0, 0), (0, 0)), edge(1, (1, 1), (1, 1)), None)
        assert (found["offered"], found["refused"]) == (None, None)
        assert refused_ratio(found) is None

    def test_nothing_offered_is_nothing_refused(self) -> None:
        assert refused_ratio({"offered": 0, "refused": 0}) is None


class TestFrames:
    def test_their_mean_size(self) -> None:
        assert frame_bytes(edge(0, (0, 0), (10, 10)), edge(1, (0, 0), (30, 30))) == 60.0

    def test_none_without_packets(self) -> None:
        assert frame_bytes(edge(0, (0, 0), (10, 10)), edge(1, (0, 0), (10, 10))) is None


class TestBusy:
    STATS = ForwardStats(1, 1, 0, busy_cycles=1_300_000_000, mhz=2600)

    def test_the_share_of_cycles_that_moved_packets(self) -> None:
        assert busy_ratio(self.STATS, 1.0, 1) == 0.5

    def test_cycles_of_all_forwarding_cores_are_of_all_their_time(self) -> None:
        # testpmd adds the cycles of its cores up; two of them, each busy a quarter of its time, are not half busy.
        assert busy_ratio(self.STATS, 1.0, 2) == 0.25

    def test_never_more_than_all(self) -> None:
        assert busy_ratio(self.STATS, 0.4, 1) == 1.0

    @pytest.mark.parametrize("stats", [None, ForwardStats(1, 1, 0, None, None), ForwardStats(1, 1, 0, 5, 0)])
    def test_unknown_is_none(self, stats: ForwardStats | None) -> None:
        assert busy_ratio(stats, 1.0, 1) is None
