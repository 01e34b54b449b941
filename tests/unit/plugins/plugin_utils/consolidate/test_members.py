# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests with two NICs each."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.members import MOST, members, network


def test_nothing_that_has_to_differ_is_the_same() -> None:
    found = members([f"guest{number}" for number in range(MOST)], 50)
    for key in ("tap", "mac", "address"):
        values = [nic[key] for member in found for nic in member.nics.values()]
        assert len(set(values)) == 2 * MOST
    assert all(len(nic["tap"]) <= 15 for member in found for nic in member.nics.values())


def test_the_nics_differ_in_polling_alone() -> None:
    (member,) = members(["a"], 80)
    assert member.taps == [
        {"ifname": "vp-con1", "mac": "52:54:00:c5:01:01", "vhost": True},
        {"ifname": "vp-con1-poll", "mac": "52:54:00:c5:02:01", "vhost": True, "poll_us": 80},
    ]


def test_one_bridge_has_them_all() -> None:
    assert network("br", members(["a", "b"], 50)) == {
        "name": "br",
        "address": "198.19.1.254/24",
        "more_addresses": ["198.19.2.254/24"],
        "taps": [{"name": "vp-con1"}, {"name": "vp-con1-poll"}, {"name": "vp-con2"}, {"name": "vp-con2-poll"}],
    }
