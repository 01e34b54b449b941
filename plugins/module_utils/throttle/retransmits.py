# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a guest's TCP sent again: the counters of its kernel, which cost no more than reading a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.ends import End

# Documentation/networking/snmp_counter.rst. All of the guest's connections together.
COUNTERS = (
    "RetransSegs",
    "TCPFastRetrans",
    "TCPSlowStartRetrans",
    "TCPTimeouts",
    "TCPLossProbes",
    "TCPLostRetransmit",
    "TCPSpuriousRtxHostQueues",
    "TCPRetransFail",
)
_END = "@"
_WATCH = 'pause=$1; while cat /proc/net/netstat /proc/net/snmp; do echo @; sleep "$pause"; done'


@dataclass(frozen=True)
class Look:
    """The counters at the instant at which they came."""

    at_s: float
    counters: dict[str, int]


def watch(end: End, every_s: float) -> list[str]:
    """The command line that prints them again and again."""
    return end.leashed(["sh", "-c", _WATCH, "sh", f"{every_s:g}"])


def looks(lines: Sequence[tuple[float, str]]) -> list[Look]:
    """From its lines with their instants. A line of names comes before each line of numbers."""
    found: list[Look] = []
    counters: dict[str, int] = {}
    names: list[str] = []
    for at_s, line in lines:
        words = line.split()
        if words == [_END]:
            found.append(Look(at_s, counters))
            counters, names = {}, []
        elif names and words[:1] == names[:1]:
            read = dict(zip(names[1:], words[1:]))
            counters.update({name: int(read[name]) for name in COUNTERS if read.get(name, "").isdecimal()})
            names = []
        else:
            names = words
    return [look for look in found if look.counters]


def growth(seen: Sequence[Look], from_s: float, to_s: float) -> dict[str, Any] | None:
    """What was added from the last look before a phase to the last one in it; None without both."""
    before = [look for look in seen if look.at_s <= from_s]
    within = [look for look in seen if from_s < look.at_s <= to_s]
    if not before or not within:
        return None
    first, last = before[-1], within[-1]
    added = {name: last.counters[name] - first.counters[name] for name in last.counters if name in first.counters}
    return {"from_s": round(first.at_s, 3), "to_s": round(last.at_s, 3), **added}
