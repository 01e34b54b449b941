# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the trials run."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.members import members
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.where import place
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make

KEYS = {"identity": "/k/id_ed25519", "known_hosts": "/k/known_hosts"}
NICS = {member.name: member.nics for member in members(["a", "b"], 50)}


def known(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "vm_name": name,
        "vm_address": f"192.0.2.{number}",
        "ansible_host": "127.0.0.1",
        "ansible_port": 2200 + number,
        **more,
    }


def vm(name: str, number: int, pid: int, **more: Any) -> dict[str, Any]:
    roles = [("worker", 0, 10), ("worker", 1, 11), ("vcpu", 0, 1), ("emulator", 0, 0)]
    return {
        "name": name,
        "pid": pid,
        "manager": "virtperf",
        "taps": [
            {"interface": f"vp-con{number}", "queues": 1, "workers": [pid + 10]},
            {"interface": f"vp-con{number}-poll", "queues": 1, "workers": [pid + 11]},
        ],
        "workers": [],
        "threads": [
            {"role": role, "number": place, "pid": pid, "tid": pid + offset, "start": 7}
            for role, place, offset in roles
        ],
        **more,
    }


VARIABLES = {"a": known("vm-a", 1), "b": known("vm-b", 2)}
VMS = [vm("vm-b", 2, 200), vm("other", 9, 900), vm("vm-a", 1, 100)]


def test_all_that_the_module_needs() -> None:
    found = place(NICS, VMS, VARIABLES, KEYS)
    made = setup(make.arguments(guests=found))
    assert [(guest.name, guest.vm) for guest in made.guests] == [("a", "vm-a"), ("b", "vm-b")]
    assert [(thread.label, thread.tid) for thread in made.threads[:4]] == [
        ("a/worker0", 110),
        ("a/worker1", 111),
        ("a/vcpu0", 101),
        ("a/emulator0", 100),
    ]
    through = made.guests[1].through
    assert through[0] == "ssh"
    assert through[through.index("-p") + 1] == "2202"


@pytest.mark.parametrize(
    ("vms", "variables", "message"),
    [
        (VMS[:2], VARIABLES, "guest a: there is no VM called vm-a"),
        (VMS, {"b": VARIABLES["b"]}, "guest a is not in the inventory.*consolidate_guests"),
        ([*VMS[:2], vm("vm-a", 1, 100, manager="libvirt")], VARIABLES, "kept by libvirt.*guest_manager: qemu"),
        ([*VMS[:2], vm("vm-a", 5, 100)], VARIABLES, r"guest a has no vhost worker for its NIC plain \(vp-con1\)"),
        (
            [*VMS[:2], vm("vm-a", 1, 100, taps=[{"interface": "vp-con1", "workers": []}])],
            VARIABLES,
            r"NIC plain \(vp-con1\) \(found: vp-con1: 0 workers\)",
        ),
        (VMS, {**VARIABLES, "a": known("vm-a", 1, ansible_host="192.0.2.1")}, "over the network that is measured"),
    ],
)
def test_what_cannot_be_measured_so(vms: list[dict[str, Any]], variables: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        place(NICS, vms, variables, KEYS)
