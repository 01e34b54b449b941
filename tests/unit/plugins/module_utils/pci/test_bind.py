# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binding as a whole: planned, refused, made, taken back and undone, on a bus that is a directory."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pci import bind
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.bind import ensure, undo_pci_driver
from ansible_collections.virtperf.vhost.tests.unit.fake_pci import (
    DISK,
    NIC,
    OTHER_NIC,
    FakeSystem,
    PciHost,
    bridge,
    pci_host,
)

UIO = "uio_pci_generic"


@pytest.fixture
def host(tmp_path: Path) -> PciHost:
    return pci_host(tmp_path)


@pytest.fixture
def system(host: PciHost) -> FakeSystem:
    return FakeSystem(host.bus)


def to(driver: str, *addresses: str) -> list[dict[str, Any]]:
    return [{"address": address, "driver": driver} for address in addresses]


def undo_all(host: PciHost, system: FakeSystem) -> list[str]:
    return [undo_pci_driver(host, entry.undo, system) for entry in reversed(Journal(host).entries())]


def state(host: PciHost) -> dict[str, tuple[str, str]]:
    return {address: (host.bus.bound(address), host.bus.override(address)) for address in (NIC, OTHER_NIC, DISK)}


@pytest.mark.parametrize("driver", [UIO, "igb_uio"])
def test_to_uio_and_back(host: PciHost, system: FakeSystem, driver: str) -> None:
    done = ensure(host, to(driver, "00:05.0"), system=system)
    assert done["changed"]
    assert done["actions"] == [
        f"load module {driver} (it stays loaded)",
        f"{OTHER_NIC}: from virtio-pci to {driver}, which takes eth1 away",
    ]
    assert done["devices"] == [
        {
            "address": OTHER_NIC,
            "requested": driver,
            "was": "virtio-pci",
            "driver": driver,
            "changed": True,
            "interfaces_before": ["eth1"],
            "macs": ["02:00:00:00:00:05"],
            "interfaces": [],
            "device_file": f"{system.dev}/uio0",
            "iommu_group": None,
        }
    ]
    assert (host.bus.bound(OTHER_NIC), host.bus.override(OTHER_NIC)) == (driver, driver)
    back = ensure(host, to("kernel", OTHER_NIC), system=system)
    assert (back["devices"][0]["driver"], back["devices"][0]["interfaces"]) == ("virtio-pci", ["eth1"])
    assert (host.bus.bound(OTHER_NIC), host.bus.override(OTHER_NIC)) == ("virtio-pci", "(null)")
    assert Journal(host).entries() == []


def test_a_detour_is_forgotten_and_the_rest_is_not(host: PciHost, system: FakeSystem) -> None:
    Journal(host).append("thing", name="somebody's")
    for driver in (UIO, "igb_uio", UIO):
        ensure(host, to(driver, NIC, OTHER_NIC), system=system)
    assert [entry.undo.get("driver") for entry in Journal(host).entries()] == [None, "virtio-pci", "virtio-pci"]
    ensure(host, to("kernel", NIC), system=system)
    assert [entry.undo.get("address") for entry in Journal(host).entries()] == [None, OTHER_NIC]


@pytest.mark.parametrize("named", [{"mac": "02-00-00-00-00-05"}, {"interface": "eth1"}, {"address": OTHER_NIC}])
def test_a_second_run_changes_nothing_by_whatever_name(
    host: PciHost, system: FakeSystem, named: dict[str, str]
) -> None:
    assert ensure(host, [{**named, "driver": UIO}], system=system)["changed"]
    written, entries = len(host.bus.written), len(Journal(host).entries())
    again = ensure(host, [{**named, "driver": UIO}], system=system)
    assert (again["changed"], again["actions"]) == (False, [])
    assert again["devices"][0]["device_file"] == f"{system.dev}/uio0"
    assert again["diff"]["before"] == again["diff"]["after"]
    assert (len(host.bus.written), len(Journal(host).entries())) == (written, entries)
    # Back as well, by a name that the kernel does not have now.
    assert ensure(host, [{**named, "driver": "kernel"}], system=system)["changed"]
    assert not ensure(host, [{**named, "driver": "virtio_pci"}], system=system)["changed"]


@pytest.mark.parametrize("driver", [UIO, "igb_uio", "vfio-pci", "virtio-pci", "kernel"])
@pytest.mark.parametrize("before", ["virtio-pci", UIO, "vfio-pci"])
def test_check_mode_says_what_then_happens(tmp_path: Path, before: str, driver: str) -> None:
    host = pci_host(tmp_path)
    system = FakeSystem(host.bus)
    for group, address in enumerate(("0000:00:06.0", "0000:00:07.0")):
        host.bus.function(address, interface=f"data{group}", group=str(group))
    devices = to(driver, "0000:00:06.0", "0000:00:07.0")
    ensure(host, to(before, "0000:00:06.0"), system=system)
    host.bus.written.clear()
    loaded = list(system.loaded)
    predicted = ensure(host, devices, check_mode=True, system=system)
    assert (host.bus.written, system.loaded) == ([], loaded)
    done = ensure(host, devices, system=system)
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == done[key], key
    unknown = {"interfaces", "device_file"}
    for foreseen, seen in zip(predicted["devices"], done["devices"], strict=True):
        skip = unknown if seen["changed"] else set()
        assert {k: v for k, v in foreseen.items() if k not in skip} == {k: v for k, v in seen.items() if k not in skip}
        if seen["changed"]:
            assert [foreseen[key] for key in sorted(unknown)] == [None, None]
    assert not ensure(host, devices, system=system)["changed"]


def test_several_at_once_are_one_change(host: PciHost, system: FakeSystem) -> None:
    before = state(host)
    done = ensure(host, [*to(UIO, NIC), *to("igb_uio", OTHER_NIC)], run_id="run-7", system=system)
    assert [device["device_file"] for device in done["devices"]] == [f"{system.dev}/uio0", f"{system.dev}/uio1"]
    assert [(entry.resource, entry.run_id) for entry in Journal(host).entries()] == [("pci_driver", "run-7")] * 2
    assert undo_all(host, system) == [f"bound {OTHER_NIC} to virtio-pci again", f"bound {NIC} to virtio-pci again"]
    assert state(host) == before
    assert undo_all(host, system) == ["", ""]


def test_all_or_nothing(host: PciHost, system: FakeSystem) -> None:
    before = state(host)
    host.bus.rejects.add("igb_uio")
    with pytest.raises(VirtperfError) as caught:
        ensure(host, [*to(UIO, NIC), *to("igb_uio", OTHER_NIC)], system=system)
    assert f"{OTHER_NIC} was to be bound to igb_uio, and the kernel did not do it" in str(caught.value)
    assert "everything is as it was before" in str(caught.value)
    assert caught.value.facts == {"address": OTHER_NIC, "left_changed": []}
    assert state(host) == before
    assert Journal(host).entries() == []


def test_a_module_that_is_refused_leaves_everything_untouched(host: PciHost, system: FakeSystem) -> None:
    system.broken.add("igb_uio")
    with pytest.raises(VirtperfError, match="Key was rejected"):
        ensure(host, to("igb_uio", NIC), system=system)
    assert host.bus.written == []


def test_a_module_without_that_driver(host: PciHost, system: FakeSystem) -> None:
    system.modules.add("ext4")
    system.load = lambda name: None  # type: ignore[method-assign]
    with pytest.raises(VirtperfError, match="brought no driver ext4"):
        ensure(host, to("ext4", NIC), system=system)
    assert host.bus.written == []


def test_a_device_file_that_never_appears(
    host: PciHost, system: FakeSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bind.wait_for_device_file, "__defaults__", (0.05,))
    system.dev = str(tmp_path / "nowhere")
    before = state(host)
    with pytest.raises(VirtperfError, match="its device file does not appear"):
        ensure(host, to(UIO, NIC), system=system)
    assert state(host) == before


def test_an_override_left_by_others_is_cleared(host: PciHost, system: FakeSystem) -> None:
    host.bus.write(f"{host.sys}/bus/pci/devices/{NIC}/driver_override", UIO)
    host.bus.default_route("eth0")  # the driver stays, so that is no reason against it
    done = ensure(host, to("kernel", NIC), system=system)
    assert done["actions"] == [f"{NIC}: driver_override from {UIO} to none"]
    assert state(host)[NIC] == ("virtio-pci", "(null)")
    assert undo_all(host, system) == [f"{NIC}: driver_override {UIO} again"]
    assert state(host)[NIC] == ("virtio-pci", UIO)


def test_one_that_had_no_driver(host: PciHost, system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bind, "_INTERFACE_PATIENCE_S", 0.05)
    host.bus.write(f"{host.sys}/bus/pci/devices/{NIC}/driver/unbind", NIC)
    done = ensure(host, to(UIO, NIC), system=system)
    assert done["actions"][-1] == f"{NIC}: from no driver to {UIO}"
    assert undo_all(host, system) == [f"bound {NIC} to no driver again"]
    assert state(host)[NIC] == ("", "(null)")


@pytest.mark.parametrize("by_undo", [False, True])
def test_interfaces_get_their_names_back(host: PciHost, system: FakeSystem, by_undo: bool) -> None:
    """The kernel gives the first that comes back the first name that is free."""
    ensure(host, to(UIO, NIC, OTHER_NIC), system=system)
    host.bus.names = {OTHER_NIC: "eth0", NIC: "eth0"}
    if by_undo:
        undo_all(host, system)
    else:
        ensure(host, to("kernel", OTHER_NIC, NIC), system=system)
    assert host.bus.names == {OTHER_NIC: "eth1", NIC: "eth0"}


def test_a_name_that_is_taken_or_in_use_is_left_alone(host: PciHost, system: FakeSystem) -> None:
    ensure(host, to(UIO, NIC, OTHER_NIC), system=system)
    host.bus.names = {OTHER_NIC: "eth7", NIC: "eth8"}
    host.bus.virtual_interface("eth0", "bridge")
    system.up = {"eth7"}
    ensure(host, to("kernel", OTHER_NIC, NIC), system=system)
    assert host.bus.names == {OTHER_NIC: "eth7", NIC: "eth8"}


class TestRefused:
    def refused(self, host: PciHost, system: FakeSystem, devices: list[dict[str, Any]], *reasons: str) -> None:
        """Refused for these reasons, also by force and in check mode, with nothing touched."""
        host.bus.written.clear()
        for force in (False, True):
            for check_mode in (False, True):
                with pytest.raises(VirtperfError) as caught:
                    ensure(host, devices, force=force, check_mode=check_mode, system=system)
                for reason in reasons:
                    assert reason in str(caught.value)
                assert caught.value.way_out
        assert (host.bus.written, system.loaded, Journal(host).entries()) == ([], [], [])

    def test_the_default_route_and_with_it_all_others_of_the_call(self, host: PciHost, system: FakeSystem) -> None:
        host.bus.default_route("eth0")
        self.refused(host, system, to(UIO, OTHER_NIC, NIC), f"{NIC} cannot go", "eth0: it carries the default route")

    def test_the_ssh_connection(self, host: PciHost, system: FakeSystem) -> None:
        system.address("eth0", "192.0.2.7")
        host.bus.put(f"proc/{os.getpid()}/environ", "A=1\0SSH_CONNECTION=192.0.2.1 5 192.0.2.7 22\0")
        self.refused(host, system, to(UIO, NIC), "eth0: it carries an SSH connection (from 192.0.2.1)")

    def test_a_mounted_disk(self, host: PciHost, system: FakeSystem) -> None:
        host.bus.mount("254:1", "/dev/root")
        self.refused(host, system, to(UIO, DISK), "disk vda: / is mounted from vda1")

    def test_a_member_of_a_bridge(self, host: PciHost, system: FakeSystem) -> None:
        host.bus.virtual_interface("br0", "bridge", "eth0")
        self.refused(host, system, to(UIO, NIC), "eth0: br0 (bridge) is made of it")

    def test_vfio_without_an_iommu(self, host: PciHost, system: FakeSystem) -> None:
        self.refused(host, system, to("vfio-pci", NIC), "no IOMMU group", "intel-iommu")

    def test_vfio_for_part_of_a_group(self, host: PciHost, system: FakeSystem) -> None:
        for address in ("0000:00:06.0", "0000:00:06.1"):
            host.bus.function(address, group="7")
        self.refused(host, system, to("vfio-pci", "0000:00:06.0"), "IOMMU group 7 as a whole", "0000:00:06.1")
        assert ensure(host, to("vfio-pci", "0000:00:06.0", "0000:00:06.1"), system=system)["changed"]

    def test_a_bridge(self, host: PciHost, system: FakeSystem) -> None:
        bridge(host.bus)
        self.refused(host, system, to(UIO, "0000:00:01.0"), "it is a bridge")

    def test_virtual_functions(self, host: PciHost, system: FakeSystem) -> None:
        (host.bus.device(NIC) / "sriov_numvfs").write_text("2\n")
        self.refused(host, system, to(UIO, NIC), "2 virtual functions")

    def test_a_device_file_in_use(self, host: PciHost, system: FakeSystem) -> None:
        ensure(host, to(UIO, NIC), system=system)
        process = Path(host.proc, "4711")
        (process / "fd").mkdir(parents=True)
        (process / "comm").write_text("dpdk-testpmd\n")
        (process / "fd" / "7").symlink_to(f"{system.dev}/uio0")
        for attempt in (lambda: ensure(host, to("kernel", NIC), system=system), lambda: undo_all(host, system)):
            with pytest.raises(VirtperfError, match=r"uio0 is in use by dpdk-testpmd \(pid 4711\)"):
                attempt()
        assert host.bus.bound(NIC) == UIO

    @pytest.mark.parametrize(
        ("device", "message"),
        [
            ({"address": "0000:00:1f.7", "driver": UIO}, "there is no PCI function 0000:00:1f.7"),
            ({"address": "eth0", "driver": UIO}, "'eth0' is no PCI address"),
            ({"mac": "02:00", "driver": UIO}, "is no MAC address"),
            ({"mac": "02:00:00:00:00:99", "driver": UIO}, "no PCI function has the mac 02:00:00:00:00:99"),
            ({"interface": "eth9", "driver": UIO}, "eth0 02:00:00:00:00:04 (0000:00:04.0)"),
            ({"interface": "../eth0", "driver": UIO}, "no PCI function has the interface"),
            ({"driver": UIO}, "a device needs one name"),
            ({"address": NIC, "interface": "eth0", "driver": UIO}, "a device needs one name"),
            ({"address": NIC, "driver": "e1000"}, "does not have the driver e1000 (found: kernel 6.12.1"),
            ({"address": NIC, "driver": "../../x"}, "is no name of a driver"),
            ({"address": NIC, "driver": ""}, "is no name of a driver"),
        ],
    )
    def test_bad_input(self, host: PciHost, system: FakeSystem, device: dict[str, str], message: str) -> None:
        self.refused(host, system, [device], message)

    def test_one_that_the_kernel_lacks_says_where_it_comes_from(self, host: PciHost, system: FakeSystem) -> None:
        system.modules.clear()
        self.refused(host, system, to("igb_uio", NIC), "does not have the driver igb_uio", "dpdk-kmods-dkms")

    def test_the_same_twice(self, host: PciHost, system: FakeSystem) -> None:
        devices = [*to(UIO, NIC), {"interface": "eth0", "driver": "igb_uio"}]
        self.refused(host, system, devices, f"{NIC} is asked for twice")


def test_an_address_is_given_up_by_force_alone(host: PciHost, system: FakeSystem) -> None:
    system.address("eth1", "198.51.100.2")
    system.address("eth1", "fe80::5")
    with pytest.raises(VirtperfError, match=r"address 198\.51\.100\.2 on eth1 would be lost.*set force") as caught:
        ensure(host, to(UIO, OTHER_NIC), system=system)
    assert "fe80" not in str(caught.value)
    assert host.bus.written == []
    assert ensure(host, to(UIO, OTHER_NIC), force=True, system=system)["changed"]


class TestUndo:
    def test_restore_knows_it(self, host: PciHost, system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> None:
        ensure(host, to(UIO, NIC), system=system)
        outcome = restore.replay(host)
        assert (outcome.actions, outcome.failures) == ([f"bound {NIC} to virtio-pci again"], [])
        assert Journal(host).entries() == []

    def test_a_device_that_is_gone_or_another_one(self, host: PciHost, system: FakeSystem) -> None:
        ensure(host, to(UIO, NIC, OTHER_NIC), system=system)
        host.bus.unplug(NIC)
        (host.bus.device(OTHER_NIC) / "device").write_text("0x1042\n")
        assert undo_all(host, system) == ["", ""]
        assert host.bus.bound(OTHER_NIC) == UIO

    def test_after_a_boot_nothing_is_ours(self, host: PciHost, system: FakeSystem) -> None:
        ensure(host, to(UIO, NIC), system=system)
        host.bus.put("proc/sys/kernel/random/boot_id", "next-boot\n")
        assert undo_all(host, system) == [""]

    def test_what_was_half_done(self, host: PciHost, system: FakeSystem) -> None:
        """Killed between unbind and drivers_probe."""
        ensure(host, to(UIO, NIC), system=system)
        host.bus.write(f"{host.sys}/bus/pci/devices/{NIC}/driver/unbind", NIC)
        assert undo_all(host, system) == [f"bound {NIC} to virtio-pci again"]
        assert state(host)[NIC] == ("virtio-pci", "(null)")

    def test_it_refuses_to_cut_the_way_in(self, host: PciHost, system: FakeSystem) -> None:
        ensure(host, to(UIO, NIC), system=system)
        Path(Journal(host).path).unlink()  # somebody else had it so
        ensure(host, to("virtio-pci", NIC), system=system)
        host.bus.default_route("eth0")
        with pytest.raises(VirtperfError, match=r"cannot go back to uio_pci_generic.*default route"):
            undo_all(host, system)
        assert host.bus.bound(NIC) == "virtio-pci"

    def test_a_module_that_was_unloaded(self, host: PciHost, system: FakeSystem) -> None:
        ensure(host, to(UIO, NIC), system=system)
        Path(host.sys, "bus/pci/drivers/virtio-pci").rmdir()
        undo_all(host, system)
        assert system.loaded[-1] == "virtio_pci"
        assert host.bus.bound(NIC) == "virtio-pci"


def test_an_error_of_the_kernels_names_the_file(
    host: PciHost, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: PciHost, path: str, value: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(PciHost, "write_kernel", refuse)
    with pytest.raises(PermissionError) as caught:
        ensure(host, to(UIO, NIC), system=system)
    assert caught.value.filename.endswith("driver_override")
