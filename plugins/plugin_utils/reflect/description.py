# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of the study ``reflect`` in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.launches import boots
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import join


def describe(study: Mapping[str, Any]) -> list[str]:
    """Each launch with its cells, and the time that all of them will take."""
    launches = study["launches"]
    lines = []
    for number, launch in enumerate(launches, start=1):
        first = launch["cells"][0]
        fixed = ", ".join(f"{key} {value}" for key, value in first["cell"].items() if key != "packet_size")
        sizes = ", ".join(str(cell["cell"]["packet_size"]) for cell in launch["cells"])
        lines.append(
            f"launch {number}: {fixed}; vswitch on CPU {join(launch['vswitch']['cpus'])}, {_far_end(launch)};"
            f" packet sizes {sizes}; {first['trials']} trials each"
        )
    cells = sum(len(launch["cells"]) for launch in launches)
    booted = boots(launches)
    lines.append(
        f"{cells} cells, {len(launches)} launches,{f' {booted} boots of a guest,' if booted else ''}"
        f" {sum(pool['count'] for pool in study['needs']['hugepages'])} hugepages, about {study['seconds']:.0f} s"
    )
    return lines


def _far_end(launch: Mapping[str, Any]) -> str:
    """Where it runs; of one in a guest also where its vCPUs do."""
    far_end, guest = launch["far_end"], launch["guest"]
    if guest is None:
        return f"{far_end['name']} on CPU {join(far_end['cpus'])}"
    own, *forwarding = guest["pins"]["vcpus"]
    cpus = ", ".join(entry["cpus"] for entry in forwarding)
    kind = {"kernel": " of the kernel", "pktgen": " pktgen"}.get(far_end["kind"], "")
    return (
        f"{far_end['name']}{kind} in a guest on vCPU {join(far_end['cpus'])} = CPU {cpus}, the rest of the guest on CPU"
        f" {own['cpus']}"
    )
