# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From VMs as the module qemu_vm takes them to what the template of a libvirt domain is filled with."""

from __future__ import annotations

import base64
import string
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import (
    Definition,
    Memory,
    Port,
    Tap,
    UserNet,
    parse,
)

_WAY_OUT = "leave it out, or guest_manager: qemu"


def guest_domains(vms: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A domain for each VM, in their order; VirtperfError for what a domain of ours cannot have."""
    return [_domain(parse(vm)) for vm in vms]


def _domain(vm: Definition) -> dict[str, Any]:
    _check(vm)
    disks = [(f"vd{string.ascii_lowercase[number]}", number, disk) for number, disk in enumerate(vm.disks)]
    ports = vm.ports()
    return {
        "name": vm.name,
        "accel": vm.accel,
        "machine": vm.machine,
        "cpu": _cpu(vm),
        "vcpus": vm.vcpus,
        "memory_kib": vm.memory.size_kb,
        "kernel": vm.kernel,
        "initrd": vm.initrd,
        "append": vm.append,
        "drives": [
            {"target": target, "cache": disk.cache, "slot": f"{vm.disk_slot(number):#04x}"}
            for target, number, disk in disks
        ],
        "taps": [_tap(port, port.backend) for port in ports if isinstance(port.backend, Tap)],
        "user_net": next((_user_net(port, port.backend) for port in ports if isinstance(port.backend, UserNet)), None),
        "strings": [_string(name, text) for name, text in sorted(vm.credentials.items())],
        "arguments": list(vm.arguments),
        # For the module.
        "disks": [{"target": target, "base": disk.base, "min_free": disk.min_free} for target, _number, disk in disks],
        "overlay_dir": vm.overlay_dir,
        "credential_files": dict(vm.credential_files),
    }


def _check(vm: Definition) -> None:
    parts = {
        "vm_vhost_user": bool(vm.vhost_user),
        "memory other than its size": vm.memory != Memory(vm.memory.size),
        "guests_init: cloud-init": vm.cloud_init is not None,
        "a disk without an overlay": any(disk.readonly for disk in vm.disks),
        "virtio properties of a tap": any(tap.virtio for tap in vm.taps),
        "a macvtap": any(tap.macvtap for tap in vm.taps),
        **{
            f"{name} of a tap": any(getattr(tap, name) is not None for tap in vm.taps)
            for name in ("poll_us", "sndbuf", "vectors")
        },
    }
    for part, asked in parts.items():
        if asked:
            raise VirtperfError(f"guest {vm.name} cannot be a domain of libvirt's", found=part, way_out=_WAY_OUT)


def _cpu(vm: Definition) -> dict[str, Any]:
    """QEMU's way of naming a model and its flags (``EPYC,+svm,-cx16``) in libvirt's words.

    "maximum" is all that the accelerator has: the host's own with KVM.
    """
    model, *flags = vm.cpu.split(",")
    mode = {"": "maximum", "max": "maximum", "host": "host-passthrough"}.get(model, "custom")
    return {
        "mode": mode,
        "model": model if mode == "custom" else "",
        "features": [_feature(vm, flag.strip()) for flag in flags],
    }


def _feature(vm: Definition, flag: str) -> dict[str, str]:
    name, _equals, value = flag.partition("=")
    wants = {"on": True, "off": False}.get(value) if value else {"+": True, "-": False}.get(flag[:1])
    if wants is None:
        raise VirtperfError(
            f"guest {vm.name}: {flag!r} of vm_cpu {vm.cpu!r} is none of a CPU's flags that libvirt knows",
            way_out="+flag and -flag, or guest_manager: qemu",
        )
    return {"name": name.lstrip("+-"), "policy": "require" if wants else "disable"}


def _tap(port: Port, tap: Tap) -> dict[str, Any]:
    return {
        "ifname": tap.ifname,
        "mac": port.mac,
        "slot": f"{port.slot:#04x}",
        # libvirt's names of vhost-net and of QEMU itself.
        "driver": "vhost" if tap.vhost else "qemu",
        "queues": tap.queues,
        "rx_queue_size": tap.rx_queue_size,
        "tx_queue_size": tap.tx_queue_size,
    }


def _user_net(port: Port, net: UserNet) -> dict[str, Any]:
    forwards = [f"hostfwd=tcp:127.0.0.1:{forward.host_port}-:{forward.guest_port}" for forward in net.forwards]
    return {"key": port.key, "mac": port.mac, "slot": f"{port.slot:#04x}", "forwards": forwards}


def _string(name: str, text: str) -> str:
    """A credential as systemd finds it in SMBIOS."""
    value = base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()
    return f"io.systemd.credential.binary:{name}={value}"
