# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel in a directory: two interfaces of virtio functions, pktgen, and threads, as far as the core can see them.

What pktgen and the files of /proc say was recorded in a guest with Linux 6.12.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.interface import Ethtool
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import System

PORTS = {"eth1": "0000:00:11.0", "eth2": "0000:00:12.0"}

NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compr
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0      0
  eth1:    6000     100    1    2    0     0          0         0    12000     200    3    4    0     0       0      0
  eth2: 12345678901  30    0    0    0     0          0         0       60       1    0    0    0     0       0      0
"""

INTERRUPTS = """\
           CPU0       CPU1
   0:        105          0  IR-IO-APIC    2-edge      timer
  30:          0          0  PCI-MSIX-0000:00:11.0    0-edge      virtio3-config
  31:          0          7  PCI-MSIX-0000:00:11.0    1-edge      virtio3-input.0
  32:          0          1  PCI-MSIX-0000:00:11.0    2-edge      virtio3-output.0
  33:          3          0  PCI-MSIX-0000:00:11.0    3-edge      virtio3-input.1
  34:          0          0  PCI-MSIX-0000:00:11.0    4-edge      virtio3-output.1
  41:          0          0  PCI-MSIX-0000:00:12.0    1-edge      virtio4-input.0
  42:          0          0  PCI-MSIX-0000:00:12.0    2-edge      virtio4-output.0
 NMI:          0          0   Non-maskable interrupts
"""

DEVICE = """\
Params: count 0  min_pkt_size: {pkt_size}  max_pkt_size: {pkt_size}
     frags: 0  delay: 0  clone_skb: {clone_skb}  ifname: {name}
     flows: 0 flowlen: 0
     queue_map_min: {queue_map_min}  queue_map_max: {queue_map_max}
     dst_min: 198.18.0.2  dst_max: 198.18.0.2
     src_min: 198.18.0.1  src_max: 198.18.0.1
     src_mac: 52:54:00:12:34:57 dst_mac: {dst_mac}
     udp_src_min: 9  udp_src_max: 9  udp_dst_min: 9  udp_dst_max: 9
     src_mac_count: 0  dst_mac_count: 0
     burst: {burst}
     Flags: SHARED  \nCurrent:
     pkts-sofar: 238  errors: 0
     started: 24810975us  stopped: 26087772us idle: 2307us
     seq_num: 239  cur_dst_mac_offset: 0  cur_src_mac_offset: 0
     cur_saddr: 198.18.0.1  cur_daddr: 198.18.0.2
     cur_udp_dst: 9  cur_udp_src: 9
     cur_queue_map: 0
     flows: 0
Result: OK: 1276797(c1274490+d2307) usec, 238 (60byte,0frags)
  186pps 0Mb/sec (89280bps) errors: 0
"""
_FRESH = {"pkt_size": "60", "clone_skb": "0", "queue_map_min": "0", "queue_map_max": "0", "dst_mac": "", "burst": "1"}


@dataclass(frozen=True)
class Kernel(Host):
    """Obeys what is written to its files. ``copies`` is whether its driver lets packets be sent twice."""

    written: list[tuple[str, str]] = field(default_factory=list)
    copies: bool = True
    sends: bool = True
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    threads: dict[str, list[str]] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def write_kernel(self, path: str, value: str) -> None:
        value = value.strip()
        self.written.append((path.removeprefix(self.proc).removeprefix(self.sys), value))
        if not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        if "/net/pktgen/" in path:
            self._tell_pktgen(os.path.basename(path), value)
        else:
            Path(path).write_text(f"{value}\n")

    def _tell_pktgen(self, name: str, line: str) -> None:
        word, _blank, value = line.partition(" ")
        if name == "pgctrl" and word == "start":
            self.stopped.clear()
            self._show_threads(running=self.sends)
            if self.sends:
                self.stopped.wait(10)
            self._show_threads(running=False)
        elif name == "pgctrl":
            self.stopped.set()
        elif word == "add_device":
            self.threads[name].append(value)
            self.settings[value] = dict(_FRESH)
        elif word == "rem_device_all":
            for device in self.threads[name]:
                os.unlink(f"{self.proc}/net/pktgen/{device}")
                del self.settings[device]
            self.threads[name].clear()
        elif word in ("clone_skb", "burst") and not self.copies and value not in ("0", "1"):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported", name)
        else:
            self.settings[name][word] = value
        for device, settings in self.settings.items():
            text = DEVICE.format(name=device, **{key: settings[key] for key in _FRESH})
            Path(f"{self.proc}/net/pktgen/{device}").write_text(text)

    def _show_threads(self, *, running: bool) -> None:
        for name, devices in self.threads.items():
            names = " ".join(devices)
            text = (
                f"Running: {names if running else ''} \nStopped: {'' if running else names} \nResult: OK: max_before\n"
            )
            Path(f"{self.proc}/net/pktgen/{name}").write_text(text)


class FakeEthtool(Ethtool):
    """Drivers that know channels and rings; ``deaf`` ones take a number of queues and do nothing."""

    def __init__(self, kernel: Kernel, most: int = 2, now: int = 2) -> None:
        self.kernel = kernel
        self.most = most
        self.now = dict.fromkeys(PORTS, now)
        self.deaf = False
        self.knows = True

    def ask(self, interface: str, numbers: Sequence[int]) -> tuple[int, ...]:
        if not self.knows:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        command = numbers[0]
        if command == 0x3D and not self.deaf:
            self.now[interface] = numbers[8]
            show_queues(self.kernel, interface, numbers[8])
        rings = (0x10, 1024, 0, 0, 1024, 256, 0, 0, 512)
        return rings if command == 0x10 else (0x3C, 0, 0, 0, self.most, 0, 0, 0, self.now[interface])


class FakeSystem(System):
    """Has the modules that it shall have."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def load(self, name: str) -> None:
        self.loaded.append(name)


def show_queues(kernel: Kernel, interface: str, count: int) -> None:
    """As sysfs lists them."""
    queues = Path(kernel.sys, "class/net", interface, "queues")
    shutil.rmtree(queues, ignore_errors=True)
    for number in range(count):
        (queues / f"rx-{number}").mkdir(parents=True)
        (queues / f"tx-{number}").mkdir()


def build(directory: Path, *, copies: bool = True, sends: bool = True) -> Kernel:
    """A machine with two CPUs, and both interfaces down."""
    kernel = Kernel(
        proc=str(directory / "proc"),
        sys=str(directory / "sys"),
        run=str(directory / "run"),
        state=str(directory / "state"),
        copies=copies,
        sends=sends,
    )
    write(kernel.proc, "net/dev", NET_DEV)
    write(kernel.proc, "interrupts", INTERRUPTS)
    write(kernel.proc, "sys/kernel/osrelease", "6.12.107+deb13-cloud-amd64\n")
    write(kernel.sys, "devices/system/cpu/online", "0-1\n")
    for number in (30, 31, 32, 33, 34, 41, 42):
        write(kernel.proc, f"irq/{number}/smp_affinity_list", "0-1\n")
    for number, (interface, address) in enumerate(PORTS.items(), start=3):
        device = f"devices/pci0000:00/{address}"
        folder = f"{device}/virtio{number}/net/{interface}"
        for name, text in {"flags": "0x1002", "carrier": "1", "speed": "-1", "address": "52:54:00:12:34:57"}.items():
            write(kernel.sys, f"{folder}/{name}", f"{text}\n")
        os.symlink(f"{kernel.sys}/{device}/virtio{number}", f"{kernel.sys}/{folder}/device")
        write(kernel.proc, f"sys/net/ipv6/conf/{interface}/disable_ipv6", "0\n")
        for place in ("class/net", "bus/pci/devices"):
            Path(kernel.sys, place).mkdir(parents=True, exist_ok=True)
        os.symlink(f"{kernel.sys}/{folder}", f"{kernel.sys}/class/net/{interface}")
        os.symlink(f"{kernel.sys}/{device}", f"{kernel.sys}/bus/pci/devices/{address}")
        show_queues(kernel, interface, 2)
    for cpu in range(2):
        name = f"kpktgend_{cpu}"
        kernel.threads[name] = []
        write(kernel.proc, f"net/pktgen/{name}", "Running: \nStopped: \nResult: NA\n")
        thread(kernel, 200 + cpu, name, cpu)
        thread(kernel, 20 + cpu, f"ksoftirqd/{cpu}", cpu)
    write(kernel.proc, "net/pktgen/pgctrl", "Packet Generator for packet performance testing. Version: 2.75\n")
    return kernel


def thread(kernel: Kernel, pid: int, name: str, cpu: int, parent: int = 2) -> None:
    """A process of one thread that has used as many seconds as its pid says."""
    stat = f"{pid} ({name}) S {parent} {' '.join(['0'] * 48)}\n"
    for folder in (f"{pid}", f"{pid}/task/{pid}"):
        write(kernel.proc, f"{folder}/comm", f"{name}\n")
        write(kernel.proc, f"{folder}/stat", stat)
        write(kernel.proc, f"{folder}/status", f"Name:\t{name}\nCpus_allowed_list:\t{cpu}\n")
        write(kernel.proc, f"{folder}/schedstat", f"{pid}000000000 0 0\n")


def write(root: str, path: str, text: str) -> None:
    """A file of the kernel's."""
    file = Path(root, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
