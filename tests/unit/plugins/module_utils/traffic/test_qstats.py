# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops of transmit queues, from a netlink that is none."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.qstats import QueueStops, answer


def message(kind: int, body: bytes, sequence: int) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, sequence, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


class Kernel(socket.socket):
    """Answers each question; ``stops`` by interface index."""

    def __init__(self, stops: dict[int, int], has_family: bool = True, wide: bool = False) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.stops, self.has_family, self.wide = stops, has_family, wide
        self.answers: list[bytes] = []

    def send(self, data: Any, flags: int = 0) -> int:
        _length, kind, _flags, sequence, _port = struct.unpack_from("=IHHII", data)
        if kind == 0x10 and not self.has_family:
            self.answers.append(message(2, struct.pack("=i", -errno.ENOENT) + data[:16], sequence))
        elif kind == 0x10:
            body = b"\3\1\0\0" + attribute(2, b"netdev\0") + attribute(1, struct.pack("=H", 27))
            self.answers.append(message(0x10, body, sequence))
        else:
            (index,) = struct.unpack_from("=I", data, 24)
            body = b"\14\1\0\0" + attribute(1, struct.pack("=I", index))
            if index in self.stops:
                body += attribute(33, struct.pack("=Q" if self.wide else "=I", self.stops[index]))
            self.answers += [message(kind, body, sequence), message(3, b"\0\0\0\0", sequence)]
        return len(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self.answers.pop(0)


@pytest.mark.parametrize("wide", [True, False])
def test_stops_of_one_interface(wide: bool) -> None:
    stops = QueueStops(lambda: Kernel({3: 17, 4: 0}, wide=wide))
    assert (stops.of(3), stops.of(4)) == (17, 0)
    stops.close()


def test_a_driver_that_does_not_count() -> None:
    assert QueueStops(lambda: Kernel({})).of(3) is None


def test_a_kernel_without_the_family() -> None:
    assert QueueStops(lambda: Kernel({3: 1}, has_family=False)).of(3) is None


def test_no_netlink_at_all() -> None:
    def refuse() -> socket.socket:
        raise PermissionError("no")

    assert QueueStops(refuse).of(3) is None


def test_the_real_one_answers_or_not() -> None:
    assert QueueStops().of(1) in (None, 0)


@given(st.binary(max_size=200))
def test_any_datagram(data: bytes) -> None:
    with contextlib.suppress(ValueError, OSError):
        answer(data, 1, [])
