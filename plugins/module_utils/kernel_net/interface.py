# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network interface of the kernel's: counters, queues, rings, link and interrupts, and changes with a way back."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

# linux/sockios.h and linux/ethtool.h: struct ethtool_ringparam and ethtool_channels are nine numbers of 32 bits each.
_SIOCETHTOOL = 0x8946
_GRINGPARAM, _GCHANNELS, _SCHANNELS = 0x10, 0x3C, 0x3D
_NINE = "=9I"
_RX_RING, _TX_RING = 5, 8
_MOST_COMBINED, _COMBINED = 4, 8
# linux/if.h
_UP = 0x1

_DEVICE = re.compile(r"^ *(\S+):((?: +\d+){16}) *$", re.MULTILINE)
_INTERRUPT = re.compile(r"^ *(\d+):.* (\S+)$", re.MULTILINE)


class Ethtool:
    """What ethtool(8) asks the kernel, by the same ioctl."""

    def ask(self, interface: str, numbers: Sequence[int]) -> tuple[int, ...]:
        """One command of nine numbers, and the nine that the driver leaves there; OSError as the driver says."""
        data = array.array("B", struct.pack(_NINE, *numbers))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            request = struct.pack("16sP16x", interface.encode()[:15], data.buffer_info()[0])
            fcntl.ioctl(link, _SIOCETHTOOL, request)
        return struct.unpack(_NINE, data.tobytes())


ETHTOOL = Ethtool()


class Interface:
    """One interface by name. Whatever is changed through it is put back by ``restore``, last change first."""

    def __init__(self, host: Host, name: str, ethtool: Ethtool = ETHTOOL) -> None:
        self.host = host
        self.name = name
        self.folder = f"{host.sys}/class/net/{name}"
        self._ethtool = ethtool
        self._undo: list[Callable[[], None]] = []

    def exists(self) -> bool:
        """Whether it is still there."""
        return os.path.isdir(self.folder)

    # -- what it says --------------------------------------------------------------------------------------------

    def queues(self) -> tuple[int, int]:
        """How many receive and transmit queues are in use."""
        names = os.listdir(f"{self.folder}/queues")
        receive = sum(name.startswith("rx-") for name in names)
        return receive, len(names) - receive

    def rings(self) -> list[int]:
        """The sizes of its receive and transmit rings, without repetition; none of a driver that does not tell."""
        try:
            numbers = self._ethtool.ask(self.name, (_GRINGPARAM, *[0] * 8))
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                return []
            raise
        return sorted({numbers[_RX_RING], numbers[_TX_RING]})

    def link(self) -> tuple[bool, int | None]:
        """Whether the link is up, and its speed in Mbit/s (None: unknown)."""
        speed = self.host.read_or(f"{self.folder}/speed")
        known = int(speed) if speed.isdigit() else 0
        return self.host.read_or(f"{self.folder}/carrier") == "1", known or None

    def interrupts(self) -> dict[str, str]:
        """The numbers of its virtio device's interrupts by what they are for, such as ``input.0``."""
        device = os.path.basename(os.path.realpath(f"{self.folder}/device"))
        found = interrupts(self.host.read_or(f"{self.host.proc}/interrupts"))
        return {name[len(device) + 1 :]: number for name, number in found.items() if name.startswith(f"{device}-")}

    def interrupt_cpus(self) -> list[int]:
        """The CPUs that the receive interrupts of its queues in use go to, from the next one of each on."""
        found: set[int] = set()
        numbers = self.interrupts()
        for queue in range(self.queues()[0]):
            number = numbers.get(f"input.{queue}")
            if number is not None:
                found.update(cpulist.parse(self.host.read(f"{self.host.proc}/irq/{number}/smp_affinity_list")))
        return sorted(found)

    # -- changes -------------------------------------------------------------------------------------------------

    def use_queues(self, count: int) -> None:
        """Have so many queue pairs; VirtperfError when the device has fewer."""
        try:
            numbers = self._ethtool.ask(self.name, (_GCHANNELS, *[0] * 8))
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            numbers = (0, 0, 0, 0, 1, 0, 0, 0, 1)  # a driver that knows of one pair and no more
        most, now = numbers[_MOST_COMBINED], numbers[_COMBINED]
        if count > most:
            raise VirtperfError(
                f"{self.name} cannot have {count} queues",
                found=f"{most}",
                way_out="give the VM's port as many queues, or ask for fewer",
            )
        if count != now:
            self._undo.append(lambda: self._set_queues(now))
            self._set_queues(count)

    def _set_queues(self, count: int) -> None:
        self._ethtool.ask(self.name, (_SCHANNELS, *[0] * 7, count))
        found = self._ethtool.ask(self.name, (_GCHANNELS, *[0] * 8))[_COMBINED]
        if found != count:
            raise VirtperfError(f"{self.name} was to have {count} queues", found=f"{found}", way_out="see dmesg")

    def send_interrupts_to(self, cpus: Sequence[int]) -> None:
        """Have the interrupts of queue n, of either direction, on the n-th of these CPUs."""
        for name, number in self.interrupts().items():
            direction, _dot, queue = name.partition(".")
            if direction in ("input", "output") and queue.isdigit() and int(queue) < len(cpus):
                self.write(f"{self.host.proc}/irq/{number}/smp_affinity_list", str(cpus[int(queue)]))

    def bring_up(self) -> None:
        """Up, and quiet: an interface that comes up with IPv6 sends packets of its own."""
        quiet = f"{self.host.proc}/sys/net/ipv6/conf/{self.name}/disable_ipv6"
        if os.path.exists(quiet):
            self.write(quiet, "1")
        flags = int(self.host.read(f"{self.folder}/flags"), 16)
        self.write(f"{self.folder}/flags", hex(flags | _UP))

    def wait_link(self, patience_s: float = 3.0) -> None:
        """Wait for the link; whoever looks at it later sees whether it came."""
        limit = time.monotonic() + patience_s
        while not self.link()[0] and time.monotonic() < limit:
            time.sleep(0.02)

    def write(self, path: str, value: str) -> None:
        """Write a file of the kernel's that is not so yet."""
        was = self.host.read(path)
        if was != value:
            self._undo.append(lambda: self.host.write_kernel(path, was))
            self.host.write_kernel(path, value)

    def restore(self) -> None:
        """Put everything back that was changed. What went with the interface, or its interrupts, cannot be."""
        while self._undo:
            undo = self._undo.pop()
            try:
                undo()
            except OSError as error:
                if self.exists() and error.errno != errno.ENOENT:
                    raise


def read_counters(host: Host, names: Sequence[str]) -> Counters:
    """The sums over these interfaces, all from one reading of /proc/net/dev."""
    asked_s = time.monotonic()
    text = host.read(f"{host.proc}/net/dev")
    at_s = time.monotonic()
    found = devices(text)
    missing = [name for name in names if name not in found]
    if missing:
        raise VirtperfError(
            f"there is no interface {', '.join(missing)} any more",
            found=", ".join(found),
            way_out="its driver was taken away, or its VM's port is gone",
        )
    # Receive: bytes packets errs drop fifo frame compressed multicast. Transmit: bytes packets errs drop fifo ...
    sums = [sum(column) for column in zip(*(found[name] for name in names))]
    return Counters(
        at_s=at_s,
        waited_s=at_s - asked_s,
        rx_packets=sums[1],
        tx_packets=sums[9],
        rx_bytes=sums[0],
        tx_bytes=sums[8],
        rx_missed=sums[3],
        tx_errors=sums[10] + sums[11],
    )


def devices(text: str) -> dict[str, tuple[int, ...]]:
    """The sixteen counters of each interface in /proc/net/dev."""
    return {name: tuple(map(int, numbers.split())) for name, numbers in _DEVICE.findall(text)}


def interrupts(text: str) -> dict[str, str]:
    """The numbers of interrupts in /proc/interrupts by the last word of their lines, which names them."""
    return {name: number for number, name in _INTERRUPT.findall(text)}
