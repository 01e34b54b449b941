# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's own packet generator, pktgen: https://docs.kernel.org/networking/pktgen.html

It is told by lines written to files in /proc/net/pktgen: a thread a CPU takes devices, a device is one transmit queue
of an interface, and ``pgctrl`` starts and stops them all.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.threads import of_cpus
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Thread

# To the port "discard".
_PORTS = ("udp_src_min 9", "udp_src_max 9", "udp_dst_min 9", "udp_dst_max 9")
_FCS_BYTES = 4
# As many packets to a kick of the device as testpmd has in a burst; and a packet is made once for so many.
BURST = 32
CLONES = 1024
_PATIENCE_S = 5.0
_POLL_S = 0.01

_SETTING = re.compile(r"(\w+): +([^\s:]+)(?=\s|$)")
_RUNNING = re.compile(r"^Running: *(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Device:
    """One transmit queue of an interface, and the CPU whose thread fills it."""

    interface: str
    queue: int
    cpu: int

    @property
    def name(self) -> str:
        """As pktgen has it: an interface can be taken more than once."""
        return f"{self.interface}@{self.queue}"


@dataclass(frozen=True)
class Stream:
    """Where packets go, and how. By default nobody's: a locally administered MAC, and addresses that RFC 2544 sets
    aside for benchmarks. ``copies`` is how often a packet is sent before another is made, and how many go to a kick of
    the device; ``pps`` how many go a second over each device (0: as many as can).
    """

    mac: str = "02:00:00:00:00:01"
    source: str = "198.18.0.1"
    destination: str = "198.18.0.2"
    copies: tuple[int, int] = (CLONES, BURST)
    pps: int = 0

    def lines(self) -> tuple[str, ...]:
        """What pktgen is told of it, but for the copies."""
        source, destination = self.source, self.destination
        addresses = (f"src_min {source}", f"src_max {source}", f"dst_min {destination}", f"dst_max {destination}")
        rate = (f"ratep {self.pps}",) if self.pps else ()
        return ("count 0", "delay 0", *rate, f"dst_mac {self.mac}", *addresses)


ANYWHERE = Stream()


class Pktgen:
    """Sends over ``devices`` until it is told to stop."""

    def __init__(self, host: Host, devices: Sequence[Device], stream: Stream = ANYWHERE) -> None:
        self.host = host
        self.devices = tuple(devices)
        self.folder = f"{host.proc}/net/pktgen"
        self.copies = stream.copies
        self._stream = stream
        self._starter: threading.Thread | None = None

    # -- what it says --------------------------------------------------------------------------------------------

    def threads(self) -> list[Thread]:
        """Its threads that have a device of ours."""
        return of_cpus(self.host, "kpktgend_", sorted({device.cpu for device in self.devices}))

    def log(self) -> str:
        """What it says of each device."""
        texts = [f"{device.name}:\n{self.host.read_or(self._path(device))}" for device in self.devices]
        return "\n".join(texts)

    def is_sending(self) -> bool:
        """Whether every device is at it."""
        running: set[str] = set()
        for cpu in {device.cpu for device in self.devices}:
            running |= set(running_devices(self.host.read_or(self._thread(cpu))))
        return running >= {device.name for device in self.devices}

    def is_healthy(self) -> bool:
        """Whether it still does what it was told last."""
        return self._starter is None or self._starter.is_alive()

    def command(self) -> str:
        """What it was told, for people to read."""
        clones, burst = self.copies
        queues = ", ".join(f"{device.name} on CPU {device.cpu}" for device in self.devices)
        rate = f", {self._stream.pps} packets/s" if self._stream.pps else ""
        return f"pktgen {queues}, clone_skb {clones}, burst {burst}{rate}"

    # -- changes -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Give each device to its thread, and say what shall be sent but for its size."""
        for cpu in sorted({device.cpu for device in self.devices}):
            if not os.path.exists(self._thread(cpu)):
                raise VirtperfError(
                    f"pktgen has no thread for CPU {cpu}",
                    found=", ".join(sorted(os.listdir(self.folder))),
                    way_out="name CPUs that were online when the module pktgen was loaded",
                )
        for device in self.devices:
            self._tell(self._thread(device.cpu), f"add_device {device.name}")
            self._configure(device)

    def _configure(self, device: Device) -> None:
        path = self._path(device)
        queue = (f"queue_map_min {device.queue}", f"queue_map_max {device.queue}")
        for line in (*self._stream.lines(), *_PORTS, *queue):
            self._tell(path, line)
        try:
            self._copy(path, *self.copies)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.ENOTSUP):
                raise
            # A driver that writes into what it sends wants every packet for itself.
            self.copies = (0, 1)
            self._copy(path, *self.copies)
        wanted = {
            "queue_map_min": str(device.queue),
            "queue_map_max": str(device.queue),
            "clone_skb": str(self.copies[0]),
        }
        self._check(device, wanted)

    def _copy(self, path: str, clones: int, burst: int) -> None:
        self._tell(path, f"clone_skb {clones}")
        self._tell(path, f"burst {burst}")

    def start(self, packet_size: int) -> None:
        """Send packets of so many bytes, FCS included; returns when all devices are at it."""
        size = packet_size - _FCS_BYTES
        for device in self.devices:
            self._tell(self._path(device), f"pkt_size {size}")
            self._check(device, {"min_pkt_size": str(size), "max_pkt_size": str(size)})
        # The write lasts as long as it sends.
        self._starter = threading.Thread(target=self._tell, args=(self._control, "start"), daemon=True)
        self._starter.start()
        limit = time.monotonic() + _PATIENCE_S
        while not self.is_sending():
            if not self._starter.is_alive() or time.monotonic() > limit:
                raise VirtperfError(
                    "pktgen does not send", found=self.log(), way_out="see what it says of its devices, and dmesg"
                )
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Stop sending."""
        starter, self._starter = self._starter, None
        if starter is None:
            return
        self._tell(self._control, "stop")
        starter.join(_PATIENCE_S)
        if starter.is_alive():
            raise VirtperfError("pktgen does not stop", found=self.log(), way_out="end the VM")

    def remove(self) -> None:
        """Take the devices from the threads."""
        for cpu in sorted({device.cpu for device in self.devices}):
            if os.path.exists(self._thread(cpu)):
                self._tell(self._thread(cpu), "rem_device_all")

    def _tell(self, path: str, line: str) -> None:
        self.host.write_kernel(path, f"{line}\n")

    def _check(self, device: Device, wanted: dict[str, str]) -> None:
        found = settings(self.host.read(self._path(device)))
        wrong = [f"{key} {found.get(key)}, asked {value}" for key, value in wanted.items() if found.get(key) != value]
        if wrong:
            raise VirtperfError(
                f"pktgen did not take what it was told of {device.name}",
                found="; ".join(wrong),
                way_out="see whether this kernel's pktgen knows them",
            )

    @property
    def _control(self) -> str:
        return f"{self.folder}/pgctrl"

    def _thread(self, cpu: int) -> str:
        return f"{self.folder}/kpktgend_{cpu}"

    def _path(self, device: Device) -> str:
        return f"{self.folder}/{device.name}"


def settings(text: str) -> dict[str, str]:
    """The words and values in what pktgen says of a device, parameters and counters alike."""
    return dict(_SETTING.findall(text))


def running_devices(text: str) -> list[str]:
    """The devices that a thread sends over now, by what pktgen says of the thread."""
    found = _RUNNING.search(text)
    return found[1].split() if found else []
