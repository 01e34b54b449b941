# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a boot runs: the VMs, their threads, and the way in."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.plan import plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.where import place
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.knobs.test_plan import GIVEN, HOST
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.throttle.test_where import KEYS, guest

(BOOT,) = plan({**GIVEN, "knobs_names": "vhost"}, HOST)["boots"]
VARIABLES = {"server": guest("server", 2, vm_name="web"), "client": guest("client", 3)}


def vm(name: str, pid: int, *interfaces: str, **more: Any) -> dict[str, Any]:
    """One with a worker for the first of its interfaces."""
    return {
        "name": name,
        "pid": pid,
        "taps": [{"interface": interface} for interface in interfaces],
        "workers": [{"tid": pid + 5, "layout": "qemu-thread", "device": "net", "interface": interfaces[0]}],
        "threads": [
            {"role": "worker", "number": 0, "pid": pid, "tid": pid + 5, "start": 7},
            {"role": "vcpu", "number": 1, "pid": pid, "tid": pid + 2, "start": 6},
            {"role": "emulator", "number": 0, "pid": pid, "tid": pid, "start": 5},
        ],
        **more,
    }


VMS = [vm("web", 100, "vpk-peer"), vm("client", 200, "vpk1", "vpk2")]


def test_all_that_the_module_needs() -> None:
    found = place(BOOT, VMS, VARIABLES, KEYS)
    assert (found["number"], found["arms"], found["trials"]) == (1, BOOT["arms"], BOOT["trials"])
    assert found["vms"] == [{"name": "client", "pid": 200}, {"name": "web", "pid": 100}]
    assert {key: value for key, value in found["dut"].items() if key != "through"} == {
        "name": "client",
        "vm": "client",
        "address": "192.0.2.3",
    }
    assert {key: value for key, value in found["peer"].items() if key != "through"} == {
        "name": "server",
        "vm": "web",
        "address": "192.0.2.2",
        "mac": "52:54:00:6b:01:00",
        "tap": "vpk-peer",
    }
    through = found["dut"]["through"]
    assert (through[0], through[through.index("-p") + 1], through[-1]) == ("ssh", "2203", "127.0.0.1")


def test_threads_with_the_interface_that_they_serve() -> None:
    threads = place(BOOT, VMS, VARIABLES, KEYS)["threads"]
    assert [(thread["label"], thread["role"], thread["tid"], thread["interface"]) for thread in threads] == [
        ("dut/worker0", "worker", 205, "vpk1"),
        ("dut/vcpu1", "vcpu", 202, None),
        ("dut/emulator0", "emulator", 200, None),
        ("peer/worker0", "worker", 105, "vpk-peer"),
        ("peer/vcpu1", "vcpu", 102, None),
        ("peer/emulator0", "emulator", 100, None),
    ]
    assert threads[0]["start"] == 7


@pytest.mark.parametrize(
    ("vms", "variables", "message"),
    [
        (VMS[:1], VARIABLES, "guest client: there is no VM called client.*web"),
        (VMS, {"server": VARIABLES["server"]}, "the dut client is not in the inventory.*knobs_dut, knobs_peer"),
        ([VMS[0], vm("client", 200, "vpk1")], VARIABLES, "guest client was not started with vpk2.*found: vpk1"),
        (VMS, {**VARIABLES, "client": guest("client", 3, ansible_host="192.0.2.3")}, "network that is measured"),
    ],
)
def test_what_cannot_be_measured_so(vms: list[dict[str, Any]], variables: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        place(BOOT, vms, variables, KEYS)
