# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of DPDK's telemetry socket (version 2).

One request, one JSON answer, over a unix SOCK_SEQPACKET socket:
https://doc.dpdk.org/guides/howto/telemetry.html
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# DPDK names the size of its longest answer in its greeting; this is an upper bound of what it uses.
_ANSWER_BYTES = 1 << 20
# What DPDK reports for a link whose speed nobody knows (RTE_ETH_SPEED_NUM_UNKNOWN).
_UNKNOWN_SPEED = 0xFFFFFFFF


@dataclass(frozen=True)
class Counters:
    """A port's counters and when they were read.

    ``at_s`` is CLOCK_MONOTONIC when the answer came: DPDK reads the counters right before it sends them, whereas
    the request may have waited for a CPU. ``waited_s`` is the whole round trip, the bound of that error.
    """

    at_s: float
    waited_s: float
    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_missed: int
    tx_errors: int


class Telemetry:
    """A connection to one DPDK process; use it in a ``with`` block."""

    def __init__(self, path: str, timeout_s: float = 5.0) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(path)
            self.greeting: dict[str, Any] = json.loads(self._socket.recv(_ANSWER_BYTES))
        except (OSError, ValueError) as error:
            self._socket.close()
            raise _no_answer(path, "connect", error) from error

    def __enter__(self) -> Telemetry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, command: str) -> Any:
        """The answer to one command, such as ``/ethdev/info,0``; VirtperfError when there is none."""
        try:
            self._socket.send(command.encode())
            answer = json.loads(self._socket.recv(_ANSWER_BYTES))[command.partition(",")[0]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _no_answer(self.path, command, error) from error
        if answer is None:  # DPDK's way to say that it knows no such port or command
            raise VirtperfError(
                f"the DPDK process behind {self.path} has nothing to say to {command!r}",
                found="null",
                way_out="ask for a port that it has, see /ethdev/list",
            )
        return answer

    def counters(self, port: int = 0) -> Counters:
        """A port's packet and byte counters, with the time at which they were read."""
        asked_s = time.monotonic()
        stats = self.ask(f"/ethdev/stats,{port}")
        at_s = time.monotonic()
        return Counters(
            at_s=at_s,
            waited_s=at_s - asked_s,
            rx_packets=stats["ipackets"],
            tx_packets=stats["opackets"],
            rx_bytes=stats["ibytes"],
            tx_bytes=stats["obytes"],
            rx_missed=stats["imissed"],
            tx_errors=stats["oerrors"],
        )

    def queues(self, port: int = 0) -> tuple[int, int]:
        """How many receive and transmit queues the port was configured with."""
        info = self.ask(f"/ethdev/info,{port}")
        return info["nb_rx_queues"], info["nb_tx_queues"]

    def link(self, port: int = 0) -> tuple[bool, int | None]:
        """Whether the link is up, and its speed in Mbit/s (None: unknown)."""
        status = self.ask(f"/ethdev/link_status,{port}")
        speed = status.get("speed")
        known = isinstance(speed, int) and 0 < speed < _UNKNOWN_SPEED
        return str(status.get("status", "")).upper() == "UP", speed if known else None


def _no_answer(path: str, command: str, error: Exception) -> VirtperfError:
    return VirtperfError(
        f"the DPDK process behind {path} does not answer {command!r}",
        found=f"{type(error).__name__}: {error}",
        way_out="see whether it still runs and what the end of its log says",
    )
