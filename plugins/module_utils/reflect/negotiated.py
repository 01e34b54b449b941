# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask and check: what the two ends really agreed on, beside what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import output
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.window import Ends

# asked key -> name of the virtio feature
# Its VIRTQUEUE_MAX_SIZE.
_QEMU_RING = 1024
_FEATURES = {"packed": "ring_packed", "in_order": "in_order", "mrg_rxbuf": "mrg_rxbuf"}
# What both ends say of themselves, and each has its own of.
_OF_EACH = ("rx_queues", "tx_queues", "link_up", "link_speed_mbps", "cpus", "pid", "command", "version", "driver")


def observe(ends: Ends) -> dict[str, Any]:
    """Queues, ring size, features, link and CPUs as both ends report them after a launch."""
    vswitch, far_end = ends.vswitch.setup(), ends.far_end.setup()
    word = vswitch.get("features_word") or far_end.get("features_word") or 0
    observed: dict[str, Any] = {
        "ring_sizes": far_end.get("ring_sizes", []),
        "features": output.feature_names(word),
        "features_word": f"0x{word:x}",
        "datapaths": far_end.get("datapaths", {}),
        "dpdk": vswitch["version"],
    }
    for end, setup in ((ends.vswitch, vswitch), (ends.far_end, far_end)):
        observed[end.name] = {key: setup[key] for key in _OF_EACH if key in setup}
    observed["queues"] = far_end["rx_queues"]
    observed["ring_size"] = observed["ring_sizes"][0] if len(observed["ring_sizes"]) == 1 else None
    observed["link_speed_mbps"] = far_end["link_speed_mbps"]
    return observed


def mismatches(asked: Mapping[str, Any], observed: Mapping[str, Any], ends: Mapping[str, list[int]]) -> list[str]:
    """Why a trial with this setup would not be what was asked. ``ends`` maps each end to the CPUs asked for."""
    reasons = []
    for name, cpus in ends.items():
        end = observed[name]
        if (end["rx_queues"], end["tx_queues"]) != (asked["queues"], asked["queues"]):
            reasons.append(
                f"{name} has {end['rx_queues']} receive and {end['tx_queues']} transmit queues, asked {asked['queues']}"
            )
        if not end["link_up"]:
            reasons.append(f"the link of {name} is down")
        if end["cpus"] != sorted(cpus):
            reasons.append(f"{name} forwards on CPUs {end['cpus']}, asked {sorted(cpus)}")
        if "driver" in end and end["driver"] != asked["driver"]:
            reasons.append(f"{name}'s ports are bound to {end['driver']}, asked {asked['driver']}")
    if observed["ring_sizes"] != [asked["ring_size"]]:
        reason = f"ring sizes are {observed['ring_sizes']}, asked {asked['ring_size']}"
        if observed["ring_sizes"] == [_QEMU_RING]:
            reason += f" (QEMU makes them so long from 10.0.13 on, whatever is asked: reflect_ring_size={_QEMU_RING})"
        reasons.append(reason)
    speed_mbps = asked.get("link_speed", 0) * asked.get("links", 1)
    if speed_mbps and observed["link_speed_mbps"] != speed_mbps:
        reasons.append(f"the link speed is {observed['link_speed_mbps']} Mbit/s, asked {speed_mbps}")
    for key, feature in _FEATURES.items():
        has = feature in observed["features"]
        if has != bool(asked[key]):
            reasons.append(f"{feature} was {'' if has else 'not '}negotiated, asked {key}={bool(asked[key])}")
    if asked["vectorized"] and "vectorized" not in " ".join(observed["datapaths"].values()):
        reasons.append(f"no vectorized path was chosen but {observed['datapaths']}, asked vectorized=True")
    return reasons
