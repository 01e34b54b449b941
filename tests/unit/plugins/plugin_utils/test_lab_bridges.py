# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From guests of an inventory to bridges that the module takes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import BridgeWish, TapWish, parse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_vms import guest_taps
from ansible_collections.virtperf.vhost.plugins.plugin_utils.lab_bridges import lab_bridges
from ansible_collections.virtperf.vhost.plugins.plugin_utils.lab_plan import plan


def lab(**taps: list[dict[str, Any]]) -> dict[str, Any]:
    """The variables of a lab of one hypervisor whose guests have these taps."""
    guests = [{"name": name, "variables": {"vm_taps": listed}} for name, listed in taps.items()]
    return plan({"network": "192.0.2.0/28", "hypervisors": {"hv": {"guests": guests}}}).hosts


def test_the_taps_of_all_guests_in_one_bridge() -> None:
    hosts = lab(web=[{"ifname": "t0", "queues": 2, "vhost": False}, {"ifname": "t1"}], load=[{"ifname": "t2"}])
    own = hosts["hv"]
    made = lab_bridges(own["lab_guests"], hosts, "lab0", own["lab_address"], own["lab_prefix_length"], 9000)
    assert parse(made) == [
        BridgeWish("lab0", ("192.0.2.1/28",), 9000, (TapWish("t0", 2), TapWish("t1"), TapWish("t2")))
    ]


def test_a_study_s_taps_and_addresses() -> None:
    hosts = lab(web=[{"ifname": "t0"}], load=[{"ifname": "t2"}])
    taps = {"web": [{"ifname": "arm1", "vhost": False}, {"ifname": "arm2", "macvtap": True, "queues": 2}]}
    made = lab_bridges(["web", "load"], hosts, "lab0", taps=taps, more_addresses=["198.18.1.254/24"])
    (bridge,) = parse(made)
    assert bridge.addresses == ("198.18.1.254/24",)
    mac = guest_taps("web", hosts["web"], taps)[1]["mac"]
    assert bridge.taps == (TapWish("arm1"), TapWish("arm2", 2, kind="macvtap", mac=mac), TapWish("t2"))


def test_only_the_guests_that_are_named() -> None:
    hosts = lab(web=[{"ifname": "t0"}], load=[{"ifname": "t2"}])
    (made,) = lab_bridges(["load"], hosts, "lab0")
    assert [tap["name"] for tap in made["taps"]] == ["t2"]


def test_what_is_not_given_is_left_out() -> None:
    assert lab_bridges(["web"], {"web": {}}, "lab0") == [{"name": "lab0", "address": "", "taps": []}]


@pytest.mark.parametrize(
    ("taps", "message"),
    [
        ({"web": [{"ifname": "t0"}], "load": [{"ifname": "t0"}]}, "guest load cannot have the tap t0 .*guest web has"),
        ({"web": [{"ifname": "t0"}, {"ifname": "t0"}]}, "guest web cannot have the tap t0"),
        ({"web": [{"queues": 2}]}, "guest web has a tap without a name"),
        ({"web": ["t0"]}, "guest web has a tap without a name .*'t0'"),
    ],
)
def test_what_cannot_be(taps: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        lab_bridges(list(taps), lab(**taps), "lab0")


def test_an_address_needs_the_length_of_its_network() -> None:
    with pytest.raises(VirtperfError, match="lab_prefix_length"):
        lab_bridges([], {}, "lab0", "192.0.2.1")
