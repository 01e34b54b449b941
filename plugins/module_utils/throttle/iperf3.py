# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What iperf3 says: its JSON document (``--json``), or its JSON lines (``--json-stream``, iperf3 3.17 and newer).

Both are read alike. Lines come as they happen, and with the instant at which each came they lie on our clock; a
document comes at the end and only knows seconds since the test began.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Interval:
    """What one interval moved, all streams together. ``at_s`` is when its line came, on the clock of who read it."""

    from_s: float
    to_s: float
    bytes: int
    retransmits: int | None = None
    at_s: float | None = None

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.to_s - self.from_s


@dataclass
class Report:
    """One end's account. ``sent_bytes`` and ``received_bytes`` are for the whole test, where it came to its end."""

    intervals: list[Interval] = field(default_factory=list)
    sent_bytes: int | None = None
    received_bytes: int | None = None
    retransmits: int | None = None
    mss: int | None = None
    version: str = ""
    error: str = ""


def parse_document(text: str) -> Report:
    """The output of ``iperf3 --json``."""
    try:
        document = json.loads(text)
    except ValueError as error:
        return Report(error=f"iperf3 gave no JSON: {error}: {text.strip()[-300:]}")
    report = Report()
    document = _object(document)
    _start(report, _object(document.get("start")))
    for interval in _list(document.get("intervals")):
        _interval(report, _object(interval), None)
    _end(report, _object(document.get("end")))
    report.error = str(document.get("error") or "")
    return report


def parse_stream(lines: Iterable[tuple[float, str]]) -> Report:
    """The lines of ``iperf3 --json-stream``, each with the instant at which it came. What is no JSON is an error's."""
    report = Report()
    strange = []
    for at_s, line in lines:
        try:
            event = _object(json.loads(line))
        except ValueError:
            strange += [line.strip()] if line.strip() else []
            continue
        kind, data = event.get("event"), event.get("data")
        if kind == "start":
            _start(report, _object(data))
        elif kind == "interval":
            _interval(report, _object(data), at_s)
        elif kind == "end":
            _end(report, _object(data))
        elif kind == "error":
            report.error = str(data)
    if strange and not report.intervals and not report.error:
        report.error = " ".join(strange)[-300:]
    return report


def rate_mbps(intervals: Sequence[Interval], from_s: float, to_s: float) -> float | None:
    """Mbit/s over the intervals that lie between two instants as a whole; None without one. For lines with instants."""
    moved = [
        interval for interval in intervals if interval.at_s is not None and from_s <= interval.at_s - interval.seconds
    ]
    moved = [interval for interval in moved if interval.at_s is not None and interval.at_s <= to_s]
    seconds = sum(interval.seconds for interval in moved)
    return sum(interval.bytes for interval in moved) * 8 / seconds / 1e6 if seconds > 0 else None


def _start(report: Report, data: Mapping[str, Any]) -> None:
    report.version = str(data.get("version", ""))
    report.mss = _integer(data.get("tcp_mss")) or _integer(data.get("tcp_mss_default"))


def _interval(report: Report, data: Mapping[str, Any], at_s: float | None) -> None:
    total = _object(data.get("sum"))
    start, end, moved = (_number(total.get(key)) for key in ("start", "end", "bytes"))
    if start is None or end is None or moved is None or total.get("omitted"):
        return
    report.intervals.append(Interval(start, end, int(moved), _integer(total.get("retransmits")), at_s))


def _end(report: Report, data: Mapping[str, Any]) -> None:
    sent, received = _object(data.get("sum_sent")), _object(data.get("sum_received"))
    report.sent_bytes = _integer(sent.get("bytes"))
    report.received_bytes = _integer(received.get("bytes"))
    report.retransmits = _integer(sent.get("retransmits"))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300
    return float(value) if good else None


def _integer(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
