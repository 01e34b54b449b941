# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ethtool's ioctls, against a driver of one's own making."""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.ethtool import ETHTOOL, Ethtool


class Driver(Ethtool):
    """Answers as linux/ethtool.h has it. ``names`` are its statistics, numbered from 10."""

    def __init__(self, names: Sequence[str], refuses: bool = False) -> None:
        super().__init__()
        self.names = list(names)
        self.refuses = refuses
        self.asked: list[int] = []

    def raw(self, interface: str, question: bytes) -> bytes:
        command = int(struct.unpack_from("=I", question)[0])
        self.asked.append(command)
        if self.refuses:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        if command == 0x37:
            return struct.pack("=IIQI", command, 0, 2, len(self.names))
        if command == 0x1B:
            return question[:12] + b"".join(name.encode().ljust(32, b"\0") for name in self.names)
        if command == 0x1D:
            numbers = [10 + number for number in range(len(self.names))]
            room = (len(question) - 8) // 8
            body = struct.pack(f"={len(numbers)}Q", *numbers)[: room * 8].ljust(room * 8, b"\0")
            return struct.pack("=II", command, len(numbers)) + body
        if command == 0x0E:
            return struct.pack("=23I", command, *[0] * 5, 1, *[0] * 16)
        return struct.pack("=2I", command, int(command == 0x1E))

    def ask(self, interface: str, numbers: Sequence[int]) -> tuple[int, ...]:
        if self.refuses:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return (numbers[0], 1024, 0, 0, 1024, 256, 0, 0, 2)


def test_statistics_by_name_and_names_asked_for_once() -> None:
    driver = Driver(["rx_kicks", "tx_kicks"])
    assert driver.statistics("eth0") == {"rx_kicks": 10, "tx_kicks": 11}
    assert driver.statistics("eth0") == {"rx_kicks": 10, "tx_kicks": 11}
    assert driver.asked == [0x37, 0x1B, 0x1D, 0x1D]


def test_a_driver_with_other_queues_since() -> None:
    driver = Driver(["a"])
    driver.statistics("eth0")
    driver.names = ["b", "c", "d"]
    assert driver.statistics("eth0") == {"b": 10, "c": 11, "d": 12}


def test_rings_channels_and_settings() -> None:
    driver = Driver([])
    assert driver.rings("eth0") == {"rx": 256, "tx": 2}
    assert driver.channels("eth0") == 2
    assert driver.transmit_frames("eth0") == 1
    assert driver.offloads("eth0") == {"rx": False, "tx": False, "sg": False, "tso": True, "gso": False, "gro": False}


def test_a_driver_that_tells_nothing() -> None:
    driver = Driver(["a"], refuses=True)
    told = (driver.statistics("e"), driver.rings("e"), driver.channels("e"), driver.transmit_frames("e"))
    assert told == ({}, {}, None, None)
    assert driver.offloads("e") == {}


def test_the_loopback_of_this_machine() -> None:
    assert ETHTOOL.statistics("lo") == {}
    assert ETHTOOL.statistics("no-such-if0") == {}
    assert isinstance(ETHTOOL.offloads("lo"), dict)
