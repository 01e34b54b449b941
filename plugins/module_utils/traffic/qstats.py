# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a driver stopped its transmit queues because their rings were full.

virtio-net tells it since Linux 6.9, by generic netlink's family "netdev" only (Documentation/netlink/specs/netdev.yaml)
and not by ethtool. The layout is that of linux/netlink.h, linux/genetlink.h and linux/netdev.h.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Callable, Iterator

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_GENERIC = struct.Struct("=BBH")  # struct genlmsghdr: command, version, reserved
_ATTRIBUTE = struct.Struct("=HH")
_REQUEST, _DUMP = 0x1, 0x300
_ERROR, _DONE = 2, 3
_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 0x10, 3, 1, 2
_QSTATS_GET, _IFINDEX, _TX_STOP = 12, 1, 33
_TYPE_MASK = 0x3FFF
_DATAGRAM = 65536
_PATIENCE_S = 0.5


def generic_socket() -> socket.socket:
    """A socket to generic netlink; needs no rights."""
    made = socket.socket(16, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 16)
    made.settimeout(_PATIENCE_S)
    return made


class QueueStops:
    """Asks for them, by interface index."""

    def __init__(self, open_socket: Callable[[], socket.socket] = generic_socket) -> None:
        self._open = open_socket
        self._socket: socket.socket | None = None
        self._family: int | None = None
        self._sequence = 0

    def of(self, index: int) -> int | None:
        """Of all its transmit queues since the driver began; None where kernel or driver do not tell."""
        try:
            if self._family is None:
                self._family = self._find_family()
            if not self._family:
                return None
            stops: int | None = None
            asked = _attribute(_IFINDEX, struct.pack("=I", index))
            for kind, value in self._ask(self._family, _REQUEST | _DUMP, _QSTATS_GET, asked):
                if kind == _TX_STOP and len(value) in (4, 8):
                    stops = (stops or 0) + int.from_bytes(value, sys.byteorder)
            return stops
        except (OSError, ValueError, struct.error):
            return None

    def _find_family(self) -> int:
        """0 where this kernel has none."""
        with contextlib.suppress(OSError):
            for kind, value in self._ask(_CONTROL, _REQUEST, _GET_FAMILY, _attribute(_FAMILY_NAME, b"netdev\0")):
                if kind == _FAMILY_ID and len(value) >= 2:
                    return int(struct.unpack_from("=H", value)[0])
        return 0

    def _ask(self, family: int, flags: int, command: int, attributes: bytes) -> list[tuple[int, bytes]]:
        """All attributes of the answer. Raises OSError where the kernel refuses."""
        if self._socket is None:
            self._socket = self._open()
        self._sequence += 1
        body = _GENERIC.pack(command, 1, 0) + attributes
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), family, flags, self._sequence, 0) + body)
        found: list[tuple[int, bytes]] = []
        is_dump = bool(flags & _DUMP)
        while not answer(self._socket.recv(_DATAGRAM), self._sequence, found) and is_dump:
            continue
        return found

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def answer(data: bytes, sequence: int, into: list[tuple[int, bytes]]) -> bool:
    """Add the attributes of one datagram; True when it is the last one. OSError where the kernel refuses."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, number, _port = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            raise ValueError(f"a netlink message of {length} bytes in a datagram of {len(data)}")
        body = data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3
        if number != sequence:
            continue
        if kind == _DONE:
            return True
        if kind == _ERROR and len(body) >= 4:
            raise OSError(-struct.unpack_from("=i", body)[0], "generic netlink refuses")
        into += _attributes(body[_GENERIC.size :])
    return False


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if not _ATTRIBUTE.size <= length <= len(data) - offset:
            raise ValueError(f"a netlink attribute of {length} bytes where {len(data) - offset} are left")
        yield kind & _TYPE_MASK, data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)
