# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""macvtap interfaces. QEMU opens none by name: it is handed descriptors of the device that each of them has."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition, Tap

_DEVICES = "/dev"
# QEMU gets them at numbers from here on: the same definition is the same command line.
_FIRST_DESCRIPTOR = 100


def device(host: Host, ifname: str) -> str:
    """The device of a macvtap, ``/dev/tap<number of the interface>``; "" for another kind of interface, or none."""
    base = f"{host.sys}/class/net/{ifname}"
    name = f"tap{host.read_or(f'{base}/ifindex')}"
    return f"{_DEVICES}/{name}" if os.path.exists(f"{base}/{name}") else ""


def check(host: Host, definition: Definition, tap: Tap, mac: str) -> None:
    """Refuse one that is not there, and one that would not let the guest with this MAC address have its packets."""
    interface = f"{host.sys}/class/net/{tap.ifname}"
    path = device(host, tap.ifname)
    if not path:
        there = "an interface of another kind" if os.path.exists(interface) else "no such interface"
        raise VirtperfError(
            f"VM {definition.name}: {tap.ifname} is not a macvtap",
            found="a tap" if os.path.exists(f"{interface}/tun_flags") else there,
            way_out="make one first (virtperf.vhost.lab_network, kind: macvtap): QEMU does not; or macvtap: false",
        )
    if not os.path.exists(path):
        raise VirtperfError(
            f"VM {definition.name}: the macvtap {tap.ifname} has no device",
            found=f"no {path}",
            way_out="a container needs it from outside, made as /sys/class/net/<interface>/tap<number>/dev says",
        )
    own = host.read_or(f"{interface}/address")
    if own != mac:
        raise VirtperfError(
            f"VM {definition.name}: the macvtap {tap.ifname} would keep from the guest what is sent to it",
            found=f"its MAC address is {own}, the guest's is {mac}",
            way_out=f"mac: {own}, or give the macvtap the guest's",
        )


@contextlib.contextmanager
def opened(host: Host, definition: Definition) -> Iterator[dict[str, tuple[int, ...]]]:
    """Descriptors of a VM's macvtaps by the key of their port, one for each queue, until the end of the block."""
    with contextlib.ExitStack() as stack:
        found = {}
        for port in definition.ports():
            if isinstance(port.backend, Tap) and port.backend.macvtap:
                path = device(host, port.backend.ifname)
                found[port.key] = tuple(_open(definition, port.backend, path, stack) for _queue in range(port.queues))
        yield found


def _open(definition: Definition, tap: Tap, path: str, stack: contextlib.ExitStack) -> int:
    try:
        low = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fd = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _FIRST_DESCRIPTOR)
        finally:
            os.close(low)
    except OSError as error:
        raise VirtperfError(
            f"VM {definition.name}: the macvtap {tap.ifname} cannot be opened",
            found=f"{path or 'it has no device'}: {error.strerror}",
            way_out="see whether it is still there, and whether another process has all of its queues",
        ) from error
    stack.callback(os.close, fd)
    return fd
