# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One boot of a VM serves all that can share it; the table keeps the order that was asked for."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.launches import boots
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    host,
    planned,
)


def order(study: dict[str, Any]) -> list[tuple[str, int]]:
    return [
        (cell["cell"]["driver"], cell["cell"]["queues"]) for launch in study["launches"] for cell in launch["cells"]
    ]


def test_a_vm_boots_once_for_all_drivers_with_the_same_ports() -> None:
    drivers = ["uio_pci_generic", "igb_uio", "virtio-net"]
    study = planned(host(2), reflect_drivers=drivers, reflect_packet_sizes=64)
    assert order(study) == [(driver, queues) for queues in (1, 2) for driver in drivers]
    assert boots(study["launches"]) == 2
    # The original's table: driver, queues, size.
    asked_for = [(cell["driver"], cell["queues"]) for cell in study["definition"]["cells"]]
    assert asked_for == [(driver, queues) for driver in drivers for queues in (1, 2)]


def test_what_only_a_word_to_the_vswitch_changes_needs_no_boot() -> None:
    study = planned(
        host(2),
        reflect_drivers="igb_uio",
        reflect_burst=[8, 32],
        reflect_direction=["vswitch", "far_end"],
        reflect_queues=1,
    )
    assert len(study["launches"]) == 4
    assert boots(study["launches"]) == 1


def test_another_vm_or_another_vswitch_needs_one() -> None:
    for variables in ({"reflect_queues": [1, 2]}, {"reflect_ring_size": [256, 512]}, {"reflect_links": [1, 2]}):
        study = planned(**{"reflect_drivers": "igb_uio", "reflect_queues": 1, **variables})
        assert boots(study["launches"]) == 2


def test_launches_without_a_vm_stay_where_they_are() -> None:
    study = planned(reflect_drivers=["virtio_user_split", "igb_uio", "uio_pci_generic"], reflect_packet_sizes=64)
    assert order(study) == [
        ("virtio_user_split", 1),
        ("virtio_user_split", 2),
        ("igb_uio", 1),
        ("uio_pci_generic", 1),
        ("igb_uio", 2),
        ("uio_pci_generic", 2),
    ]
    assert [launch["guest"] is None for launch in study["launches"]] == [True, True, False, False, False, False]
