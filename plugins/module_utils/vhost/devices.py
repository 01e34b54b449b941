# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a QEMU process has open: vhost devices, and taps with the interface of each."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.netdevs import TapBackend

NET = "net"
# Those that a worker serves. vhost-vdpa has none, and vhost-user is no device of the kernel's.
_KINDS = {"/dev/vhost-net": NET, "/dev/vhost-vsock": "vsock", "/dev/vhost-scsi": "scsi"}
_MACVTAP = re.compile(r"/dev/tap(\d+)", re.ASCII)


@dataclass(frozen=True)
class Devices:
    """By ascending descriptor. ``vhost`` are kinds, ``taps`` interfaces by their descriptor; None: not to be read."""

    vhost: tuple[str, ...]
    taps: tuple[tuple[int, str], ...]

    def interfaces(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(name for _fd, name in self.taps))


@dataclass(frozen=True)
class Served:
    """What a worker serves: its kind of device and its interface, "" for what cannot be told."""

    device: str = ""
    interface: str = ""


def look(host: Host, pid: int) -> Devices | None:
    """None where they may not be read, which takes root."""
    base = f"{host.proc}/{pid}/fd"
    try:
        descriptors = sorted(int(name) for name in os.listdir(base))
    except FileNotFoundError:
        return Devices((), ())
    except PermissionError:
        return None
    vhost, taps = [], []
    for fd in descriptors:
        # One may be closed while we look.
        with contextlib.suppress(OSError):
            target = os.readlink(f"{base}/{fd}")
            interface = _interface(host, pid, fd, target)
            if target in _KINDS:
                vhost.append(_KINDS[target])
            elif interface:
                taps.append((fd, interface))
    return Devices(tuple(vhost), tuple(taps))


def _interface(host: Host, pid: int, fd: int, target: str) -> str:
    if target == "/dev/net/tun":
        found = re.search(r"^iff:\s*(\S+)$", host.read_or(f"{host.proc}/{pid}/fdinfo/{fd}"), re.MULTILINE)
        return found[1] if found else ""
    macvtap = _MACVTAP.fullmatch(target)
    return _interface_of_index(host, macvtap[1]) if macvtap else ""


def _interface_of_index(host: Host, index: str) -> str:
    base = f"{host.sys}/class/net"
    with contextlib.suppress(OSError):
        for name in os.listdir(base):
            if host.read_or(f"{base}/{name}/ifindex") == index:
                return name
    return ""


def assign(count: int, devices: Devices | None, backends: Sequence[TapBackend]) -> list[Served]:
    """What each of ``count`` workers serves, in the order in which they were started.

    The kernel does not tell. QEMU starts one worker for each vhost device and queue: first those of the network
    backends of its command line, in their order, then those of its other devices, then what is plugged in. What does
    not follow from that for certain is left open.
    """
    if devices is None:
        return [Served()] * count
    queues = [name for backend in backends if backend.vhost for name in _names(backend, devices, backends)]
    others = [kind for kind in devices.vhost if kind != NET]
    nets = len(devices.vhost) - len(others)
    candidates = set(queues) if queues and "" not in queues else set(devices.interfaces())
    if count != len(devices.vhost) or len(queues) > nets or "" in queues:
        # One may have started or ended this moment, or QEMU went on without vhost where it could not have it.
        only = candidates.pop() if len(candidates) == 1 else ""
        return [Served() if others else Served(NET, only)] * count
    served = [Served(NET, name) for name in queues]
    if nets == len(queues):
        served += [Served(others[0]) if len(set(others)) == 1 else Served()] * len(others)
    else:
        plugged = set(devices.interfaces()) - {_only(backend, devices) for backend in backends}
        later = Served(NET, plugged.pop() if len(plugged) == 1 else "")
        served += [Served() if others else later] * (count - len(queues))
    return served


def _names(backend: TapBackend, devices: Devices, backends: Sequence[TapBackend]) -> list[str]:
    """The interface of a backend, once for each queue; "" where it cannot be told."""
    name = _only(backend, devices)
    if not name and len(backends) == 1 and len(devices.interfaces()) == 1:
        # Named by a pattern such as tap%d, or not at all.
        name = devices.interfaces()[0]
    return [name] * backend.queues


def _only(backend: TapBackend, devices: Devices) -> str:
    of_fd = dict(devices.taps)
    if backend.fds:
        return of_fd.get(backend.fds[0], "")
    return backend.ifname if backend.ifname in devices.interfaces() else ""
