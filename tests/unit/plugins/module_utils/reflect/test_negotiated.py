# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both ends agreed on is read back, and every difference from what was asked is named."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.negotiated import mismatches, observe
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.window import Ends

ASKED = {
    "driver": "virtio_user_packed",
    "queues": 1,
    "ring_size": 256,
    "packed": True,
    "in_order": True,
    "mrg_rxbuf": True,
    "vectorized": False,
}
ENDS = {"vswitch": [0], "generator": [1]}
SETUP = {
    "rx_queues": 1,
    "tx_queues": 1,
    "link_up": True,
    "link_speed_mbps": None,
    "cpus": [1],
    "pid": 4711,
    "command": None,
    "version": "DPDK 24.11.4",
    "ring_sizes": [256],
    "datapaths": {"Tx": "packed ring standard", "Rx": "packed ring mergeable buffer"},
    "features_word": 0xD10018020,
}
VSWITCH = {
    **SETUP,
    "link_speed_mbps": 10000,
    "cpus": [0],
    "version": "DPDK 22.11.11",
    "ring_sizes": [],
    "datapaths": {},
    "features_word": 0xD50008000,
}


def look(vswitch: dict[str, Any] | None = None, **far_end: Any) -> dict[str, Any]:
    ends = {"vswitch": {**VSWITCH, **(vswitch or {})}, "generator": {**SETUP, **far_end}}
    fakes: list[Any] = [SimpleNamespace(name=name, setup=lambda of=of: of) for name, of in ends.items()]
    return observe(Ends(*fakes, vswitch_reflects=True))


@pytest.fixture
def observed() -> dict[str, Any]:
    return look()


class TestObserve:
    def test_everything_that_was_negotiated(self, observed: dict[str, Any]) -> None:
        assert observed["features_word"] == "0xd50008000"
        assert "ring_packed" in observed["features"]
        assert observed["ring_sizes"] == [256]
        assert observed["ring_size"] == 256
        assert observed["queues"] == 1
        assert observed["datapaths"] == {"Tx": "packed ring standard", "Rx": "packed ring mergeable buffer"}
        assert observed["dpdk"] == "DPDK 22.11.11"
        assert observed["vswitch"] == {
            "rx_queues": 1,
            "tx_queues": 1,
            "link_up": True,
            "link_speed_mbps": 10000,
            "cpus": [0],
            "pid": 4711,
            "command": None,
            "version": "DPDK 22.11.11",
        }

    def test_the_link_that_can_cap_is_the_far_end_s(self, observed: dict[str, Any]) -> None:
        assert observed["link_speed_mbps"] is None

    def test_the_driver_s_word_counts_where_the_vswitch_says_none(self) -> None:
        assert look({"features_word": None})["features_word"] == "0xd10018020"

    def test_two_ring_sizes_are_no_ring_size(self) -> None:
        found = look(ring_sizes=[128, 256])
        assert found["ring_sizes"] == [128, 256]
        assert found["ring_size"] is None

    def test_silent_logs_show_nothing(self) -> None:
        found = look({"features_word": None}, features_word=None, ring_sizes=[], datapaths={})
        assert (found["features"], found["ring_sizes"], found["datapaths"]) == ([], [], {})


class TestMismatches:
    def test_what_was_asked_has_none(self, observed: dict[str, Any]) -> None:
        assert mismatches(ASKED, observed, ENDS) == []

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"queues": 2}, "vswitch has 1 receive and 1 transmit queues, asked 2"),
            ({"ring_size": 1024}, "ring sizes are [256], asked 1024"),
            ({"packed": False}, "ring_packed was negotiated, asked packed=False"),
            ({"in_order": False}, "in_order was negotiated, asked in_order=False"),
            ({"mrg_rxbuf": False}, "mrg_rxbuf was negotiated, asked mrg_rxbuf=False"),
            ({"vectorized": True}, "no vectorized path was chosen"),
        ],
    )
    def test_each_difference_is_named(self, observed: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
        assert any(found.startswith(reason) for found in mismatches({**ASKED, **changes}, observed, ENDS))

    def test_rings_that_qemu_makes_longer_than_asked(self, observed: dict[str, Any]) -> None:
        observed["ring_sizes"] = [1024]
        (reason,) = mismatches(ASKED, observed, ENDS)
        assert reason.startswith("ring sizes are [1024], asked 256 (QEMU makes them so long from 10.0.13 on")
        assert reason.endswith("reflect_ring_size=1024)")

    def test_a_feature_that_was_not_to_be_had(self, observed: dict[str, Any]) -> None:
        observed["features"].remove("in_order")
        assert mismatches(ASKED, observed, ENDS) == ["in_order was not negotiated, asked in_order=True"]

    def test_other_cpus_than_asked(self, observed: dict[str, Any]) -> None:
        assert mismatches(ASKED, observed, {"vswitch": [0], "generator": [3, 2]}) == [
            "generator forwards on CPUs [1], asked [2, 3]"
        ]

    def test_another_driver_than_asked(self) -> None:
        observed = look(driver="igb_uio")
        assert mismatches(ASKED, observed, ENDS) == ["generator's ports are bound to igb_uio, asked virtio_user_packed"]

    @pytest.mark.parametrize(("found", "reasons"), [(40000, 0), (20000, 1), (None, 1)])
    def test_a_link_speed_that_was_asked_for_is_that_of_all_links(self, found: int | None, reasons: int) -> None:
        asked = {**ASKED, "link_speed": 20000, "links": 2}
        assert len(mismatches(asked, look(link_speed_mbps=found), ENDS)) == reasons

    def test_a_link_that_is_down(self, observed: dict[str, Any]) -> None:
        observed["generator"]["link_up"] = False
        assert mismatches(ASKED, observed, ENDS) == ["the link of generator is down"]

    def test_a_vectorized_path_is_enough(self, observed: dict[str, Any]) -> None:
        observed["datapaths"] = {"Rx": "packed ring vectorized", "Tx": "packed ring vectorized"}
        assert mismatches({**ASKED, "vectorized": True}, observed, ENDS) == []

    def test_neither_side_is_changed_by_looking(self, observed: dict[str, Any]) -> None:
        before = copy.deepcopy((ASKED, observed, ENDS))
        mismatches(ASKED, observed, ENDS)
        assert (ASKED, observed, ENDS) == before
