# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The device files by which programs use a function that was handed over: /dev/uio0, /dev/vfio/7."""

from __future__ import annotations

import os
import time

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import (
    HANDING_OVER,
    Function,
    folder,
    read_function,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import System

_PATIENCE_S = 5.0


def device_file(host: Host, system: System, function: Function) -> str:
    """Its path as the kernel has it, whether or not it is there yet; "" while no such driver is bound."""
    if function.driver not in HANDING_OVER:
        return ""
    if function.driver == "vfio-pci":
        # Without an IOMMU, vfio makes a group by itself and marks it as one that protects nothing.
        unsafe = f"{system.dev}/vfio/noiommu-{function.group}"
        return unsafe if os.path.exists(unsafe) else f"{system.dev}/vfio/{function.group}"
    try:
        names = sorted(os.listdir(f"{folder(host, function.address)}/uio"))
    except OSError:
        return ""
    return f"{system.dev}/{names[0]}" if names else ""


def wait_for_device_file(host: Host, system: System, function: Function, patience_s: float = _PATIENCE_S) -> str:
    """Its path, once it is there; VirtperfError when that takes too long."""
    limit = time.monotonic() + patience_s
    while True:
        path = device_file(host, system, function)
        if path and os.path.exists(path):
            return path
        function = read_function(host, function.address)
        if time.monotonic() > limit:
            raise VirtperfError(
                f"{function.address} is bound to {function.driver}, but its device file does not appear",
                found=path or f"nothing in {folder(host, function.address)}/uio",
                way_out="see dmesg, and whether /dev is the kernel's own (a container may have another one)",
                address=function.address,
            )
        time.sleep(0.02)
