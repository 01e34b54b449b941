# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a PCI function must not be taken from its driver, or cannot be given to another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.hugetlbfs import users_of
from ansible_collections.virtperf.vhost.plugins.module_utils.pci import network, storage
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import Function, in_group, read_function
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.nodes import device_file
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import System

# Drivers that let others have the rest of their IOMMU group: see vfio_dev_viable() of the kernel's vfio.c.
_PEACEFUL = ("", "vfio-pci", "pci-stub", "pcieport", "shpchp")

_NO_GROUP = (
    "it has no IOMMU group (a VM needs a vIOMMU, with QEMU: -machine q35 -device intel-iommu, and intel_iommu=on for"
    " its kernel; Debian's kernels have no VFIO_NOIOMMU)"
)


def against_leaving(host: Host, system: System, function: Function, kept: Mapping[str, Sequence[str]]) -> list[str]:
    """Why its driver must stay; ``kept`` is what network.reasons() says. One without a driver has nothing to lose."""
    if function.is_bridge:
        return ["it is a bridge, and other functions are behind it"]
    if not function.driver:
        return []
    found = [f"{name}: {reason}" for name in function.interfaces for reason in kept.get(name, ())]
    found += [f"disk {disk}: {use}" for disk in function.disks for use in storage.uses(host, system, disk)]
    if function.virtual_functions:
        found.append(f"its {function.virtual_functions} virtual functions would go with its driver")
    path = device_file(host, system, function)
    if path and (users := users_of(host, path)):
        found.append(f"{path} is in use by {', '.join(users)}")
    return found


def against_vfio(host: Host, function: Function, to_vfio: Sequence[str]) -> list[str]:
    """Why vfio-pci cannot have it; ``to_vfio`` are the functions that are asked for in the same call."""
    if not function.group:
        if host.read_or(f"{host.sys}/module/vfio/parameters/enable_unsafe_noiommu_mode") in ("Y", "1"):
            return []
        return [_NO_GROUP]
    others = [read_function(host, other) for other in in_group(host, function.group) if other not in to_vfio]
    return [
        f"vfio-pci takes IOMMU group {function.group} as a whole, and {other.address} in it is bound to {other.driver}"
        for other in others
        if other.driver not in _PEACEFUL
    ]


def against_losing_addresses(system: System, function: Function) -> list[str]:
    """What somebody set up on its interfaces and nobody would set up again."""
    addresses = network.global_addresses(system, function.interfaces)
    return [f"the address {address} would be lost, and is not set again by restore" for address in addresses]
