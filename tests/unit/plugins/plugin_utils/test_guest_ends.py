# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests as ends of a measurement; what it is for is tested with the studies."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_ends import (
    known_guest,
    running_vm,
    threads_of,
    way_in,
)

KEYS = {"identity": "/k/id", "known_hosts": "/k/known_hosts"}
KNOWN = {"vm_address": "192.0.2.3", "ansible_host": "127.0.0.1", "ansible_port": 2203}


def test_the_vm_is_found_by_its_name() -> None:
    vms = [{"name": "web", "pid": 1}, {"name": "s", "pid": 2}]
    assert running_vm("s", {"vm_name": "web"}, vms)["pid"] == 1
    assert running_vm("s", {}, vms)["pid"] == 2
    with pytest.raises(VirtperfError, match=r"there is no VM called x.*web, s"):
        running_vm("x", {}, vms)
    with pytest.raises(VirtperfError, match="no VM at all"):
        running_vm("x", {}, [])


def test_who_is_not_in_the_inventory() -> None:
    assert known_guest("s", "server", {"s": KNOWN}, "that") is KNOWN
    with pytest.raises(VirtperfError, match=r"the client c is not in the inventory.*name one that is with that"):
        known_guest("c", "client", {"s": KNOWN}, "that")


def test_threads_have_a_label_each() -> None:
    thread = {"role": "vcpu", "number": 1, "pid": 4, "tid": 5, "start": 6}
    assert threads_of("dut", {"threads": [thread]}) == [
        {"label": "dut/vcpu1", "role": "vcpu", "pid": 4, "tid": 5, "start": 6}
    ]


@pytest.mark.parametrize("host", ["", "192.0.2.3"])
def test_the_way_in_is_not_what_is_measured(host: str) -> None:
    known: dict[str, Any] = {**KNOWN, "ansible_host": host}
    with pytest.raises(VirtperfError, match=f"guest c is reached over the network that is throttled.*{host}.*forward"):
        way_in("c", known, KEYS, "throttled")
    assert way_in("c", KNOWN, KEYS, "throttled")[-3:] == ["root", "--", "127.0.0.1"]
