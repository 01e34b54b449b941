# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a memcached one thing at a time and takes the time of each answer: a program, run by its text alone.

Its arguments are address, port, the instant of CLOCK_MONOTONIC to begin at, and for how many seconds. It prints one
JSON object. A client that waited for several answers at once would say more of itself than of the server.
"""

from __future__ import annotations

import json
import socket
import sys
import time

_KEY = b"virtperf"
_VALUE = b"v" * 1024
_END = b"END\r\n"
_PATIENCE_S = 5.0


def ask(server: socket.socket) -> float:
    """How long one answer takes, in seconds."""
    asked_s = time.monotonic()
    server.sendall(b"get " + _KEY + b"\r\n")
    data = b""
    while not data.endswith(_END):
        part = server.recv(65536)
        if not part:
            raise OSError("the server has closed the connection")
        data += part
    answered_s = time.monotonic()
    if _VALUE not in data:
        raise OSError("the server has forgotten the value")
    return answered_s - asked_s


def tell(server: socket.socket) -> None:
    """Have the server know the value."""
    server.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (_KEY, len(_VALUE), _VALUE))
    said = server.recv(65536)
    if said != b"STORED\r\n":
        raise OSError(f"the server did not take the value: {said!r}")


def percentile(ordered: list[float], percent: float) -> float | None:
    """By nearest rank; None of nothing."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def measure(address: str, port: int, at_s: float, seconds: float) -> dict[str, float | int | None]:
    """From an instant on, for so many seconds."""
    took: list[float] = []
    with socket.create_connection((address, port), timeout=_PATIENCE_S) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tell(server)
        ready_s = time.monotonic()
        time.sleep(max(0.0, at_s - time.monotonic()))
        started_s = now_s = time.monotonic()
        while now_s < at_s + seconds:
            took.append(ask(server))
            now_s = time.monotonic()
    took.sort()
    middle, worst = percentile(took, 50), percentile(took, 99)
    return {
        "ready_s": ready_s,
        "started_s": started_s,
        "requests": len(took),
        "p50_us": None if middle is None else round(middle * 1e6, 1),
        "p99_us": None if worst is None else round(worst * 1e6, 1),
    }


def main() -> None:
    """The program."""
    address, port, at_s, seconds = sys.argv[1:5]
    try:
        json.dump(measure(address, int(port), float(at_s), float(seconds)), sys.stdout)
    except OSError as error:
        raise SystemExit(f"{address} port {port}: {error}") from error


if __name__ == "__main__":
    main()
