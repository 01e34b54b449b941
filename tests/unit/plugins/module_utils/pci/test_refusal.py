# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons against taking a function away, or giving it to vfio-pci."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.pci import refusal
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import read_function
from ansible_collections.virtperf.vhost.tests.unit.fake_pci import DISK, NIC, FakeSystem, PciHost, bridge, pci_host


@pytest.fixture
def host(tmp_path: Path) -> PciHost:
    return pci_host(tmp_path)


def test_all_reasons_at_once(host: PciHost) -> None:
    host.bus.mount("254:1", "/dev/vda1")
    host.bus.mount("254:2", "/dev/vda2", "/srv")
    system = FakeSystem(host.bus)
    assert refusal.against_leaving(host, system, read_function(host, DISK), {}) == [
        "disk vda: / is mounted from vda1",
        "disk vda: /srv is mounted from vda2",
    ]
    kept = {"eth0": ["it carries a", "it carries b"], "eth1": ["c"]}
    assert refusal.against_leaving(host, system, read_function(host, NIC), kept) == [
        "eth0: it carries a",
        "eth0: it carries b",
    ]


def test_one_without_a_driver_has_nothing_to_lose(host: PciHost) -> None:
    host.bus.write(f"{host.sys}/bus/pci/devices/{DISK}/driver/unbind", DISK)
    host.bus.mount("254:1", "/dev/vda1")
    assert refusal.against_leaving(host, FakeSystem(host.bus), read_function(host, DISK), {}) == []


def test_vfio_where_the_kernel_was_told_to_do_without_an_iommu(host: PciHost) -> None:
    assert "no IOMMU group" in refusal.against_vfio(host, read_function(host, NIC), [NIC])[0]
    host.bus.put("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")
    assert refusal.against_vfio(host, read_function(host, NIC), [NIC]) == []


def test_a_port_of_pci_express_in_the_group_is_no_obstacle(host: PciHost) -> None:
    bridge(host.bus, "0000:00:06.0")
    port = host.bus.device("0000:00:06.0") / "driver"
    port.unlink()
    host.bus.driver("pcieport")
    port.symlink_to(f"{host.sys}/bus/pci/drivers/pcieport")
    devices = Path(host.sys, "kernel/iommu_groups/7/devices")
    host.bus.function("0000:00:07.0", group="7")
    (devices / "0000:00:06.0").symlink_to(host.bus.device("0000:00:06.0"))
    assert refusal.against_vfio(host, read_function(host, "0000:00:07.0"), ["0000:00:07.0"]) == []
