# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask and check: what the two ends really agreed on, beside what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import parse as parse_cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import output
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance

# asked key -> name of the virtio feature
_FEATURES = {"packed": "ring_packed", "in_order": "in_order", "mrg_rxbuf": "mrg_rxbuf"}


def observe(vswitch: Instance, far_end: Instance, queues: int) -> dict[str, Any]:
    """Queues, ring size, features, link and CPUs as both ends report them after a launch."""
    log = far_end.log()
    word = output.negotiated_features(vswitch.log()) or output.negotiated_features(log) or 0
    observed: dict[str, Any] = {
        "ring_sizes": output.ring_sizes(log, queues),
        "features": output.feature_names(word),
        "features_word": f"0x{word:x}",
        "datapaths": output.datapaths(log),
    }
    for end in (vswitch, far_end):
        with end.telemetry() as telemetry:
            rx_queues, tx_queues = telemetry.queues()
            link_up, speed_mbps = telemetry.link()
            observed["dpdk"] = telemetry.greeting["version"]
        identity, definition = end.identity(), end.definition()
        observed[end.name] = {
            "rx_queues": rx_queues,
            "tx_queues": tx_queues,
            "link_up": link_up,
            "link_speed_mbps": speed_mbps,
            "cpus": sorted(cpu for thread in end.workers() for cpu in parse_cpulist(thread.cpus)),
            "pid": identity.pid if identity else None,
            "command": " ".join(definition.command("dpdk-testpmd")) if definition else None,
        }
    observed["queues"] = observed[far_end.name]["rx_queues"]
    observed["ring_size"] = observed["ring_sizes"][0] if len(observed["ring_sizes"]) == 1 else None
    observed["link_speed_mbps"] = observed[far_end.name]["link_speed_mbps"]
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
    if observed["ring_sizes"] != [asked["ring_size"]]:
        reasons.append(f"ring sizes are {observed['ring_sizes']}, asked {asked['ring_size']}")
    for key, feature in _FEATURES.items():
        has = feature in observed["features"]
        if has != bool(asked[key]):
            reasons.append(f"{feature} was {'' if has else 'not '}negotiated, asked {key}={bool(asked[key])}")
    if asked["vectorized"] and "vectorized" not in " ".join(observed["datapaths"].values()):
        reasons.append(f"no vectorized path was chosen but {observed['datapaths']}, asked vectorized=True")
    return reasons
