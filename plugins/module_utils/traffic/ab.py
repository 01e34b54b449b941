# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ApacheBench: requests to a web server for so many seconds, several at a time, on connections that are kept.

Its table of percentiles is in whole milliseconds; the file that ``-e`` writes has three digits more, and is printed
behind the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_MARK = "-- percentiles --"
# The file is there only if the run came to its end; what ab itself says went to standard error then.
_SCRIPT = 'ab "$@" && echo "{mark}" && cat "$0"'
# ab ends at this number even if its time is not over, and sets memory aside for as many: more than it can do.
_A_SECOND = 200_000


@dataclass(frozen=True)
class Result:
    """Requests in a second, over ab's own run; latencies in µs."""

    requests_per_s: float
    requests: int
    p50_us: float | None
    p99_us: float | None


def words(url: str, seconds: int, connections: int, file: str) -> list[str]:
    """The command line. ``file`` is where the percentiles are kept until they are printed."""
    options = ["-q", "-k", "-t", str(seconds), "-n", str(seconds * _A_SECOND), "-c", str(connections), "-e", file]
    return ["sh", "-c", _SCRIPT.format(mark=_MARK), file, *options, url]


def parse(text: str, errors: str = "") -> Result:
    """What it printed; VirtperfError for what is no result, or one of requests that failed."""
    report, mark, table = text.partition(_MARK)
    requests = _number(report, r"^Complete requests:\s+(\d+)$")
    rate = _number(report, r"^Requests per second:\s+([\d.]+)")
    if not mark or not requests or rate is None:
        raise VirtperfError(
            "ab gave no result",
            found=_last(errors) or _last(text) or "no output at all",
            way_out="see whether the web server answers",
        )
    for what, pattern in (
        ("requests failed", r"^Failed requests:\s+(\d+)$"),
        ("answers were not those of a page", r"^Non-2xx responses:\s+(\d+)$"),
    ):
        bad = _number(report, pattern)
        if bad:
            raise VirtperfError(
                f"{bad:.0f} of {requests:.0f} {what}", found=_last(errors), way_out="see the web server"
            )
    found = dict(_rows(table.splitlines()))
    return Result(rate, int(requests), found.get(50), found.get(99))


def _rows(lines: Sequence[str]) -> list[tuple[int, float]]:
    rows = []
    for line in lines:
        match = re.fullmatch(r"(\d+),([\d.]+)", line.strip())
        if match:
            rows.append((int(match[1]), float(match[2]) * 1000))
    return rows


def _number(text: str, pattern: str) -> float | None:
    match = re.search(pattern, text, re.MULTILINE)
    return float(match[1]) if match else None


def _last(text: str) -> str:
    return " ".join(text.split())[-300:]
