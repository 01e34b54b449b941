# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters of interfaces, all from about one instant: what the kernel counts and what their drivers do."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler import interfaces
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.qdiscs import rtnetlink_socket
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.rtnetlink import Queue, answer, question
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.ethtool import ETHTOOL, Ethtool
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.qstats import QueueStops

# Documentation/networking/snmp_counter.rst
TCP_COUNTERS = ("RetransSegs", "OutSegs", "InSegs", "TCPFastRetrans", "TCPTimeouts", "TCPLossProbes")
# The one interrupt of a device without MSI-X. Others that share its line count in it.
INTX = "intx"
_VIRTIO = re.compile(r"\b(virtio\d+)(?:-([\w.]+))?(?=[\s,]|$)")
_DATAGRAM = 65536


@dataclass(frozen=True)
class NicLook:
    """One interface. ``counters`` are those of sampler.interfaces, ``statistics`` what ``ethtool -S`` shows.

    ``interrupts`` of a virtio device are by what they are for: "input.0", "output.0", "config", "virtqueues" (one for
    all queues), or "intx". ``rings`` ("rx", "tx") and ``channels`` are what ``ethtool -g`` and ``-l`` show. ``stops``
    is how often a full ring stopped a transmit queue, ``qdisc_dropped`` what was dropped in front of it. None or empty
    is what nobody tells.
    """

    name: str
    mac: str
    driver: str
    counters: Mapping[str, int]
    statistics: Mapping[str, int] = field(default_factory=dict)
    interrupts: Mapping[str, int] = field(default_factory=dict)
    rings: Mapping[str, int] = field(default_factory=dict)
    channels: int | None = None
    stops: int | None = None
    qdisc_dropped: int | None = None


@dataclass(frozen=True)
class Look:
    """``at_s`` is the middle of the ``took_s`` that it took, on CLOCK_MONOTONIC of the hypervisor; ``epoch_s`` the same
    instant on CLOCK_REALTIME of who looked. ``interfaces`` are by what they were asked for: a MAC or a name.
    """

    at_s: float
    epoch_s: float
    took_s: float
    interfaces: Mapping[str, NicLook]
    tcp: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def of(raw: Mapping[str, Any]) -> Look:
        """From what an agent sent."""
        found = {key: NicLook(**nic) for key, nic in raw["interfaces"].items()}
        return Look(raw["at_s"], raw["epoch_s"], raw["took_s"], found, raw["tcp"])


class Looker:
    """Looks at interfaces of one machine."""

    def __init__(
        self,
        host: Host,
        ethtool: Ethtool = ETHTOOL,
        stops: QueueStops | None = None,
        open_socket: Callable[[], socket.socket] = rtnetlink_socket,
    ) -> None:
        self.host = host
        self._ethtool = ethtool
        self._stops = stops or QueueStops()
        self._open_socket = open_socket
        self._sequence = 0

    def look(self, macs_or_names: Sequence[str]) -> Look:
        """VirtperfError names an interface that is not there."""
        names = {key: find(self.host, key) for key in macs_or_names}
        from_s, epoch_s = time.monotonic(), time.time()
        counted = interfaces.parse(self.host.read(f"{self.host.proc}/net/dev").encode())
        # Drivers right after the kernel: what they count is divided by one another.
        statistics = {name: self._ethtool.statistics(name) for name in names.values() if self._has_device(name)}
        interrupts = self.host.read_or(f"{self.host.proc}/interrupts")
        queues = self._queues()
        tcp = parse_tcp(*(self.host.read_or(f"{self.host.proc}/net/{file}") for file in ("snmp", "netstat")))
        nics = {
            key: self._nic(name, counted.get(name.encode(), ()), statistics.get(name), interrupts, queues)
            for key, name in names.items()
        }
        took_s = time.monotonic() - from_s
        return Look(from_s + took_s / 2, epoch_s + took_s / 2, took_s, nics, tcp)

    def _nic(
        self,
        name: str,
        counters: Sequence[int | None],
        statistics: Mapping[str, int] | None,
        interrupts: str,
        queues: Mapping[int, Queue],
    ) -> NicLook:
        folder = f"{self.host.sys}/class/net/{name}"
        index = int(self.host.read_or(f"{folder}/ifindex") or 0)
        queue = queues.get(index)
        known = {counter: number for counter, number in zip(interfaces.COUNTERS, counters) if number is not None}
        mac = self.host.read_or(f"{folder}/address")
        dropped = None if queue is None else queue.dropped
        if statistics is None:
            return NicLook(name, mac, "", known, qdisc_dropped=dropped)
        return NicLook(
            name,
            mac,
            driver=os.path.basename(os.path.realpath(f"{folder}/device/driver")),
            counters=known,
            statistics=statistics,
            interrupts=parse_interrupts(interrupts).get(os.path.basename(os.path.realpath(f"{folder}/device")), {}),
            rings=self._ethtool.rings(name),
            channels=self._ethtool.channels(name),
            stops=self._stops.of(index),
            qdisc_dropped=dropped,
        )

    def _has_device(self, name: str) -> bool:
        return os.path.exists(f"{self.host.sys}/class/net/{name}/device")

    def _queues(self) -> dict[int, Queue]:
        """Queueing disciplines by interface index; none where the kernel does not answer."""
        found: dict[int, Queue] = {}
        self._sequence += 1
        try:
            with self._open_socket() as link:
                link.send(question(self._sequence))
                while not answer(link.recv(_DATAGRAM), self._sequence, found):
                    continue
        except (OSError, ValueError):
            return {}
        return found


def find(host: Host, mac_or_name: str) -> str:
    """The name of the interface; VirtperfError where there is none."""
    folder = f"{host.sys}/class/net"
    if os.path.isdir(f"{folder}/{mac_or_name}"):
        return mac_or_name
    wanted = mac_or_name.lower()
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = [name for name in names if host.read_or(f"{folder}/{name}/address").lower() == wanted]
    # Whoever borrows another's MAC, such as a bridge or a VLAN, is no device.
    devices = [name for name in found if os.path.exists(f"{folder}/{name}/device")] or found
    if not devices:
        raise VirtperfError(
            f"there is no network interface {mac_or_name}",
            found=", ".join(names) or "none at all",
            way_out="see whether the VM was started with that NIC, and whether its driver has it",
        )
    return devices[0]


def parse_interrupts(text: str) -> dict[str, dict[str, int]]:
    """/proc/interrupts: for each virtio device its interrupts of all CPUs, by what they are for."""
    found: dict[str, dict[str, int]] = {}
    lines = text.splitlines()
    cpus = len(lines[0].split()) if lines else 0
    for line in lines[1:]:
        _number, colon, rest = line.partition(":")
        words = rest.split(None, cpus)
        if not colon or len(words) <= cpus or not all(word.isdecimal() for word in words[:cpus]):
            continue
        count = sum(map(int, words[:cpus]))
        for device, purpose in _VIRTIO.findall(words[cpus]):
            known = found.setdefault(device, {})
            known[purpose or INTX] = known.get(purpose or INTX, 0) + count
    return found


def parse_tcp(*texts: str) -> dict[str, int]:
    """/proc/net/snmp and netstat, where a line of names comes before each line of numbers."""
    found: dict[str, int] = {}
    for text in texts:
        lines = [line.split() for line in text.splitlines()]
        for names, numbers in zip(lines, lines[1:]):
            if names[:1] == numbers[:1] and names[:1] in (["Tcp:"], ["TcpExt:"]):
                read = dict(zip(names[1:], numbers[1:]))
                found.update({name: int(read[name]) for name in TCP_COUNTERS if read.get(name, "").isdecimal()})
    return found
