# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's own driver as an end of the study ``reflect``: pktgen makes packets, or tc sends them back.

It is for guests: all that it changes is put back by ``stop``, and what a crash leaves goes with the guest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import ForwardStats
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.interface import (
    ETHTOOL,
    Ethtool,
    Interface,
    read_counters,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.mirror import Mirror
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.pktgen import Device, Pktgen
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import parse_address, read_function
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import SYSTEM, System

GENERATOR, REFLECTOR = "generator", "reflector"
DRIVER = "virtio-net"
_FIELDS = ("name", "ports", "cpus", "queues")


@dataclass(frozen=True)
class Definition:
    """Queue n of every port is served by the n-th CPU, and begins anew with the first where there are fewer."""

    name: str
    addresses: tuple[str, ...]
    cpus: tuple[int, ...]
    queues: int

    def cpu_of(self, queue: int) -> int:
        """The CPU that serves a queue."""
        return self.cpus[queue % len(self.cpus)]


def parse(raw: Mapping[str, Any]) -> Definition:
    """A validated definition; VirtperfError names the field."""
    unknown = sorted(set(raw) - set(_FIELDS))
    if unknown:
        raise VirtperfError(f"kernel end: {', '.join(unknown)} is unknown", way_out=f"known are {', '.join(_FIELDS)}")
    name = raw.get("name")
    if name not in (GENERATOR, REFLECTOR):
        raise VirtperfError(
            f"a kernel end cannot be named {name!r}", way_out=f"{GENERATOR} or {REFLECTOR}: it is what the end does"
        )
    ports: Any = raw.get("ports")
    if not isinstance(ports, Sequence) or not ports or not all(isinstance(port, Mapping) for port in ports):
        raise VirtperfError(f"{name}: ports is not usable", found=repr(ports), way_out="give each port's device")
    cpus: Any = raw.get("cpus")
    numbers = list(cpus) if isinstance(cpus, (list, tuple)) else []
    if not numbers or not all(_is_number(cpu) for cpu in numbers) or len(set(numbers)) != len(numbers):
        raise VirtperfError(f"{name}: cpus is not usable", found=repr(cpus), way_out="give CPU numbers, each once")
    queues = raw.get("queues", 1)
    if not _is_number(queues) or queues < 1:
        raise VirtperfError(f"{name}: queues is not usable", found=repr(queues), way_out="give a number from 1 on")
    if len(numbers) > queues:
        raise VirtperfError(
            f"{name}: {len(numbers)} CPUs cannot serve {queues} queues",
            found=f"cpus {numbers}",
            way_out="give a CPU for each queue, or fewer",
        )
    addresses = tuple(parse_address(str(port.get("device", ""))) for port in ports)
    return Definition(str(name), addresses, tuple(numbers), queues)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def start(host: Host, raw: Mapping[str, Any], system: System = SYSTEM, ethtool: Ethtool = ETHTOOL) -> KernelEnd:
    """A generator that is ready to send, or a reflector at work; everything is as before when that fails."""
    definition = parse(raw)
    online = cpulist.parse(host.read_or(f"{host.sys}/devices/system/cpu/online"))
    missing = sorted(set(definition.cpus) - set(online))
    if missing:
        raise VirtperfError(
            f"{definition.name} cannot run on CPU {', '.join(map(str, missing))}",
            found=f"online are {cpulist.render(online)}",
            way_out="choose among those",
        )
    interfaces = [Interface(host, _interface(host, address), ethtool) for address in definition.addresses]
    if definition.name == GENERATOR:
        system.load("pktgen")
    end = KernelEnd(host, definition, interfaces)
    try:
        end.prepare()
    except (VirtperfError, OSError):
        end.stop()
        raise
    return end


def _interface(host: Host, address: str) -> str:
    function = read_function(host, address)
    if len(function.interfaces) != 1:
        raise VirtperfError(
            f"{address} has no network interface of its own",
            found=f"driver {function.driver or 'none'}, interfaces {', '.join(function.interfaces) or 'none'}",
            way_out="bind it to its kernel driver first",
        )
    return function.interfaces[0]


class KernelEnd:
    """Implements ``End`` over interfaces of the kernel's."""

    def __init__(self, host: Host, definition: Definition, interfaces: Sequence[Interface]) -> None:
        self.host = host
        self.name = definition.name
        self._definition = definition
        self._interfaces = tuple(interfaces)
        self._names = [interface.name for interface in interfaces]
        self._stopped = False
        self._traffic: Pktgen | Mirror
        self._start: Callable[[int], None]
        if self.name == GENERATOR:
            queues = range(definition.queues)
            devices = [Device(name, queue, definition.cpu_of(queue)) for name in self._names for queue in queues]
            self._traffic = pktgen = Pktgen(host, devices)
            self._start = pktgen.start
        else:
            self._traffic = mirror = Mirror(host, self._names, definition.cpus)
            self._start = lambda _packet_size: mirror.start()  # whatever size comes

    def prepare(self) -> None:
        """Queues, interrupts, link up; a reflector begins at once."""
        definition = self._definition
        served = [definition.cpu_of(queue) for queue in range(definition.queues)]
        for interface in self._interfaces:
            interface.use_queues(definition.queues)
            interface.bring_up()
            # After both: the driver spreads its interrupts anew whenever its queues change.
            interface.send_interrupts_to(served)
            interface.wait_link()
        self._traffic.prepare()

    def offer(self, packet_size: int, *, forwarding: bool) -> None:
        """Stop, or start anew with packets of so many bytes."""
        self._traffic.stop()
        if forwarding:
            self._start(packet_size)

    def clear(self) -> None:
        """There are no statistics but the counters."""

    def counters(self) -> Counters:
        """The driver's own. A packet counts as sent when the ring gives its buffer back."""
        return read_counters(self.host, self._names)

    def statistics(self) -> ForwardStats | None:
        """The kernel counts neither what a full ring refused nor the cycles that it had to spare."""
        return None

    def cpu_seconds(self) -> dict[int, float]:
        """Of pktgen's threads, or of those that do the softirqs' work."""
        return {thread.tid: thread.cpu_seconds for thread in self._traffic.threads()}

    def setup(self) -> dict[str, Any]:
        """By sysfs, ethtool and the threads that work for it."""
        queues = [interface.queues() for interface in self._interfaces]
        links = [interface.link() for interface in self._interfaces]
        speeds = [speed for _up, speed in links]
        if self.name == GENERATOR:
            cpus = {cpu for thread in self._traffic.threads() for cpu in cpulist.parse(thread.cpus)}
        else:
            cpus = {cpu for interface in self._interfaces for cpu in interface.interrupt_cpus()}
        return {
            "rx_queues": min(receive for receive, _transmit in queues),
            "tx_queues": min(transmit for _receive, transmit in queues),
            "link_up": all(up for up, _speed in links),
            "link_speed_mbps": None if None in speeds else sum(speed or 0 for speed in speeds),
            "cpus": sorted(cpus),
            "pid": None,
            "command": self._traffic.command(),
            "version": f"Linux {self.host.read_or(f'{self.host.proc}/sys/kernel/osrelease')}",
            "driver": DRIVER,
            "ring_sizes": sorted({size for interface in self._interfaces for size in interface.rings()}),
            "datapaths": {},
        }

    def is_running(self) -> bool:
        """Whether its interfaces are there and it does what it was told last."""
        there = all(interface.exists() for interface in self._interfaces)
        return not self._stopped and there and self._traffic.is_healthy()

    def died(self) -> VirtperfError:
        """What is gone."""
        gone = [interface.name for interface in self._interfaces if not interface.exists()]
        return VirtperfError(
            f"the kernel's {self.name} has ended",
            found=f"no interface {', '.join(gone)} any more" if gone else self.log(),
            way_out="start it again; dmesg may say why",
            dead=self.name,
        )

    def log(self) -> str:
        """What pktgen or the filter says."""
        return self._traffic.log()

    def stop(self) -> str:
        """Stop, and put back all that was changed."""
        if self._stopped:
            return ""
        self._traffic.stop()
        self._traffic.remove()
        for interface in self._interfaces:
            interface.restore()
        self._stopped = True
        return "stopped"
