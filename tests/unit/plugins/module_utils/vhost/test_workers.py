# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vhost workers of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import vms, workers
from ansible_collections.virtperf.vhost.tests.unit.fake_cgroups import FakeHost, fake_host

TAP = "tap,id=n{0},ifname=tap{0},vhost=on"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    host = fake_host(tmp_path, monkeypatch)
    host.kernel.add("/vm")
    host.kernel.qemu(100, "a", "/vm", [TAP.format(0), TAP.format(1)])
    host.kernel.tap(100, 10, "tap0")
    host.kernel.tap(100, 20, "tap1")
    return host


def found(host: FakeHost) -> workers.Vhost:
    (vhost,) = workers.find(host, vms.find(host))
    return vhost


def test_facts(host: FakeHost) -> None:
    host.kernel.worker(100, 110)
    host.kernel.worker(100, 111, kthread=True)
    facts = found(host).facts()
    assert facts["taps"] == [
        {"interface": "tap0", "queues": 1, "workers": [110]},
        {"interface": "tap1", "queues": 1, "workers": [111]},
    ]
    common = {"comm": "vhost-100", "device": "net", "cgroup": "/vm", "cpu": 3, "cpus": "0-3"}
    assert facts["workers"] == [
        {"tid": 110, "layout": "qemu-thread", "interface": "tap0", **common},
        {"tid": 111, "layout": "kthread", "interface": "tap1", **common},
    ]
    assert (facts["name"], facts["pid"], facts["manager"], facts["uuid"]) == ("a", 100, "other", None)


def test_the_order_is_that_of_their_start(host: FakeHost) -> None:
    host.kernel.thread(100, 32000, "vhost-100", "/vm", start=200)
    host.kernel.thread(100, 120, "vhost-100", "/vm", start=300)
    assert [worker.tid for worker in found(host).workers] == [32000, 120]


def test_many_nics_of_one_guest_with_a_macvtap_among_them(host: FakeHost) -> None:
    """As qemu_vm starts it: taps by name, the macvtap by a descriptor of its device; all started within one tick."""
    kernel = host.kernel
    kernel.put("sys/class/net/arm18/ifindex", "42")
    names = [f"arm{number}" for number in range(18)]
    netdevs = [f"tap,id=net-tap{n},ifname={name},script=no,downscript=no,vhost=on" for n, name in enumerate(names)]
    kernel.qemu(200, "dut", "/vm", [*netdevs, "tap,id=net-tap18,fd=100,vhost=on,sndbuf=4096"])
    for number, name in enumerate(names):
        kernel.tap(200, 10 + 2 * number, name)
    kernel.opens(200, 60, "/dev/vhost-net")
    kernel.opens(200, 100, "/dev/tap42")
    for number in range(19):
        kernel.thread(200, 210 + number, "vhost-200", "/vm", start=500)
    dut = next(vhost for vhost in workers.find(host, vms.find(host)) if vhost.vm.name == "dut").facts()
    wanted = [*names, "arm18"]
    assert {tap["interface"]: tap["workers"] for tap in dut["taps"]} == {
        name: [210 + number] for number, name in enumerate(wanted)
    }
    assert [worker["interface"] for worker in dut["workers"]] == wanted


def test_nobody_else_is_taken_for_one(host: FakeHost) -> None:
    host.kernel.thread(100, 130, "vhost-999", "/vm")
    host.kernel.thread(100, 131, "vhost-100x", "/vm")
    host.kernel.thread(140, 140, "vhost-100", "/vm")
    host.kernel.worker(999, 150, kthread=True, group="/vm")
    assert not found(host).workers


def test_libvirts_by_where_it_keeps_qemu(host: FakeHost) -> None:
    host.kernel.add("/vm/emulator")
    for tid in (100, 101):
        host.kernel.tasks[tid] = (100, "/vm/emulator")
    host.kernel.worker(100, 110)
    host.kernel.worker(100, 111, kthread=True)
    assert [worker.layout for worker in found(host).workers] == ["libvirt", "kthread"]
