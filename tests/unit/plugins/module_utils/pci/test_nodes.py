# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Device files of functions that were handed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import read_function
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.nodes import device_file, wait_for_device_file
from ansible_collections.virtperf.vhost.tests.unit.fake_pci import NIC, FakeSystem, PciHost, pci_host


@pytest.fixture
def host(tmp_path: Path) -> PciHost:
    return pci_host(tmp_path)


def bound(host: PciHost, address: str, driver: str) -> None:
    base = f"{host.sys}/bus/pci/devices/{address}"
    host.bus.driver(driver)
    host.bus.write(f"{base}/driver_override", driver)
    host.bus.write(f"{base}/driver/unbind", address)
    host.bus.write(f"{host.sys}/bus/pci/drivers_probe", address)


def test_the_kernels_own_have_none(host: PciHost) -> None:
    assert device_file(host, FakeSystem(host.bus), read_function(host, NIC)) == ""


def test_uio(host: PciHost) -> None:
    system = FakeSystem(host.bus)
    bound(host, NIC, "igb_uio")
    assert wait_for_device_file(host, system, read_function(host, NIC)) == f"{system.dev}/uio0"


def test_vfio_with_and_without_an_iommu(host: PciHost) -> None:
    system = FakeSystem(host.bus)
    host.bus.function("0000:00:06.0", group="7")
    bound(host, "0000:00:06.0", "vfio-pci")
    function = read_function(host, "0000:00:06.0")
    assert wait_for_device_file(host, system, function) == f"{system.dev}/vfio/7"
    Path(system.dev, "vfio", "noiommu-7").touch()
    assert device_file(host, system, function) == f"{system.dev}/vfio/noiommu-7"
