# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan of the study ``reflect`` needs of its host: hugepages, packages, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.launches import boots
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.settings import page_size_kib

# Measured on two cores: a pair of testpmd takes about 1.5 s to start, a change of packet size 0.05 s; under emulation
# a guest takes about 15 s to answer, and another driver with its testpmd in it 4 s.
_LAUNCH_S = 1.5
_BOOT_S = 15.0
_DRIVER_S = 4.0
_TRIAL_OVERHEAD_S = 0.05
_PLAYBOOK_S = 12.0

# Of Debian, beside what guests need.
PACKAGES = ("dpdk-dev",)


def hugepages(
    launches: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], host: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Pools, as M(virtperf.vhost.hugepages) takes them: for the vswitch and whatever far ends there are."""
    page_kib = page_size_kib(settings["hugepage_size"])
    places = {launch["guest"] is not None for launch in launches}
    mib = [settings["memory_mib"]]
    mib += [settings["memory_mib"]] if False in places else []
    mib += [settings["guest_memory_mib"]] if True in places else []
    count = sum(-(-each * 1024 // page_kib) for each in mib)
    # Free pages: others on the host may use some of the pool.
    pool = {"size": settings["hugepage_size"], "count": count, "count_means": "free"}
    if not host.get("numa_nodes"):  # a kernel without NUMA has one pool a size, of no node
        return [pool]
    nodes = sorted({launch["vswitch"]["numa_node"] for launch in launches})
    return [{**pool, "node": node} for node in nodes]


def seconds(launches: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> float:
    """An estimate of the whole, set-up included; emulation is assumed for guests."""
    trials = sum(cell["trials"] for launch in launches for cell in launch["cells"])
    a_trial = settings["trial_seconds"] + settings["warmup_seconds"] + _TRIAL_OVERHEAD_S
    launching = sum(_DRIVER_S if launch["guest"] else _LAUNCH_S for launch in launches)
    return round(boots(launches) * _BOOT_S + launching + trials * a_trial + _PLAYBOOK_S, 1)
