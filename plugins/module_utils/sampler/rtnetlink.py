# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one question to the kernel's rtnetlink that samples need: every queueing discipline with its statistics.

By hand, because `tc -s -j qdisc` costs a process each time (some ms of CPU against some 50 us). The layout is that of
linux/netlink.h, linux/rtnetlink.h and linux/gen_stats.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence number, port
_ERRNO = struct.Struct("=i")  # struct nlmsgerr begins with it, negative
_TRAFFIC = struct.Struct("=B3xiIII")  # struct tcmsg: family, interface index, handle, parent, info
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_QUEUE = struct.Struct("=IIIII")  # struct gnet_stats_queue: qlen, backlog, drops, requeues, overlimits

_ERROR, _DONE = 2, 3
_NEW_QDISC, _GET_QDISC = 36, 38
_REQUEST, _DUMP = 0x1, 0x300
_STATS2, _STATS_QUEUE = 7, 3
_ROOT = 0xFFFFFFFF
_TYPE_MASK = 0x3FFF  # the two bits above say "nested" and "in network order"


@dataclass(frozen=True)
class Queue:
    """The root queueing discipline of an interface: packets and bytes waiting now, and packets dropped so far."""

    packets: int
    backlog_bytes: int
    dropped: int


def question(sequence: int) -> bytes:
    """RTM_GETQDISC for all interfaces."""
    length = _HEADER.size + _TRAFFIC.size
    header = _HEADER.pack(length, _GET_QDISC, _REQUEST | _DUMP, sequence, 0)
    return header + _TRAFFIC.pack(0, 0, 0, 0, 0)


def answer(data: bytes, sequence: int, into: dict[int, Queue]) -> bool:
    """Add what one datagram says, by interface index; True when it is the last one.

    Raises OSError where the kernel refuses, and ValueError where it makes no sense.
    """
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, number, _port = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            raise ValueError(f"a netlink message of {length} bytes in a datagram of {len(data)}")
        body = data[offset + _HEADER.size : offset + length]
        offset += _aligned(length)
        if number != sequence:  # the rest of an answer that nobody waited for
            continue
        if kind == _DONE:
            return True
        if kind == _ERROR and len(body) >= _ERRNO.size:
            raise OSError(-_ERRNO.unpack_from(body)[0], "rtnetlink refuses RTM_GETQDISC")
        if kind == _NEW_QDISC:
            _add(body, into)
    return False


def _add(body: bytes, into: dict[int, Queue]) -> None:
    if len(body) < _TRAFFIC.size:
        raise ValueError(f"a tcmsg of {len(body)} bytes")
    _family, index, _handle, parent, _info = _TRAFFIC.unpack_from(body)
    if parent != _ROOT:  # one queue of several, whose sum the root has
        return
    for kind, value in _attributes(body[_TRAFFIC.size :]):
        if kind != _STATS2:
            continue
        for inner, numbers in _attributes(value):
            if inner == _STATS_QUEUE and len(numbers) >= _QUEUE.size:
                packets, backlog, drops, _requeues, _overlimits = _QUEUE.unpack_from(numbers)
                into[index] = Queue(packets, backlog, drops)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if not _ATTRIBUTE.size <= length <= len(data) - offset:
            raise ValueError(f"a netlink attribute of {length} bytes where {len(data) - offset} are left")
        yield kind & _TYPE_MASK, data[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
