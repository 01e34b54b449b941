# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the levels of a cell."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.asked import asked_of

LEVELS = {"direction": "vswitch", "driver": "igb_uio", "generator": "testpmd", "in_order": True, "queues": 1}


@pytest.mark.parametrize(
    ("levels", "follows"),
    [
        ({}, {"place": "guest", "generator": "testpmd", "packed": False, "in_order": True}),
        ({"driver": "virtio_user_split"}, {"place": "host", "packed": False}),
        ({"driver": "virtio_user_packed"}, {"place": "host", "packed": True}),
        ({"generator": "pktgen"}, {"generator": "pktgen"}),
        ({"driver": "virtio-net"}, {"place": "guest", "generator": "kernel", "in_order": False}),
        # Then the vswitch makes the packets.
        ({"driver": "virtio-net", "direction": "far_end"}, {"generator": "testpmd", "in_order": False}),
    ],
)
def test_place_generator_and_rings(levels: dict[str, Any], follows: dict[str, Any]) -> None:
    asked = asked_of({**LEVELS, **levels})
    assert {key: asked[key] for key in follows} == follows
    assert asked["queues"] == 1
