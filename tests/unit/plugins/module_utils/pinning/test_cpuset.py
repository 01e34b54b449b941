# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPUs of a thread's cpuset, in either version of cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import cpuset
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pinning.fake_vm import FakeVm


@pytest.fixture
def vm(tmp_path: Path) -> FakeVm:
    return FakeVm(tmp_path)


@pytest.mark.parametrize("version", [1, 2])
def test_its_own(vm: FakeVm, version: int) -> None:
    vm.cgroup(103, "/a/b", "2-3", version)
    told = cpuset.allowed(vm.host, 103)
    assert told is not None
    assert told[0] == (2, 3)
    assert "/cgroup/a/b/" in told[1]


@pytest.mark.parametrize("version", [1, 2])
def test_the_nearest_above_that_has_the_controller(vm: FakeVm, version: int) -> None:
    vm.cgroup(103, "/a", "4-5", version)
    vm.write("proc/103/cgroup", "0::/a/b/c" if version == 2 else "3:cpuset:/a/b/c")
    told = cpuset.allowed(vm.host, 103)
    assert told is not None
    assert told[0] == (4, 5)


def test_libvirts_leaf_can_be_looked_past(vm: FakeVm) -> None:
    vm.cgroup(103, "/machine/vm/libvirt/vcpu0", "3")
    vm.write("cgroup/machine/vm/libvirt/cpuset.cpus.effective", "0-7")
    assert [told[0] for above in (False, True) if (told := cpuset.allowed(vm.host, 103, above_leaf=above))] == [
        (3,),
        (0, 1, 2, 3, 4, 5, 6, 7),
    ]


def test_nobody_tells(vm: FakeVm) -> None:
    assert cpuset.allowed(vm.host, 103) is None


def test_isolated_partitions(vm: FakeVm) -> None:
    vm.cgroup(103, "/", "0-7")
    assert cpuset.isolated_partitions(vm.host) == ()
    vm.write("cgroup/cpuset.cpus.isolated", "6-7")
    assert cpuset.isolated_partitions(vm.host) == (6, 7)
