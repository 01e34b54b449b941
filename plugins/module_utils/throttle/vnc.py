# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A window that changes its colour on the server, and what the client shows of it.

Both ends tell in JSON lines: ``{"event": "change", "number": 7, "at": 1795168800.25}`` when the window was painted,
``{"event": "shown", ...}`` when the viewer had it on its screen. ``at`` is the UTC time of that guest's own clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import Offset

CHANGE, SHOWN = "change", "shown"


@dataclass(frozen=True)
class Marker:
    """``at_s`` by the guest's clock, ``came_s`` the instant its line came, on the clock of who read it."""

    event: str
    number: int
    at_s: float
    came_s: float


@dataclass(frozen=True)
class Frames:
    """The changes of a stretch. ``skipped`` were never shown, but a later one was; ``pending`` were on their way when
    we stopped looking. Delays in seconds, from change to shown; None where the clocks are not known well enough, or
    nothing was shown.
    """

    made: int
    shown: int
    skipped: int
    pending: int
    delay_s: float | None
    longest_delay_s: float | None


def parse(lines: Iterable[tuple[float, str]]) -> list[Marker]:
    """The markers in lines that came at these instants; lines of other content are left out."""
    found = []
    for came_s, line in lines:
        try:
            raw = json.loads(line)
            marker = Marker(str(raw["event"]), int(raw["number"]), float(raw["at"]), came_s)
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        if marker.event in (CHANGE, SHOWN):
            found.append(marker)
    return found


def frames(
    server: Sequence[Marker], client: Sequence[Marker], from_s: float, to_s: float, clocks: tuple[Offset, Offset]
) -> Frames:
    """The changes whose markers came between two instants, and what became of them.

    ``clocks`` are those of the server and the client. A change shows whenever it does, also after ``to_s``: it is late
    then, not skipped.
    """
    made = {marker.number: marker for marker in server if marker.event == CHANGE and from_s <= marker.came_s < to_s}
    shown: dict[int, Marker] = {}
    latest = max((marker.number for marker in client if marker.event == SHOWN), default=-1)
    for marker in client:
        if marker.event == SHOWN and marker.number in made:
            shown.setdefault(marker.number, marker)
    delays = (
        [clocks[1].ours(marker.at_s) - clocks[0].ours(made[number].at_s) for number, marker in shown.items()]
        if all(clock.is_known for clock in clocks)
        else []
    )
    return Frames(
        made=len(made),
        shown=len(shown),
        skipped=sum(number < latest for number in made.keys() - shown.keys()),
        pending=sum(number > latest for number in made.keys() - shown.keys()),
        delay_s=median(delays) if delays else None,
        longest_delay_s=max(delays) if delays else None,
    )
