# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ethtool(8) asks the kernel, by the same ioctls: a program for each would cost an emulated guest more."""

from __future__ import annotations

import array
import contextlib
import fcntl
import socket
import struct
from collections.abc import Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.interface import Ethtool as Numbers

# linux/sockios.h and linux/ethtool.h
_SIOCETHTOOL = 0x8946
_GRINGPARAM, _GCHANNELS, _GCOALESCE = 0x10, 0x3C, 0x0E
_GSSET_INFO, _GSTRINGS, _GSTATS = 0x37, 0x1B, 0x1D
_SS_STATS = 1
_NAME_BYTES = 32
_RX_RING, _TX_RING, _COMBINED = 5, 8, 8
# struct ethtool_coalesce is 23 numbers, tx_max_coalesced_frames the sixth behind the command.
_COALESCE, _TX_FRAMES = "=23I", 6
_OFFLOADS = {"rx": 0x14, "tx": 0x16, "sg": 0x18, "tso": 0x1E, "gso": 0x23, "gro": 0x2B}


class Ethtool(Numbers):
    """More questions. What a driver does not tell is nothing, never an error."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def raw(self, interface: str, question: bytes) -> bytes:
        """One command, and what the driver made of it; OSError as the driver says."""
        data = array.array("B", question)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            request = struct.pack("16sP16x", interface.encode()[:15], data.buffer_info()[0])
            fcntl.ioctl(link, _SIOCETHTOOL, request)
        return data.tobytes()

    def statistics(self, interface: str) -> dict[str, int]:
        """What ``ethtool -S`` shows."""
        with contextlib.suppress(OSError):
            for _attempt in range(2):
                names = self._names.get(interface)
                if names is None:
                    names = self._names[interface] = self._read_names(interface)
                numbers = self._read_statistics(interface, len(names))
                if len(numbers) == len(names):
                    return dict(zip(names, numbers))
                del self._names[interface]  # it has other queues by now, or another driver
        return {}

    def rings(self, interface: str) -> dict[str, int]:
        """What ``ethtool -g`` shows: the sizes in use."""
        numbers = self._nine(interface, _GRINGPARAM)
        return {"rx": numbers[_RX_RING], "tx": numbers[_TX_RING]} if numbers else {}

    def channels(self, interface: str) -> int | None:
        """What ``ethtool -l`` shows: the queue pairs in use. Drivers that know of one only do not tell."""
        numbers = self._nine(interface, _GCHANNELS)
        return numbers[_COMBINED] if numbers else None

    def transmit_frames(self, interface: str) -> int | None:
        """``tx-frames`` of ``ethtool -c``. virtio-net shows by it whether its transmit interrupts are NAPI's."""
        with contextlib.suppress(OSError):
            return int(
                struct.unpack(_COALESCE, self.raw(interface, struct.pack(_COALESCE, _GCOALESCE, *[0] * 22)))[_TX_FRAMES]
            )
        return None

    def offloads(self, interface: str) -> dict[str, bool]:
        """The first of what ``ethtool -k`` shows, by its short names."""
        found = {}
        for name, command in _OFFLOADS.items():
            with contextlib.suppress(OSError):
                found[name] = bool(struct.unpack("=2I", self.raw(interface, struct.pack("=2I", command, 0)))[1])
        return found

    def _nine(self, interface: str, command: int) -> Sequence[int]:
        try:
            return self.ask(interface, (command, *[0] * 8))
        except OSError:
            return ()

    def _read_names(self, interface: str) -> list[str]:
        asked = struct.pack("=IIQI", _GSSET_INFO, 0, 1 << _SS_STATS, 0)
        _command, _reserved, there, count = struct.unpack("=IIQI", self.raw(interface, asked))
        if not there:
            return []
        head = struct.pack("=III", _GSTRINGS, _SS_STATS, count)
        texts = self.raw(interface, head + bytes(count * _NAME_BYTES))[len(head) :]
        pieces = [texts[at : at + _NAME_BYTES] for at in range(0, len(texts), _NAME_BYTES)]
        return [piece.partition(b"\0")[0].decode(errors="replace") for piece in pieces]

    def _read_statistics(self, interface: str, count: int) -> tuple[int, ...]:
        """As many as there are; the kernel writes no more than that were asked for."""
        if not count:
            return ()
        said = self.raw(interface, struct.pack("=II", _GSTATS, count) + bytes(count * 8))
        found = struct.unpack_from("=II", said)[1]
        return struct.unpack_from(f"={count}Q", said, 8) if found == count else ()


ETHTOOL = Ethtool()
