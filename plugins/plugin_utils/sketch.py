# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate within the trials of a cell, as lines small enough to stand in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import CellSummary

# Size of the drawing, in units of its own.
WIDTH, HEIGHT = 120, 36
_POINTS_AT_MOST = 60


@dataclass(frozen=True, slots=True)
class Sketch:
    """Points of a polyline for each trial with samples; ``top`` (packets per second) is drawn at the upper edge."""

    lines: Sequence[str]
    top: float
    seconds: float


def sketch(cell: CellSummary) -> Sketch | None:
    """The windows of a cell's valid trials over one another; None without samples. The lower edge is 0."""
    windows = [record.samples for record in cell.counted if record.samples]
    if not windows:
        return None
    top = max(pps for window in windows for _seconds, pps in window)
    seconds = max(window[-1][0] for window in windows)
    return Sketch([_line(_thin(window), top or 1.0, seconds or 1.0) for window in windows], top, seconds)


def _thin(window: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most 60 points: of each stretch the slowest sample, for it is the dips that matter."""
    length = -(-len(window) // _POINTS_AT_MOST)
    return [min(window[at : at + length], key=lambda sample: sample[1]) for at in range(0, len(window), length)]


def _line(window: Sequence[tuple[float, float]], top: float, seconds: float) -> str:
    # One unit is left above and below, or half of a horizontal line would be cut off.
    return " ".join(
        f"{WIDTH * t / seconds:.1f},{1 + (HEIGHT - 2) * (1 - max(pps, 0.0) / top):.1f}" for t, pps in window
    )
