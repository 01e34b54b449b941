# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load on a memcached, and how long it takes to answer.

The load is made by memaslap of libmemcached (Debian calls it memcaslap), which tells how many requests were answered,
but of their latency no more than powers of two. So a small program of ours asks beside it, one request at a time on a
connection of its own, and takes the time of each: what a client sees of a server under that load.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.carry import sources
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import memcached_probe

VALUE_BYTES = 1024
# Of keys that are set and asked for again; with many, a server in a small guest would forget the first of them.
_KEYS = "1k"
# With fewer answers there is no 99th percentile.
_LEAST = 100


@dataclass(frozen=True)
class Load:
    """Requests in a second, nine gets for a set, over memaslap's own run."""

    requests_per_s: float
    requests: int


@dataclass(frozen=True)
class Latency:
    """Of single requests, in µs. ``started_s`` is the instant of the first one, on CLOCK_MONOTONIC, ``ready_s`` the one
    from which on it could have been sent.
    """

    ready_s: float
    started_s: float
    requests: int
    p50_us: float | None
    p99_us: float | None


def words(program: str, address: str, port: int, seconds: int, connections: int) -> list[str]:
    """memaslap's command line."""
    return [
        program,
        f"--servers={address}:{port}",
        "--threads=1",
        f"--concurrency={connections}",
        f"--time={seconds}s",
        f"--fixed_size={VALUE_BYTES}",
        f"--win_size={_KEYS}",
    ]


def parse(text: str, errors: str = "") -> Load:
    """What memaslap printed. It ends with status 0 whatever happens: VirtperfError where no get was answered."""
    total = re.search(r"^Run time: [\d.]+s Ops: (\d+) TPS: (\d+)", text, re.MULTILINE)
    gets = re.search(r"^cmd_get: (\d+)$", text, re.MULTILINE)
    misses = re.search(r"^get_misses: (\d+)$", text, re.MULTILINE)
    if not total or not gets or not int(gets[1]):
        raise VirtperfError(
            "memaslap got no answers",
            found=_last(errors) or _last(text) or "no output at all",
            way_out="see whether memcached answers",
        )
    if misses and int(misses[1]) > 0.01 * int(gets[1]):
        raise VirtperfError(
            f"memcached had forgotten {misses[1]} of {gets[1]} values",
            way_out="give the guests more memory: what is not there is answered faster",
        )
    return Load(float(total[2]), int(total[1]))


def probe_words(python: str, address: str, port: int, at_s: float, seconds: float) -> list[str]:
    """The command line of the program that takes the time, from ``at_s`` (CLOCK_MONOTONIC) on."""
    return [python, "-IS", "-c", _probe(), address, str(port), f"{at_s:.6f}", f"{seconds:.3f}"]


@cache
def _probe() -> str:
    name = memcached_probe.__name__
    return sources(name)[name]


def parse_probe(text: str, errors: str = "") -> Latency:
    """What it printed; VirtperfError for anything else."""
    try:
        told = json.loads(text)
        found = Latency(
            float(told["ready_s"]), float(told["started_s"]), int(told["requests"]), told["p50_us"], told["p99_us"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise VirtperfError(
            "the time that memcached takes to answer is not known",
            found=_last(errors) or _last(text) or "no output at all",
            way_out="see whether memcached answers",
        ) from error
    if not found.requests:
        raise VirtperfError(
            "the program that takes the time of memcached's answers was ready too late to ask",
            way_out="a longer window, or CPUs of their own for what makes the traffic",
        )
    return found if found.requests >= _LEAST else replace(found, p99_us=None)


def _last(text: str) -> str:
    return " ".join(text.split())[-300:]
