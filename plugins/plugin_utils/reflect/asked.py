# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a combination of levels to the setup that is asked for: what a driver has no choice in follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.factors import GUEST_DRIVERS, KERNEL_DRIVER


def asked_of(levels: Mapping[str, Any]) -> dict[str, Any]:
    """The levels, with where the far end is, who makes the packets, and what the rings are like."""
    kernel = levels["driver"] == KERNEL_DRIVER
    generator = levels["generator"] if levels["direction"] == "vswitch" else "testpmd"
    return {
        **levels,
        "place": "guest" if levels["driver"] in GUEST_DRIVERS else "host",
        "generator": "kernel" if kernel and levels["direction"] == "vswitch" else generator,
        "packed": levels["driver"] == "virtio_user_packed",
        # Linux' driver does not know it.
        "in_order": levels["in_order"] and not kernel,
    }


def cores_of(levels: Mapping[str, Any]) -> int:
    """How many forwarding cores each end has."""
    return levels["queues"] * levels["links"] if levels["forwarding_cores"] == "per_queue" else 1
