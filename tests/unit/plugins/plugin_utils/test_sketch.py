# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small drawings of the rate within windows."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.sketch import HEIGHT, WIDTH, Sketch, sketch
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def drawn(*windows: list[list[float]]) -> Sketch | None:
    """The sketch of a cell whose trials have these samples."""
    records = [Record(make.record(trial=n, samples=samples), n) for n, samples in enumerate(windows, start=1)]
    (cell,) = analyse(records, [])
    return sketch(cell)


def test_nothing_without_samples() -> None:
    assert drawn([]) is None


def test_lines_reach_from_zero_to_the_highest_sample() -> None:
    found = drawn([[0.5, 1e6], [1.0, 2e6]], [[1.0, 0.0]])
    assert found is not None
    assert (found.top, found.seconds) == (2e6, 1.0)
    assert found.lines == [f"60.0,{HEIGHT / 2:.1f} 120.0,1.0", f"{WIDTH:.1f},{HEIGHT - 1:.1f}"]


def test_a_long_window_keeps_its_dips() -> None:
    window = [[n / 1000, 1e6] for n in range(1, 1001)]
    window[500][1] = 0.0
    found = drawn(window)
    assert found is not None
    points = found.lines[0].split(" ")
    assert len(points) <= 60
    assert sum(point.endswith(f",{HEIGHT - 1:.1f}") for point in points) == 1


def test_a_window_of_nothing_but_zeros() -> None:
    found = drawn([[0.0, 0.0]])
    assert found is not None
    assert found.lines == [f"0.0,{HEIGHT - 1:.1f}"]
