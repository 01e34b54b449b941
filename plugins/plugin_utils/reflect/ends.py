# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a launch on the hypervisor, as M(virtperf.vhost.testpmd) takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_RUNTIME = "/run/virtperf"
HUGE_DIR = f"{_RUNTIME}/hugepages"
# Of itself the virtio driver uses no more descriptors of a ring than this (RTE_ETH_DEV_FALLBACK_RX_RINGSIZE).
_DESCRIPTORS_UNASKED = 512


def socket_of(link: int) -> str:
    """The vhost-user socket of a link, counted from 0."""
    return f"{_RUNTIME}/vswitch{link or ''}.sock"


def vswitch(asked: Mapping[str, Any], settings: Mapping[str, Any], cpus: Sequence[int], node: int) -> dict[str, Any]:
    """The process that owns the vhost-user ports."""
    queues = asked["queues"]
    ports = [
        {"device": f"net_vhost{link}", "options": {"iface": socket_of(link), "queues": str(queues)}}
        for link in range(asked["links"])
    ]
    return {
        **_common(asked, settings, node),
        **_loop(asked),
        "name": "vswitch",
        "cpus": list(cpus),
        "ports": ports,
        "forward_mode": "io" if asked["direction"] == "vswitch" else "flowgen",
    }


def far_end(asked: Mapping[str, Any], settings: Mapping[str, Any], cpus: Sequence[int], node: int) -> dict[str, Any]:
    """The process that connects to them, on the same host."""
    ports = [
        {
            "device": f"net_virtio_user{link}",
            "options": {
                "path": socket_of(link),
                "mac": f"02:00:00:00:00:{link + 1:02x}",
                "queues": str(asked["queues"]),
                "queue_size": str(asked["ring_size"]),
                "packed_vq": str(int(asked["packed"])),
                "mrg_rxbuf": str(int(asked["mrg_rxbuf"])),
                "in_order": str(int(asked["in_order"])),
                "vectorized": str(int(asked["vectorized"])),
            },
        }
        for link in range(asked["links"])
    ]
    # AVX-512 is what virtio's packed vectorized path needs, and EAL's default stops short of it.
    eal = ["--force-max-simd-bitwidth=512"] if asked["vectorized"] else []
    return {
        **_common(asked, settings, node),
        **far_end_part(asked),
        "cpus": list(cpus),
        "ports": ports,
        "eal_arguments": eal,
    }


def far_end_part(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a testpmd at the far end has in common, here and in a guest."""
    generates = asked["direction"] == "vswitch"
    return {
        **_loop(asked),
        # All of a large ring has to be asked for.
        **({"descriptors": asked["ring_size"]} if asked["ring_size"] > _DESCRIPTORS_UNASKED else {}),
        "name": far_end_name(asked),
        "forward_mode": "flowgen" if generates else "io",
    }


def far_end_name(asked: Mapping[str, Any]) -> str:
    """The far end by what it does."""
    return "generator" if asked["direction"] == "vswitch" else "reflector"


def _common(asked: Mapping[str, Any], settings: Mapping[str, Any], node: int) -> dict[str, Any]:
    return {
        "memory_mib": settings["memory_mib"],
        "mbufs": settings["mbufs"],
        "huge_dir": HUGE_DIR,
        "numa_node": node,
        "queues": asked["queues"],
        "burst": asked["burst"],
    }


def _loop(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Of two ports, testpmd sends on one what it received on the other, unless told to keep them apart."""
    return {"arguments": ["--port-topology=loop"]} if asked["links"] > 1 else {}
