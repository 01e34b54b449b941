# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits in front of network interfaces: backlog and drops of their queueing disciplines."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.rtnetlink import Queue, answer, question
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Column, Reading

_PATIENCE_S = 0.5
# The kernel fills datagrams of up to 32 KiB.
_DATAGRAM = 65536
COUNTERS = ("packets", "backlog_bytes", "dropped")


def rtnetlink_socket() -> socket.socket:
    """A socket to the kernel's routing family; needs no rights."""
    # By number: AF_NETLINK and NETLINK_ROUTE are not there on every platform that Python's types know.
    made = socket.socket(16, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    made.settimeout(_PATIENCE_S)
    return made


class Qdiscs:
    """Columns ("qdisc", <interface>, <counter>); packets and backlog_bytes are gauges."""

    def __init__(
        self,
        names: Sequence[str],
        open_socket: Callable[[], socket.socket] = rtnetlink_socket,
        index_of: Callable[[str], int] = socket.if_nametoindex,
    ) -> None:
        self.columns: list[Column] = [("qdisc", name, counter) for name in names for counter in COUNTERS]
        # By index, so that a new interface of an old name is not taken for the old one.
        self._indexes = [_index(name, index_of) for name in names]
        self._sequence = 0
        self._socket = open_socket()

    def read(self) -> list[Reading]:
        """Of each root queueing discipline; None where an interface has none, or the kernel does not answer."""
        try:
            queues = self._ask()
        except (OSError, ValueError):
            queues = {}
        readings: list[Reading] = []
        for index in self._indexes:
            queue = queues.get(index)
            readings += [queue.packets, queue.backlog_bytes, queue.dropped] if queue else [None, None, None]
        return readings

    def _ask(self) -> dict[int, Queue]:
        self._sequence += 1
        self._socket.send(question(self._sequence))
        queues: dict[int, Queue] = {}
        while not answer(self._socket.recv(_DATAGRAM), self._sequence, queues):
            continue
        return queues

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


def _index(name: str, index_of: Callable[[str], int]) -> int:
    try:
        return index_of(name)
    except OSError as error:
        raise VirtperfError(
            f"there is no network interface {name}",
            found=str(error),
            way_out="name interfaces of this machine, in the network namespace of the one who asks",
        ) from error
