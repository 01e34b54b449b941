# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers: those the kernel has, those it can load, and the one it would choose by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pci import drivers
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import read_function
from ansible_collections.virtperf.vhost.tests.unit.fake_pci import NIC, FakeSystem, PciHost, pci_host


@pytest.fixture
def host(tmp_path: Path) -> PciHost:
    return pci_host(tmp_path)


@pytest.fixture
def system(host: PciHost) -> FakeSystem:
    return FakeSystem(host.bus)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("virtio-pci", ("virtio-pci", "")),
        ("virtio_pci", ("virtio-pci", "")),
        ("vfio-pci", ("vfio-pci", "vfio_pci")),
        ("vfio_pci", ("vfio-pci", "vfio_pci")),
        ("uio_pci_generic", ("uio_pci_generic", "uio_pci_generic")),
    ],
)
def test_by_the_name_of_driver_or_module(host: PciHost, system: FakeSystem, name: str, found: tuple[str, str]) -> None:
    assert drivers.find(host, system, name) == found


def test_none_without_pci(tmp_path: Path) -> None:
    assert drivers.registered(Host(sys=str(tmp_path))) == []


class TestTheKernelsOwn:
    def test_the_one_it_has(self, host: PciHost, system: FakeSystem) -> None:
        assert drivers.of_kernel(host, system, read_function(host, NIC)) == ("virtio-pci", "")

    def test_the_one_it_had(self, host: PciHost, system: FakeSystem) -> None:
        self.let_go(host)
        system.modules.clear()
        assert drivers.of_kernel(host, system, read_function(host, NIC), "virtio-pci") == ("virtio-pci", "")

    def test_the_one_of_a_module_that_is_loaded(self, host: PciHost, system: FakeSystem) -> None:
        self.let_go(host)
        Path(host.sys, "module/virtio_pci/drivers/pci:special").mkdir(parents=True)
        assert drivers.of_kernel(host, system, read_function(host, NIC), "vfio-pci") == ("special", "")

    def test_the_one_of_a_module_that_is_not(self, host: PciHost, system: FakeSystem) -> None:
        self.let_go(host)
        Path(host.sys, "bus/pci/drivers/virtio-pci").rmdir()
        assert drivers.of_kernel(host, system, read_function(host, NIC)) == ("virtio-pci", "virtio_pci")

    def test_none_that_is_known(self, host: PciHost, system: FakeSystem) -> None:
        self.let_go(host)
        system.modules_for = lambda modalias: ["vfio_pci"]  # type: ignore[method-assign]
        with pytest.raises(VirtperfError, match="name the driver instead of 'kernel'"):
            drivers.of_kernel(host, system, read_function(host, NIC))

    @staticmethod
    def let_go(host: PciHost) -> None:
        host.bus.write(f"{host.sys}/bus/pci/devices/{NIC}/driver/unbind", NIC)
