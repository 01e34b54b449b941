# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers of PCI functions: whether the kernel has them, which module brings them, which is the kernel's own."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import NO_KERNEL_DRIVER, Function
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import System

# What users write for "the driver that the kernel would choose by itself".
KERNEL = "kernel"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# Drivers called differently from their modules.
_OF_MODULE = {"vfio_pci": "vfio-pci", "virtio_pci": "virtio-pci", "pci_stub": "pci-stub"}
# Where drivers come from that a kernel often lacks.
_SOURCES = {
    "igb_uio": "install dpdk-kmods-dkms and the headers of this kernel, or use uio_pci_generic",
    "uio_pci_generic": "install a kernel with CONFIG_UIO_PCI_GENERIC (a distribution's full kernel), or its modules",
    "vfio-pci": "install a kernel with CONFIG_VFIO_PCI, or its modules",
}


def find(host: Host, system: System, name: str) -> tuple[str, str]:
    """A driver by the name it or its module goes by, and the module to load for it, or "" when it is there.

    VirtperfError when the kernel does not have it.
    """
    if not _NAME.fullmatch(name):
        raise VirtperfError(
            f"{name!r} is no name of a driver",
            way_out="name uio_pci_generic, igb_uio, vfio-pci, kernel, or a driver of the kernel's such as virtio-pci",
        )
    module = name.replace("-", "_")
    for driver in registered(host):
        if driver.replace("-", "_") == module:
            return driver, ""
    driver = _OF_MODULE.get(module, name)
    if not system.has_module(module):
        release = host.read_or(f"{host.proc}/sys/kernel/osrelease")
        raise VirtperfError(
            f"the kernel does not have the driver {driver}",
            found=f"kernel {release or 'unknown'}, neither loaded nor among its modules",
            way_out=_SOURCES.get(driver, "see whether the name is right, and install the module it comes with"),
        )
    return driver, module


def registered(host: Host) -> list[str]:
    """The PCI drivers that the kernel has at hand."""
    try:
        return sorted(os.listdir(f"{host.sys}/bus/pci/drivers"))
    except OSError:
        return []


def of_kernel(host: Host, system: System, function: Function, remembered: str = "") -> tuple[str, str]:
    """The driver that the kernel itself would choose, and the module to load for it, or "" when it is there.

    ``remembered`` is what the function was bound to before we changed it, if we did.
    """
    if function.driver and function.driver not in NO_KERNEL_DRIVER:
        return function.driver, ""
    if remembered and remembered not in NO_KERNEL_DRIVER:
        return find(host, system, remembered)
    for module in system.modules_for(function.modalias):
        if _OF_MODULE.get(module, module) in NO_KERNEL_DRIVER:
            continue
        name = module.replace("-", "_")
        loaded = glob.glob(f"{glob.escape(host.sys)}/module/{name}/drivers/pci:*")
        if loaded:
            return sorted(loaded)[0].rpartition("/pci:")[2], ""
        return find(host, system, module)
    raise VirtperfError(
        f"it is not known which driver the kernel has for {function.address}",
        found=f"{function.modalias or 'no modalias'}, and no module that wants it",
        way_out="name the driver instead of 'kernel', such as virtio-pci",
        address=function.address,
    )
