# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layouts that cannot be had, and those that measure something else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.change import Change, plan
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.checks import (
    Policy,
    check_good,
    check_possible,
    read_cpus,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import parse
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pinning.fake_vm import FakeVm


@pytest.fixture
def vm(tmp_path: Path) -> FakeVm:
    return FakeVm(tmp_path)


def changes(vm: FakeVm, **wishes: Any) -> list[Change]:
    (request,) = parse([{"qmp": "/q", **wishes}])
    return plan(request, vm.observe(), vm.scheduler, libvirt=False)


def vcpus(*cpus: str) -> list[dict[str, Any]]:
    return [{"vcpu": number, "cpus": text} for number, text in enumerate(cpus)]


def possible(vm: FakeVm, **wishes: Any) -> None:
    check_possible(vm.host, read_cpus(vm.host), changes(vm, **wishes))


def good(vm: FakeVm, policy: Policy, memory: tuple[int, ...] = (), **wishes: Any) -> list[str]:
    return check_good(read_cpus(vm.host), changes(vm, **wishes), {"vm": memory}, policy)


class TestPossible:
    def test_a_cpu_there_is_not(self, vm: FakeVm) -> None:
        with pytest.raises(
            VirtperfError, match=r"vCPU 0 cannot have CPU 8-9: this host has no such CPU .found: CPUs 0-7"
        ):
            possible(vm, vcpus=vcpus("7-9"))

    def test_offline(self, vm: FakeVm) -> None:
        vm.cpus(online="0-5")
        with pytest.raises(VirtperfError, match=r"CPU 6: it is offline .found: online are 0-5"):
            possible(vm, vcpus=vcpus("5-6"))

    @pytest.mark.parametrize("version", [1, 2])
    def test_outside_of_the_cpuset(self, vm: FakeVm, version: int) -> None:
        vm.cgroup(104, "/slice", "0-3", version)
        with pytest.raises(VirtperfError, match="vCPU 1 cannot have CPU 4: its cpuset leaves it out") as caught:
            possible(vm, vcpus=vcpus("1", "3-4"))
        assert caught.value.facts["cpuset"] == [0, 1, 2, 3]

    def test_without_a_cpuset_our_own_affinity_counts_and_isolated_cpus(
        self, vm: FakeVm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
        vm.cpus(isolated="2-3")
        possible(vm, vcpus=vcpus("1", "2"))
        with pytest.raises(VirtperfError, match=r"CPU 4: .*the affinity of this process"):
            possible(vm, vcpus=vcpus("4"))

    def test_what_is_left_alone_is_not_judged(self, vm: FakeVm) -> None:
        vm.cpus(online="0-3")
        possible(vm, vcpus=[{"vcpu": 0, "policy": "batch"}])


class TestShared:
    @pytest.mark.parametrize(("second", "whose"), [("5", "the core of CPUs 1,5"), ("1", "CPU 1")])
    def test_told(self, vm: FakeVm, second: str, whose: str) -> None:
        (warning,) = good(vm, Policy(), vcpus=vcpus("1", second))
        assert f"vCPU 0 of vm (CPU 1), vCPU 1 of vm (CPU {second}) share {whose}" in warning

    def test_too_bad(self, vm: FakeVm) -> None:
        with pytest.raises(VirtperfError, match="on_shared_siblings"):
            good(vm, Policy(shared_siblings="fail"), vcpus=vcpus("1", "5"))

    def test_allowed(self, vm: FakeVm) -> None:
        assert good(vm, Policy(shared_siblings="allow"), vcpus=vcpus("1", "5")) == []

    @pytest.mark.parametrize("cpus", [("1", "2"), ("0-3", "0-3"), ("1",)])
    def test_not_shared(self, vm: FakeVm, cpus: tuple[str, ...]) -> None:
        assert good(vm, Policy("fail", "fail", "fail"), vcpus=vcpus(*cpus)) == []


class TestRemote:
    def test_told(self, vm: FakeVm) -> None:
        (warning,) = good(vm, Policy(), memory=(0,), vcpus=vcpus("2", "1"))
        assert "its memory is on NUMA node 0, and not near are vCPU 0 (CPU 2)." in warning

    def test_too_bad(self, vm: FakeVm) -> None:
        with pytest.raises(VirtperfError, match="on_remote_memory"):
            good(vm, Policy(remote_memory="fail"), memory=(1,), vcpus=vcpus("2", "1-2"))

    @pytest.mark.parametrize("memory", [(), (0, 1)])
    def test_near_or_not_known(self, vm: FakeVm, memory: tuple[int, ...]) -> None:
        assert good(vm, Policy(remote_memory="fail"), memory=memory, vcpus=vcpus("2", "1")) == []

    def test_other_threads_may_be_anywhere(self, vm: FakeVm) -> None:
        assert good(vm, Policy(remote_memory="fail"), memory=(1,), emulator={"cpus": "0"}) == []


class TestIsolated:
    def test_a_range_is_refused_by_default_and_why(self, vm: FakeVm) -> None:
        vm.cpus(isolated="2-3")
        with pytest.raises(VirtperfError) as caught:
            good(vm, Policy(), vcpus=vcpus("1-3"))
        assert "range 1-3, of which 2-3 are isolated: the scheduler does not balance" in str(caught.value)
        assert "land on one CPU" in str(caught.value)

    def test_one_each_is_what_they_are_for(self, vm: FakeVm) -> None:
        vm.cpus(isolated="2-3")
        assert good(vm, Policy(), vcpus=vcpus("2", "3")) == []

    def test_real_time_threads_are_balanced(self, vm: FakeVm) -> None:
        vm.cpus(isolated="2-3")
        assert good(vm, Policy(), vhost={"cpus": "2-3", "policy": "fifo", "priority": 1}) == []

    def test_once_for_all_emulator_threads(self, vm: FakeVm) -> None:
        vm.cpus(isolated="2-3")
        assert len(good(vm, Policy(isolated_range="warn"), emulator={"cpus": "2-3"})) == 1


def test_all_that_is_wrong_is_told_at_once(vm: FakeVm) -> None:
    vm.cpus(isolated="2-3")
    with pytest.raises(VirtperfError, match=r"isolated.*share"):
        good(vm, Policy("fail", "fail", "fail"), vcpus=vcpus("1", "5"), emulator={"cpus": "2-3"})
