# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's PCI bus in a directory: it binds, unbinds and probes as the kernel does, and fails without an error."""

from __future__ import annotations

import errno
import ipaddress
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import IpAddress, System

NIC, OTHER_NIC, DISK = "0000:00:04.0", "0000:00:05.0", "0000:00:02.0"
_NET, _STORAGE, _BRIDGE = "0x020000", "0x018000", "0x060400"


@dataclass
class Bus:
    """The bus; what the kernel refuses without a word is in ``rejects`` (drivers that do not take a function)."""

    root: Path
    names: dict[str, str] = field(default_factory=dict)  # interfaces by address
    rejects: set[str] = field(default_factory=set)
    written: list[tuple[str, str]] = field(default_factory=list)
    uio: int = 0

    def __post_init__(self) -> None:
        self.put("proc/sys/kernel/random/boot_id", "this-boot\n")
        self.put("proc/sys/kernel/osrelease", "6.12.1\n")
        self.put("proc/net/route", "Iface\tDestination\tGateway\n")
        for name in ("bus/pci/devices", "class/net", "class/block", "block", "kernel/iommu_groups"):
            (self.root / "sys" / name).mkdir(parents=True)
        (self.root / "dev" / "vfio").mkdir(parents=True)
        self.driver("virtio-pci")

    def put(self, path: str, text: str) -> Path:
        """A file of the kernel's."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def driver(self, name: str) -> None:
        """Register a driver."""
        (self.root / "sys/bus/pci/drivers" / name).mkdir(parents=True, exist_ok=True)

    def device(self, address: str) -> Path:
        """Where a function is."""
        return self.root / "sys/devices/pci0000:00" / address

    def function(self, address: str, kind: str = _NET, interface: str = "", group: str = "") -> None:
        """Plug in a function, bound to virtio-pci."""
        base = f"sys/devices/pci0000:00/{address}"
        for name, text in {
            "vendor": "0x1af4",
            "device": "0x1041",
            "subsystem_vendor": "0x1af4",
            "subsystem_device": "0x1041",
            "class": kind,
            "modalias": "pci:v00001AF4d00001041",
            "driver_override": "(null)",
        }.items():
            self.put(f"{base}/{name}", f"{text}\n")
        (self.root / "sys/bus/pci/devices" / address).symlink_to(f"../../../devices/pci0000:00/{address}")
        if interface:
            self.names[address] = interface
        if group:
            devices = self.root / "sys/kernel/iommu_groups" / group / "devices"
            devices.mkdir(parents=True, exist_ok=True)
            (devices / address).symlink_to(self.device(address))
            (self.device(address) / "iommu_group").symlink_to(devices.parent)
        self._attach(address, "virtio-pci")

    def unplug(self, address: str) -> None:
        """Take a function out."""
        self._detach(address)
        (self.root / "sys/bus/pci/devices" / address).unlink()
        shutil.rmtree(self.device(address))

    def disk(self, name: str, address: str = DISK, *partitions: str, number: int = 254) -> None:
        """A disk at a controller that is plugged in."""
        base = self.device(address) / "virtio1/block" / name
        self._block(base, f"{number}:0")
        (self.root / "sys/block" / name).symlink_to(base)
        for minor, partition in enumerate(partitions, start=1):
            self._block(base / partition, f"{number}:{minor}")
            (base / partition / "partition").write_text(f"{minor}\n")

    def virtual_disk(self, name: str, number: str, *below: str) -> None:
        """A device of device mapper or RAID on others."""
        base = self.root / "sys/devices/virtual/block" / name
        self._block(base, number)
        (self.root / "sys/block" / name).symlink_to(base)
        for lower in below:
            (self.root / "sys/class/block" / lower / "holders" / name).symlink_to(base)

    def _block(self, base: Path, number: str) -> None:
        (base / "holders").mkdir(parents=True)
        (base / "dev").write_text(f"{number}\n")
        (self.root / "sys/class/block" / base.name).symlink_to(base)

    def virtual_interface(self, name: str, kind: str, *lower: str) -> None:
        """A bridge, bond or VLAN on other interfaces."""
        base = self.root / "sys/devices/virtual/net" / name
        base.mkdir(parents=True)
        (base / "uevent").write_text(f"DEVTYPE={kind}\nINTERFACE={name}\n")
        (base / "address").write_text("02:00:00:00:00:04\n")
        (self.root / "sys/class/net" / name).symlink_to(base)
        for other in lower:
            (base / f"lower_{other}").symlink_to(self.root / "sys/class/net" / other)
            (self.root / "sys/class/net" / other / f"upper_{name}").symlink_to(base)

    def default_route(self, interface: str) -> None:
        """IPv4 goes this way."""
        header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        self.put("proc/net/route", f"{header}{interface}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")

    def mount(self, number: str, source: str, path: str = "/") -> None:
        """One more mounted file system."""
        file = self.root / "proc/self/mountinfo"
        before = file.read_text() if file.exists() else ""
        self.put("proc/self/mountinfo", f"{before}22 1 {number} / {path} rw,relatime shared:1 - ext4 {source} rw\n")

    def bound(self, address: str) -> str:
        """The driver it has."""
        link = self.device(address) / "driver"
        return link.readlink().name if link.is_symlink() else ""

    def override(self, address: str) -> str:
        """As the file has it."""
        return (self.device(address) / "driver_override").read_text().strip()

    def write(self, path: str, value: str) -> None:
        """A write(2) to a file of sysfs."""
        name = str(Path(path).relative_to(self.root / "sys/bus/pci"))
        self.written.append((name, value))
        if name == "drivers_probe":
            self._probe(value)
        elif name.endswith("/driver/unbind"):
            address = name.split("/")[1]
            if value != address or not self.bound(address):
                raise OSError(errno.ENODEV, "no such device", path)
            self._detach(address)
        elif name.endswith("/driver_override"):
            # driver_set_override(): up to the first newline, nothing clears it.
            Path(path).write_text((value.split("\n")[0] or "(null)") + "\n")
        else:
            raise OSError(errno.ENOENT, "no such file", path)

    def _probe(self, address: str) -> None:
        if not self.device(address).is_dir():
            raise OSError(errno.ENODEV, "no such device")
        if self.bound(address):
            return
        override = self.override(address)
        driver = "virtio-pci" if override == "(null)" else override
        if (self.root / "sys/bus/pci/drivers" / driver).is_dir() and driver not in self.rejects:
            self._attach(address, driver)

    def _attach(self, address: str, driver: str) -> None:
        device = self.device(address)
        (device / "driver").symlink_to(self.root / "sys/bus/pci/drivers" / driver)
        if driver in ("uio_pci_generic", "igb_uio"):
            (device / "uio" / f"uio{self.uio}").mkdir(parents=True)
            (self.root / "dev" / f"uio{self.uio}").touch()
            self.uio += 1
        elif driver == "vfio-pci":
            (self.root / "dev/vfio" / (device / "iommu_group").readlink().name).touch()
        elif address in self.names:
            name = self.names[address]
            interface = device / "virtio0/net" / name
            interface.mkdir(parents=True)
            (interface / "address").write_text(f"02:00:00:00:00:{address[8:10]}\n")
            (self.root / "sys/class/net" / name).symlink_to(interface)

    def _detach(self, address: str) -> None:
        device = self.device(address)
        (device / "driver").unlink()
        if (device / "uio").is_dir():
            (self.root / "dev" / os.listdir(device / "uio")[0]).unlink()
            shutil.rmtree(device / "uio")
        if (device / "virtio0").is_dir():
            (self.root / "sys/class/net" / self.names[address]).unlink()
            shutil.rmtree(device / "virtio0")


class FakeSystem(System):
    """Modules are names in ``modules``; loading one registers the driver of the same name."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.dev = str(bus.root / "dev")
        self.modules = {"uio_pci_generic", "igb_uio", "vfio_pci", "virtio_pci"}
        self.broken: set[str] = set()
        self.loaded: list[str] = []
        self.claimed: set[str] = set()
        self.up: set[str] = set()
        self.known: list[tuple[str, IpAddress]] = []

    def has_module(self, name: str) -> bool:
        """Whether it is one of ours."""
        return name in self.modules

    def modules_for(self, modalias: str) -> list[str]:
        """All functions here are virtio's."""
        return ["virtio_pci"] if "virtio_pci" in self.modules and modalias else []

    def load(self, name: str) -> None:
        """Register its driver."""
        if name in self.broken:
            raise VirtperfError(f"the module {name} cannot be loaded", found="Key was rejected by service")
        self.loaded.append(name)
        self.bus.driver({"vfio_pci": "vfio-pci", "virtio_pci": "virtio-pci"}.get(name, name))

    def rename(self, interface: str, name: str) -> None:
        """One that is up keeps its name."""
        if interface in self.up:
            raise OSError(errno.EBUSY, "Device or resource busy")
        folder = self.bus.root / "sys/class/net"
        target = (folder / interface).resolve()
        address = target.parts[-4]  # .../<address>/virtio0/net/<name>
        (folder / interface).unlink()
        (folder / name).symlink_to(target.rename(target.parent / name))
        self.bus.names[address] = name

    def is_claimed(self, disk: str) -> bool:
        """As a test says."""
        return disk in self.claimed

    def addresses(self) -> list[tuple[str, IpAddress]]:
        """As a test says."""
        return self.known

    def address(self, interface: str, text: str) -> None:
        """Give an interface an address."""
        self.known.append((interface, ipaddress.ip_address(text)))


def _no_bus() -> Bus:
    raise TypeError("a PciHost needs its bus: make it with pci_host()")


@dataclass(frozen=True)
class PciHost(Host):
    """A host whose bus is the one above."""

    bus: Bus = field(default_factory=_no_bus)

    def write_kernel(self, path: str, value: str) -> None:
        """Let the bus do it."""
        self.bus.write(path, value)


def pci_host(root: Path) -> PciHost:
    """A host with a disk, an interface eth0, and an interface eth1 that nobody needs."""
    bus = Bus(root)
    bus.function(NIC, interface="eth0")
    bus.function(OTHER_NIC, interface="eth1")
    bus.function(DISK, _STORAGE)
    bus.disk("vda", DISK, "vda1", "vda2")
    return PciHost(
        proc=str(root / "proc"),
        sys=str(root / "sys"),
        run=str(root / "run"),
        state=str(root / "state"),
        bus=bus,
    )


def bridge(bus: Bus, address: str = "0000:00:01.0") -> None:
    """A bridge between buses."""
    bus.function(address, _BRIDGE)
