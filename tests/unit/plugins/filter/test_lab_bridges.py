# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lab_bridges as Ansible finds it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.lab_bridges import FilterModule

FILTER = FilterModule().filters()["lab_bridges"]


def test_it_is_found_by_its_name() -> None:
    hosts = {"web": {"vm_taps": [{"ifname": "tap0"}]}}
    assert FILTER(["web"], hosts, "lab0", "192.0.2.1", 24) == [
        {"name": "lab0", "address": "192.0.2.1/24", "taps": [{"name": "tap0", "queues": 1}]}
    ]


def test_a_study_s_taps_and_addresses() -> None:
    taps = {"web": [{"ifname": "arm1"}]}
    (made,) = FILTER(["web"], {"web": {"vm_taps": [{}]}}, "lab0", taps=taps, more_addresses=["198.18.1.254/24"])
    assert (made["more_addresses"], [tap["name"] for tap in made["taps"]]) == (["198.18.1.254/24"], ["arm1"])


def test_what_cannot_be_is_a_filter_s_error() -> None:
    with pytest.raises(AnsibleFilterError, match="a tap without a name"):
        FILTER(["web"], {"web": {"vm_taps": [{}]}}, "lab0")
