# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disks are in use: through partitions, device mapper and RAID, by mounts, swap, btrfs and whoever has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.pci import storage
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import read_function
from ansible_collections.virtperf.vhost.tests.unit.fake_pci import DISK, FakeSystem, PciHost, pci_host


@pytest.fixture
def host(tmp_path: Path) -> PciHost:
    return pci_host(tmp_path)


@pytest.fixture
def system(host: PciHost) -> FakeSystem:
    return FakeSystem(host.bus)


def test_a_disk_that_nobody_uses(host: PciHost, system: FakeSystem) -> None:
    host.bus.mount("0:21", "proc", "/proc")
    host.bus.put("proc/self/mountinfo", "garbage\n22 1\n")
    assert storage.uses(host, system, "vda") == []


def test_a_mounted_partition(host: PciHost, system: FakeSystem) -> None:
    host.bus.mount("254:2", "/dev/root", r"/srv/a\040b")
    assert storage.uses(host, system, "vda") == ["/srv/a b is mounted from vda2"]


def test_what_is_built_on_it(host: PciHost, system: FakeSystem) -> None:
    host.bus.virtual_disk("md0", "9:0", "vda1")
    host.bus.virtual_disk("dm-0", "253:0", "md0", "vda2")
    host.bus.mount("253:0", "/dev/mapper/vg-root")
    assert storage.uses(host, system, "vda") == ["/ is mounted from dm-0"]


def test_swap(host: PciHost, system: FakeSystem) -> None:
    host.bus.put(
        "proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/vda2 partition 1 0 -2\n/swapfile file 1 0 -3\n"
    )
    assert storage.uses(host, system, "vda") == ["vda2 is swap"]


def test_btrfs_has_a_number_of_its_own(host: PciHost, system: FakeSystem) -> None:
    host.bus.mount("0:40", "/dev/vda1")
    assert storage.uses(host, system, "vda") == ["/ is mounted from vda1"]
    host.bus.put("proc/self/mountinfo", "")
    host.bus.put("sys/fs/btrfs/1234/devices/vda2", "")
    assert storage.uses(host, system, "vda") == ["vda2 is part of a mounted btrfs"]


def test_what_the_kernel_alone_knows(host: PciHost, system: FakeSystem) -> None:
    system.claimed = {"vda1", "vda2"}
    assert storage.uses(host, system, "vda") == ["vda1 is held by the kernel or a program"]


def test_nvme_with_multipath_is_found_by_its_controllers(host: PciHost) -> None:
    subsystem = Path(host.sys, "devices/virtual/nvme-subsystem/nvme-subsys0")
    (subsystem / "nvme0n1").mkdir(parents=True)
    controller = host.bus.device(DISK) / "nvme/nvme0"
    controller.mkdir(parents=True)
    (subsystem / "nvme0").symlink_to(controller)
    Path(host.sys, "block/nvme0n1").symlink_to(subsystem / "nvme0n1")
    assert read_function(host, DISK).disks == ("nvme0n1", "vda")
