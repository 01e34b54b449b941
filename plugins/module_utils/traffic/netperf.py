# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netperf: its command line, and what it says at its end and in between.

The values at its end come as ``KEY=VALUE`` lines (the omni output selectors of ``-k``); percentiles of latencies need
``-j``. Lines in between (``-D``) need a netperf that was configured with --enable-demo, as Debian's is; without, there
are none, and nobody is told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

TESTS = ("TCP_STREAM", "TCP_MAERTS", "UDP_STREAM", "TCP_RR", "UDP_RR")
# Not the port of a netserver that may run anyway.
PORT = 12885
_SELECTORS = ("THROUGHPUT", "THROUGHPUT_UNITS", "ELAPSED_TIME")
_LATENCIES = ("P50_LATENCY", "P99_LATENCY", "MEAN_LATENCY")
_VALUE = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
_INTERIM = re.compile(
    r"^Interim result: +([0-9.eE+-]+) +(\S+?)/s over ([0-9.eE+-]+) seconds(?: ending at ([0-9.]+))?", re.MULTILINE
)


@dataclass(frozen=True)
class Interim:
    """What a stretch in the middle of a test gave. ``ended_epoch_s`` is on CLOCK_REALTIME of who ran it."""

    rate: float
    unit: str
    seconds: float
    ended_epoch_s: float | None = None


@dataclass(frozen=True)
class Result:
    """``rate`` in ``unit`` a second: "10^6bits" or "Trans". Latencies are None where they were not asked for."""

    rate: float | None
    unit: str
    p50_us: float | None = None
    p99_us: float | None = None
    mean_us: float | None = None
    seconds: float | None = None
    interim: tuple[Interim, ...] = ()

    def rate_between(self, from_epoch_s: float, to_epoch_s: float) -> float | None:
        """The rate over the stretches that lie between two instants as a whole; None without one."""
        within = [
            one
            for one in self.interim
            if one.ended_epoch_s is not None
            and one.ended_epoch_s - one.seconds >= from_epoch_s
            and one.ended_epoch_s <= to_epoch_s
        ]
        seconds = sum(one.seconds for one in within)
        return sum(one.rate * one.seconds for one in within) / seconds if seconds > 0 else None


def server_words(port: int = PORT) -> list[str]:
    """netserver in the foreground, for others to end it."""
    return ["netserver", "-D", "-4", "-p", str(port)]


def words(
    test: str,
    address: str,
    seconds: float,
    *,
    port: int = PORT,
    local: str = "",
    message_bytes: int | None = None,
    interim_s: float | None = None,
) -> list[str]:
    """The client's command line. netperf takes whole seconds. A message is what one call sends, or asks for."""
    if test not in TESTS:
        raise VirtperfError(f"netperf's test cannot be {test!r}", way_out=f"one of {', '.join(TESTS)}")
    is_rr = test.endswith("_RR")
    given = ["netperf", "-4", "-H", address, "-p", str(port), "-t", test, "-l", str(max(1, math.ceil(seconds)))]
    given += ["-P", "0"]
    given += ["-L", local] if local else []
    given += ["-j"] if is_rr else []
    given += ["-D", f"{interim_s:g}"] if interim_s else []
    given.append("--")
    if message_bytes is not None and is_rr:
        given += ["-r", f"{message_bytes},{message_bytes}"]
    elif message_bytes is not None:
        given += ["-M" if test == "TCP_MAERTS" else "-m", str(message_bytes)]
    return [*given, "-k", ",".join([*_SELECTORS, *(_LATENCIES if is_rr else ())])]


def parse(text: str, errors: str = "") -> Result:
    """VirtperfError with what it said where there is no result in it; ``errors`` is its standard error."""
    values = {name: value.strip() for name, value in _VALUE.findall(text)}
    interim = tuple(_interim(match) for match in _INTERIM.findall(text))
    rate = number(values.get("THROUGHPUT"))
    if rate is None and not interim:
        said = " ".join([*_strange(text), *errors.split("\n")]).strip()
        raise VirtperfError(
            "netperf gave no result",
            found=said[-300:] or "it printed nothing",
            way_out="see whether the netserver at its other end answers, and that both are netperf 2.6 or newer",
        )
    return Result(
        rate=rate,
        unit=values.get("THROUGHPUT_UNITS", "").replace("/s", "").strip() or (interim[-1].unit if interim else ""),
        p50_us=number(values.get("P50_LATENCY")),
        p99_us=number(values.get("P99_LATENCY")),
        mean_us=number(values.get("MEAN_LATENCY")),
        seconds=number(values.get("ELAPSED_TIME")),
        interim=interim,
    )


def number(text: str | None) -> float | None:
    """A value that is known: netperf says -1 of a latency that it did not keep."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _interim(found: Sequence[str]) -> Interim:
    rate, unit, seconds, ended = found
    return Interim(number(rate) or 0.0, unit, number(seconds) or 0.0, number(ended))


def _strange(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not _VALUE.match(line)]
