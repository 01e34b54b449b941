# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The far end of a launch in a VM: the VM as M(virtperf.vhost.qemu_vm) takes it, and the end inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import render
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import parse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.ends import (
    HUGE_DIR,
    far_end_name,
    far_end_part,
    socket_of,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.factors import KERNEL_DRIVER
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

NAME = "reflect"
# systemd mounts it, and gives its pages to whoever asks.
_GUEST_HUGE_DIR = "/dev/hugepages"
PAGE_MIB = 2
# pktgen makes packet buffers for each way of sending, in every queue, of its own accord.
_PKTGEN_LEAST_MIB = 512
_PKTGEN_QUEUE_MIB = 256


def kind_of(asked: Mapping[str, Any]) -> str:
    """What the far end is: testpmd, pktgen or kernel."""
    if asked["driver"] == KERNEL_DRIVER:
        return "kernel"
    return "pktgen" if asked["generator"] == "pktgen" else "testpmd"


def far_end_mib(asked: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
    """The hugepage memory that the far end takes of its guest, in MiB."""
    kind = kind_of(asked)
    if kind == "kernel":
        return 0
    mib = settings["memory_mib"]
    if kind == "pktgen":
        mib = max(_PKTGEN_LEAST_MIB, asked["links"] * asked["queues"] * _PKTGEN_QUEUE_MIB)
    return -(-mib // PAGE_MIB) * PAGE_MIB


def vm(levels: Mapping[str, Any], settings: Mapping[str, Any], forwarding: int, nodes: Sequence[int]) -> dict[str, Any]:
    """The VM without what it boots from: vCPU 0 for the guest's own work, and so many more that forward.

    The same for all drivers, so that one boot serves them: it offers what not all of them take.
    """
    port = {
        "queues": levels["queues"],
        "rx_queue_size": levels["ring_size"],
        "tx_queue_size": levels["ring_size"],
        # QEMU knows in_order since 9.1: older ones start where it is not asked for.
        "virtio": {
            "mrg_rxbuf": "on" if levels["mrg_rxbuf"] else "off",
            **({"in_order": "on"} if levels["in_order"] else {}),
        },
    }
    return {
        "name": NAME,
        "vcpus": 1 + forwarding,
        "cpu": settings["guest_cpu"],
        "accel": settings["guest_accel"],
        "memory": {
            "size": f"{settings['guest_memory_mib']}MiB",
            "huge_path": HUGE_DIR,
            "share": True,
            "prealloc": True,
            "nodes": list(nodes),
        },
        "vhost_user": [{"socket": socket_of(link), **port} for link in range(levels["links"])],
    }


def addresses(definition: Mapping[str, Any]) -> list[str]:
    """The PCI addresses of its vhost-user ports; behind QEMU's own network, by which it is entered."""
    try:
        ports = parse({**definition, "user_net": {}}).ports()
    except VirtperfError as error:
        raise PlanError(f"the guest cannot be: {error}") from error
    return [port.pci for port in ports if port.key.startswith("vu")]


def pins(far_end_cpus: Sequence[int], housekeeping: Sequence[int]) -> dict[str, Any]:
    """Each forwarding vCPU on a CPU of its own; all else of the VM on the housekeeping CPUs.

    Where there are none, beside the first of the polling loops at the far end: the vswitch is what is measured.
    """
    rest = render(housekeeping or far_end_cpus[:1])
    return {
        "vcpus": [
            {"vcpu": 0, "cpus": rest},
            *({"vcpu": number, "cpus": str(cpu)} for number, cpu in enumerate(far_end_cpus, start=1)),
        ],
        "emulator": {"cpus": rest},
    }


def far_end(asked: Mapping[str, Any], settings: Mapping[str, Any], vcpus: Sequence[int], pci: Sequence[str]) -> Any:
    """The end inside the guest, on its vCPUs."""
    kind = kind_of(asked)
    common = {"kind": kind, "cpus": list(vcpus), "queues": asked["queues"]}
    if kind == "kernel":
        # A CPU serves its queue of all ports.
        cpus = list(vcpus[: asked["queues"]])
        return {**common, "cpus": cpus, "name": far_end_name(asked), "ports": [{"device": address} for address in pci]}
    dpdk = {
        **common,
        "main_cpu": 0,
        "memory_mib": far_end_mib(asked, settings),
        "huge_dir": _GUEST_HUGE_DIR,
    }
    if kind == "pktgen":
        return {
            **dpdk,
            "name": far_end_name(asked),
            "ports": [{"device": address} for address in pci],
            "link_speed_mbps": asked["link_speed"],
        }
    options = {"vectorized": "1"} if asked["vectorized"] else {}
    return {
        **dpdk,
        **far_end_part(asked),
        "numa_node": 0,
        "mbufs": settings["mbufs"],
        "burst": asked["burst"],
        "ports": [{"device": address, "options": options} for address in pci],
    }
