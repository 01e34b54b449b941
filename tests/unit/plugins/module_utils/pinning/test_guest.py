# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VM's threads are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import memory_nodes, thread_ids, thread_is
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pinning.fake_vm import PID, FakeVm


@pytest.fixture
def vm(tmp_path: Path) -> FakeVm:
    return FakeVm(tmp_path)


def roles(vm: FakeVm) -> list[tuple[str, str, int]]:
    return [(thread.role, thread.which, thread.tid) for thread in vm.observe().threads]


class TestRoles:
    def test_each_thread_has_one(self, vm: FakeVm) -> None:
        assert roles(vm) == [
            ("vcpu", "0", 103),
            ("vcpu", "1", 104),
            ("iothread", "io0", 102),
            ("emulator", "", 100),
            ("emulator", "", 101),
        ]

    def test_names_do_not_make_vcpus(self, vm: FakeVm) -> None:
        vm.thread(105, "CPU 7/KVM")
        assert ("emulator", "", 105) in roles(vm)

    def test_a_worker_in_the_process(self, vm: FakeVm) -> None:
        vm.thread(105, f"vhost-{PID}")
        vm.thread(106, "vhost-99999")
        assert ("vhost", "", 105) in roles(vm)
        assert ("emulator", "", 106) in roles(vm)

    def test_a_worker_of_the_kernel(self, vm: FakeVm) -> None:
        vm.kernel_worker(200, f"vhost-{PID}")
        vm.kernel_worker(201, f"vhost-{PID}", flags=0)
        vm.kernel_worker(202, "vhost-777")
        assert [entry for entry in roles(vm) if entry[0] == "vhost"] == [("vhost", "", 200)]

    def test_vcpus_come_in_order(self, vm: FakeVm) -> None:
        cpus = [{"cpu-index": 10, "thread-id": 103}, {"cpu-index": 9, "thread-id": 104}]
        vm.answers["query-cpus-fast"] = cpus
        assert vm.observe().named("vcpu") == ["9", "10"]


class TestRefused:
    def test_one_thread_for_all_vcpus(self, vm: FakeVm) -> None:
        vm.answers["query-cpus-fast"][1]["thread-id"] = 103
        with pytest.raises(VirtperfError, match=r"2 vCPUs share 1 thread .*thread=multi"):
            vm.observe()

    def test_a_monitor_of_another_machine(self, vm: FakeVm) -> None:
        vm.answers["query-cpus-fast"][0]["thread-id"] = 9
        with pytest.raises(VirtperfError, match="names thread 9, and there is none here"):
            vm.observe()

    def test_a_thread_of_another_process(self, vm: FakeVm) -> None:
        vm.answers["query-iothreads"][0]["thread-id"] = 9999
        with pytest.raises(VirtperfError, match=r"does not have .found: 9999"):
            vm.observe()

    def test_no_vcpus(self, vm: FakeVm) -> None:
        vm.answers["query-cpus-fast"] = []
        with pytest.raises(VirtperfError, match="no vCPUs yet"):
            vm.observe()


class TestMemory:
    def test_where_it_is_bound(self, vm: FakeVm) -> None:
        vm.answers["query-memdev"] = [{"policy": "bind", "host-nodes": [1]}, {"policy": "default", "host-nodes": [0]}]
        assert memory_nodes(vm.host, vm.observe()) == (1,)

    def test_where_its_pages_are(self, vm: FakeVm) -> None:
        maps = "7f00 default anon=9 N0=100 kernelpagesize_kB=4\n7f10 default file=x huge N1=1 kernelpagesize_kB=2048"
        vm.write(f"proc/{PID}/numa_maps", maps)
        assert memory_nodes(vm.host, vm.observe()) == (0, 1)
        vm.write(f"proc/{PID}/numa_maps", maps.replace("N0=100", "N0=10"))
        assert memory_nodes(vm.host, vm.observe()) == (1,)

    def test_nobody_tells(self, vm: FakeVm) -> None:
        assert memory_nodes(vm.host, vm.observe()) == ()


def test_identity(vm: FakeVm) -> None:
    assert thread_is(vm.host, PID, 103, 103)
    assert not thread_is(vm.host, PID, 103, 104)
    assert not thread_is(vm.host, PID, 999, 999)
    assert thread_ids(vm.host, PID) == [100, 101, 102, 103, 104]
    assert thread_ids(vm.host, 12345) == []
