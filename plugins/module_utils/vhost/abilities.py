# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host can do for vhost: KVM found by trying, the module and its parameters, busy polling, tracepoints.

Nothing is loaded or changed by looking: even opening /dev/vhost-net would load the module.
"""

from __future__ import annotations

import os
import platform
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.system import SYSTEM, System
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel

# What shows a guest's kicks and interrupts on the host. There are no tracepoints of vhost's own.
_TRACEPOINTS = ("kvm_exit", "kvm_pio", "kvm_mmio", "kvm_fast_mmio", "kvm_msi_set_irq", "kvm_inj_virq")


def kvm(*, probe: bool, device: str = "/dev/kvm") -> dict[str, Any]:
    """Whether a paused VM can be made with KVM, and why not; None where that was not tried."""
    if not os.path.exists(device):
        return {"usable": False, "reason": f"there is no {device}"}
    if not probe:
        return {"usable": None, "reason": "not tried"}
    try:
        reason = accel.probe_kvm(accel.find(), device)
    except VirtperfError as error:
        return {"usable": None, "reason": str(error)}
    return {"usable": not reason, "reason": reason or None}


def vhost(host: Host, modules: str = "/lib/modules", system: System = SYSTEM) -> dict[str, Any]:
    """The modules of the kernel; parameters are None while theirs is not loaded, or where this kernel lacks them.

    ``net_parameters`` are the names of those that vhost_net has, None where nobody can tell.
    """
    parameters = f"{host.sys}/module/vhost/parameters"
    fork = host.read_or(f"{parameters}/fork_from_owner_default")
    regions = host.read_or(f"{parameters}/max_mem_regions")
    net = _module(host, "vhost_net", modules)
    return {
        "net": net,
        "vsock": _module(host, "vhost_vsock", modules),
        "fork_from_owner_default": {"Y": True, "1": True, "N": False, "0": False}.get(fork),
        "max_mem_regions": int(regions) if regions.isdigit() else None,
        "net_parameters": _parameters(host, "vhost_net", net, system),
    }


def _parameters(host: Host, name: str, state: str, system: System) -> list[str] | None:
    """Of a loaded module those that it shows; of another one those that are told of its file, if any are."""
    if state == "loaded":
        try:
            return sorted(os.listdir(f"{host.sys}/module/{name}/parameters"))
        except OSError:
            return []
    return (sorted(system.parameters(name)) or None) if state == "loadable" else None


def _module(host: Host, name: str, modules: str) -> str:
    """``loaded``, ``loadable``, or ``missing``."""
    if os.path.isdir(f"{host.sys}/module/{name}") or os.path.isdir(f"{host.sys}/class/misc/{name.replace('_', '-')}"):
        return "loaded"
    base = f"{modules}/{platform.release()}"
    known = host.read_or(f"{base}/modules.dep") + host.read_or(f"{base}/modules.builtin")
    return "loadable" if f"/{name}.ko" in known else "missing"


def busy_poll(host: Host) -> dict[str, Any]:
    """How long sockets busy-poll in poll() and in read(), in µs; None on a kernel without. vhost-net has its own limit
    for each device, which QEMU sets (poll-us)."""
    found = {}
    for name in ("busy_poll", "busy_read"):
        text = host.read_or(f"{host.proc}/sys/net/core/{name}")
        found[f"{name}_us"] = int(text) if text.isdigit() else None
    return found


def tracing(host: Host, unreadable: list[str]) -> dict[str, Any]:
    """The tracepoints of KVM's that are there, whether kprobes can be had, and BTF, which bpftrace likes."""
    events = None
    for base in (f"{host.sys}/kernel/tracing", f"{host.sys}/kernel/debug/tracing"):
        try:
            os.listdir(f"{base}/events")
            events = [f"kvm:{name}" for name in _TRACEPOINTS if os.path.isdir(f"{base}/events/kvm/{name}")]
            break
        except PermissionError:
            unreadable.append(base)
            break
        except OSError:
            continue
    return {
        "tracepoints": events,
        "kprobes": os.path.isdir(f"{host.sys}/bus/event_source/devices/kprobe"),
        "btf": os.path.exists(f"{host.sys}/kernel/btf/vmlinux"),
    }
