# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PCI functions as sysfs shows them, and how they are named: by address, MAC or interface."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

_ADDRESS = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[01][0-9a-f]\.[0-7])")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")

# Drivers that hand a function to a program, and have no use for it themselves.
HANDING_OVER = ("uio_pci_generic", "igb_uio", "vfio-pci")
# ... and one that only keeps others away from it.
NO_KERNEL_DRIVER = (*HANDING_OVER, "pci-stub")

# Base classes, the upper 8 bits of a class code.
_NETWORK, _BRIDGE = 0x02, 0x06


@dataclass(frozen=True)
class Function:
    """One PCI function. Text that the kernel does not have is "", ``group`` is the IOMMU group's number.

    ``identity`` is what it is, vendor:device of itself and of its subsystem: an address can be given to another one.
    ``interfaces`` and ``disks`` are those below it, of functions behind it too where it is a bridge.
    """

    address: str
    identity: str
    kind: int
    modalias: str
    driver: str
    override: str
    group: str
    interfaces: tuple[str, ...]
    macs: tuple[str, ...]
    disks: tuple[str, ...]
    virtual_functions: int

    @property
    def is_network(self) -> bool:
        """Whether a kernel driver makes an interface of it."""
        return self.kind >> 16 == _NETWORK

    @property
    def is_bridge(self) -> bool:
        """Whether other functions are behind it."""
        return self.kind >> 16 == _BRIDGE


def folder(host: Host, address: str) -> str:
    """Where sysfs has a function."""
    return f"{host.sys}/bus/pci/devices/{address}"


def addresses(host: Host) -> list[str]:
    """The addresses of all functions; none on a machine without PCI."""
    try:
        return sorted(os.listdir(f"{host.sys}/bus/pci/devices"))
    except OSError:
        return []


def parse_address(text: str) -> str:
    """``00:05.0`` and ``0000:00:05.0`` as the kernel writes them; VirtperfError for anything else."""
    match = _ADDRESS.fullmatch(text.strip().lower())
    if not match:
        raise VirtperfError(f"{text!r} is no PCI address", way_out="write it as lspci -D does, such as 0000:00:05.0")
    return f"{match[1] or '0000'}:{match[2]}"


def parse_mac(text: str) -> str:
    """A MAC as the kernel writes it; VirtperfError for anything else."""
    mac = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(mac):
        raise VirtperfError(f"{text!r} is no MAC address", way_out="write six bytes, such as 02:00:00:00:00:05")
    return mac


def read_function(host: Host, address: str) -> Function:
    """The function at an address; VirtperfError when there is none."""
    base = folder(host, address)
    if not os.path.isdir(base):
        there = addresses(host)
        raise VirtperfError(
            f"there is no PCI function {address}",
            found=", ".join(there) or "none on this machine",
            way_out="name one of those that lspci -D lists",
        )
    ids = ("vendor", "device", "subsystem_vendor", "subsystem_device")
    override = host.read_or(f"{base}/driver_override")
    interfaces = tuple(name for name in interface_names(host) if address in path_of_interface(host, name))
    return Function(
        address=address,
        identity=":".join(host.read_or(f"{base}/{name}").replace("0x", "") for name in ids),
        kind=int(host.read_or(f"{base}/class", "0"), 16),
        modalias=host.read_or(f"{base}/modalias"),
        driver=_link(f"{base}/driver"),
        override="" if override == "(null)" else override,
        group=_link(f"{base}/iommu_group"),
        interfaces=interfaces,
        macs=tuple(host.read_or(f"{host.sys}/class/net/{name}/address") for name in interfaces),
        disks=tuple(name for name in _listed(f"{host.sys}/block") if address in _path_of_disk(host, name)),
        virtual_functions=int(host.read_or(f"{base}/sriov_numvfs", "0") or 0),
    )


def in_group(host: Host, group: str) -> list[str]:
    """The addresses of all functions of an IOMMU group."""
    return _listed(f"{host.sys}/kernel/iommu_groups/{group}/devices")


def interface_names(host: Host) -> list[str]:
    """The network interfaces, virtual ones too."""
    # A file among them, bonding_masters, is none.
    names = _listed(f"{host.sys}/class/net")
    return [name for name in names if os.path.isdir(f"{host.sys}/class/net/{name}")]


def path_of_interface(host: Host, name: str) -> list[str]:
    """The PCI addresses on the way from the root to an interface, its own function last; none for a virtual one."""
    return _addresses_in(os.path.realpath(f"{host.sys}/class/net/{name}"))


def _path_of_disk(host: Host, name: str) -> list[str]:
    path = os.path.realpath(f"{host.sys}/block/{name}")
    found = _addresses_in(path)
    # A disk of NVMe with multipath is virtual: the controllers that lead to it are beside it, as links.
    parent = os.path.dirname(path)
    if "/nvme-subsystem/" in path:
        for controller in _listed(parent):
            found += _addresses_in(os.path.realpath(f"{parent}/{controller}"))
    return found


def _addresses_in(path: str) -> list[str]:
    return [part for part in path.split("/") if _ADDRESS.fullmatch(part)]


def _link(path: str) -> str:
    return os.path.basename(os.readlink(path)) if os.path.islink(path) else ""


def _listed(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []
