# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a timeline of the study throttle runs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import setup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.where import place

KEYS = {"identity": "/k/id_ed25519", "known_hosts": "/k/known_hosts"}
GROUPS = [{"directory": "/sys/fs/cgroup/vhost"}]
TIMELINE = {
    "workload": "iperf3",
    "layout": "kthread",
    "phases": [{"name": "throttled", "cpu_max": "1000 1000000", "seconds": 5}],
    "trials": 1,
    "sender": "client",
    "server": {"name": "s", "command": ["iperf3", "--server"]},
    "client": {"name": "c", "command": ["iperf3", "--client", "192.0.2.2"]},
    "sample_seconds": 0.1,
    "socket_seconds": 1.0,
    "settle_seconds": 2.0,
    "warmup_seconds": 2.0,
}


def guest(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "vm_name": name,
        "vm_address": f"192.0.2.{number}",
        "vm_taps": [{"ifname": f"tap-{name}"}],
        "ansible_host": "127.0.0.1",
        "ansible_port": 2200 + number,
        **more,
    }


def vm(name: str, pid: int, layout: str = "kthread", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "pid": pid,
        "taps": [{"interface": f"tap-{name}"}],
        "workers": [{"tid": pid + 5, "layout": layout, "device": "net"}],
        "threads": [
            {"role": "worker", "number": 0, "pid": pid + 5, "tid": pid + 5, "start": 7},
            {"role": "vcpu", "number": 0, "pid": pid, "tid": pid + 1, "start": 6},
        ],
        **more,
    }


VARIABLES = {"s": guest("s", 2), "c": guest("c", 3)}
VMS = [vm("s", 100), vm("other", 150), vm("c", 200)]


def test_all_that_the_module_needs() -> None:
    found = place(TIMELINE, VMS, GROUPS, VARIABLES, KEYS)
    made = setup({**found, "bridge": []})
    assert made.taps == {"server": ["tap-s"], "client": ["tap-c"]}
    assert [(thread.label, thread.pid, thread.tid, thread.start) for thread in made.threads] == [
        ("server/worker0", 105, 105, 7),
        ("server/vcpu0", 100, 101, 6),
        ("client/worker0", 205, 205, 7),
        ("client/vcpu0", 200, 201, 6),
    ]
    assert made.cgroups == {"workers": "/sys/fs/cgroup/vhost"}
    words = made.server.words(["ss", "-t n"])
    assert words[0] == "ssh"
    assert words[words.index("-p") + 1] == "2202"
    assert words[-2:] == ["127.0.0.1", "ss '-t n'"]


def test_libvirts_domains_have_a_cgroup_each() -> None:
    groups = [{"directory": "/a"}, {"directory": "/b"}]
    assert place(TIMELINE, VMS, groups, VARIABLES, KEYS)["cgroups"] == {"workers0": "/a", "workers1": "/b"}


def test_only_the_taps_of_the_lab_count() -> None:
    two = [*VMS[:2], vm("c", 200, taps=[{"interface": "mgmt"}, {"interface": "tap-c"}])]
    assert place(TIMELINE, two, GROUPS, VARIABLES, KEYS)["client"]["interfaces"] == ["tap-c"]


@pytest.mark.parametrize(
    ("vms", "variables", "message"),
    [
        (VMS[:2], VARIABLES, "guest c: there is no VM called c.*s, other"),
        ([*VMS, vm("c", 300)], VARIABLES, "c is several VMs"),
        (VMS, {"s": VARIABLES["s"]}, "the client c is not in the inventory"),
        ([*VMS[:2], vm("c", 200, workers=[])], VARIABLES, "guest c has no vhost worker .*vhost=off"),
        ([*VMS[:2], vm("c", 200, layout="qemu-thread")], VARIABLES, "qemu-thread, where kthread was asked for"),
        ([*VMS[:2], vm("c", 200, taps=[{"interface": "x"}])], VARIABLES, "guest c has none of the taps.*x"),
        (VMS, {**VARIABLES, "c": guest("c", 3, ansible_host="192.0.2.3")}, "over the network that is throttled"),
    ],
)
def test_what_cannot_be_measured_so(vms: list[dict[str, Any]], variables: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        place(TIMELINE, vms, GROUPS, variables, KEYS)
