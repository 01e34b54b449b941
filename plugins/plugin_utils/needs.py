# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs of a host: that of all its studies together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Lists of which every element is needed, once.
_LISTS = ("packages", "mounts", "modules", "bridges")
# Needed when one study does.
_SWITCHES = ("guests", "image", "libvirt")


def merge(plans: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The ``needs`` of plans: ``hugepages``, ``mounts``, ``packages``, ``modules``, ``bridges``, ``guests``, ``image``,
    ``libvirt``.

    Studies run one after the other: of hugepages of the same size on the same node the largest pool does for all.
    """
    wanted = [plan.get("needs", {}) for plan in plans]
    pools: dict[tuple[str, Any], dict[str, Any]] = {}
    for pool in (pool for needs in wanted for pool in needs.get("hugepages", ())):
        known = pools.setdefault((pool["size"], pool.get("node")), dict(pool))
        known["count"] = max(known["count"], pool["count"])
    merged: dict[str, Any] = {"hugepages": list(pools.values())}
    for name in _LISTS:
        merged[name] = []
        for item in (item for needs in wanted for item in needs.get(name, ())):
            if item not in merged[name]:
                merged[name].append(item)
    for name in _SWITCHES:
        merged[name] = any(needs.get(name, False) for needs in wanted)
    return merged
