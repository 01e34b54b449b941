# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan in plain words."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.description import describe
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    host,
    planned,
)


def test_each_launch_then_the_sum() -> None:
    lines = describe(planned(host(2)))
    assert lines[0] == (
        "launch 1: driver virtio_user_split, queues 1; vswitch on CPU 0, generator on CPU 1;"
        " packet sizes 64, 128, 256, 512, 1024, 1518; 3 trials each"
    )
    assert len(lines) == 5
    assert lines[-1] == "24 cells, 4 launches, 128 hugepages, about 108 s"


def test_the_other_direction_has_a_reflector() -> None:
    lines = describe(planned(reflect_direction=["vswitch", "far_end"]))
    assert "direction far_end" in lines[4]
    assert "reflector on CPU" in lines[4]


def test_a_guest_with_its_pins_and_boots() -> None:
    lines = describe(planned(host(4), reflect_drivers="igb_uio,virtio-net", reflect_packet_sizes=64))
    assert lines[0] == (
        "launch 1: driver igb_uio, queues 1; vswitch on CPU 1, generator in a guest on vCPU 1 = CPU 2, the rest of the"
        " guest on CPU 0,3; packet sizes 64; 3 trials each"
    )
    assert "generator of the kernel in a guest" in lines[1]
    assert lines[-1].startswith("4 cells, 4 launches, 2 boots of a guest, 576 hugepages, about ")
