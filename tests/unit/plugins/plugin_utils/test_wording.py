# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and cells in words."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils import wording


def test_rates() -> None:
    assert wording.mpps(15_204_000) == "15.20"
    assert wording.mpps_range([1.5e6, 1.2e6]) == "1.20 to 1.50 Mpps"
    assert wording.mpps_range([1.5e6, 1.501e6]) == "1.50 Mpps"
    assert wording.mbits(10213.6) == "10,214"


@pytest.mark.parametrize(
    ("mbps", "words"),
    [
        (0, "0.00"),
        (0.001, "< 0.01"),
        (0.516, "0.52"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.96, "100"),
        (1234.5, "1,234"),
    ],
)
def test_rates_orders_of_magnitude_apart(mbps: float, words: str) -> None:
    assert wording.rate(mbps) == words


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(0.97, "97 %"), (0.001, "0.1 %"), (0.0001, "< 0.1 %"), (0.01, "1 %"), (0, "0 %"), (0.0999, "10 %"), (2, "200 %")],
)
def test_shares(ratio: float, words: str) -> None:
    assert wording.percent(ratio) == words


def test_counts_and_lists() -> None:
    assert [wording.count(n, "cell") for n in (1, 2, 1000)] == ["1 cell", "2 cells", "1,000 cells"]
    assert wording.listed("abc") == "a, b, c"
    assert wording.listed("abcdef", most=2) == "a, b and 4 more"


def test_a_cell_reads_from_the_driver_to_the_packet_size() -> None:
    cell = {"ring_size": 256, "packet_size": 64, "queues": 2, "driver": "virtio_user_split", "in_order": True}
    assert wording.cell_label(cell) == "virtio_user_split, 2 queues, in order on, ring size 256, 64 bytes"
    assert wording.row_label({"driver": "d", "queues": 1, "packet_size": 64}) == "d, 1 queue"
    assert wording.cells_label([cell]) == wording.cell_label(cell)
    assert wording.cells_label([cell, cell, cell]).endswith("64 bytes (and 2 more cells)")


def test_a_cell_of_the_other_study_is_a_phase() -> None:
    cell = {"workload": "iperf3", "layout": "kthread", "phase": "50%"}
    assert wording.cell_label(cell) == "iperf3, kthread, 50%"
    assert wording.cells_label([cell, cell]) == "iperf3, kthread, 50% (and 1 more cell)"


@pytest.mark.parametrize(
    ("value", "words"),
    [("x", "x"), (True, "on"), (3, "3"), ([0, 1], "0, 1"), ([], ""), (None, "null"), ({"a": 1}, '{"a": 1}')],
)
def test_levels(value: object, words: str) -> None:
    assert wording.level(value) == words


def test_nothing_in_a_line_that_a_terminal_obeys() -> None:
    assert wording.one_line("red \x1b[31m\n  alert\x07") == "red ?[31m alert?"
    assert wording.one_line("abcdefgh", 6) == "abc..."


def test_a_cell_of_a_comparison() -> None:
    assert wording.cell_label({"knob": "vhost", "level": "off", "workload": "tcp_rr"}) == "vhost=off, tcp_rr"
    crossed = {"knob": "vhost,tx", "level": "off,timer", "workload": "tcp_rr"}
    assert wording.cell_label(crossed) == "vhost=off,tx=timer, tcp_rr"
    assert wording.knob_label({"knob": "vhost,tx", "level": "off"}) == "vhost,tx=off"
    assert wording.cell_label({"policy": "sidecore", "guests": 1, "workload": "nginx"}) == "nginx, sidecore, 1 guest"
