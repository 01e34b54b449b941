# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module dpdk_bind on real functions: two that nobody needs, in a guest with an IOMMU, to each driver and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import booted
import pytest
from booted import DISK, SPARE, WAY_IN
from calls import InGuest

DRIVERS = ("uio_pci_generic", "igb_uio", "vfio-pci")


@dataclass
class Vm:
    """A guest in which modules are called."""

    guest: booted.Guest
    call: InGuest

    def sh(self, command: str) -> str:
        """What a command prints; it has to work."""
        done = self.guest.ssh(command, *self.call.shared)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def bindings(self) -> list[str]:
        """Driver, override and interfaces of every function, a line each: what a restore brings back."""
        # Few processes: each takes its time in an emulated guest.
        links, overrides = "ls -l --time-style=+ */driver", 'grep -H "" */driver_override'
        return self.sh(
            f"cd /sys/bus/pci/devices; {links}; {overrides}; ls -d */net/* */virtio*/net/* || :"
        ).splitlines()

    def driver(self, address: str) -> str:
        """What a function is bound to."""
        return next(line.rsplit("/", 1)[-1] for line in self.bindings() if f" {address}/driver ->" in line)


@pytest.fixture(scope="module")
def prepared(shared_guest: booted.Shared) -> Iterator[Vm]:
    """The shared guest, with the collection in it."""
    guest = shared_guest.guest()
    call = InGuest(guest)
    yield Vm(guest, call)
    call.end()


@pytest.fixture
def vm(prepared: Vm) -> Iterator[Vm]:
    """It; what a test bound is restored, and then all is as it was."""
    before = prepared.bindings()
    yield prepared
    restored = prepared.call("restore", {})
    assert not restored.get("failed"), restored
    assert prepared.bindings() == before
    prepared.sh("test ! -s /var/lib/virtperf/journal.jsonl")


def bind(vm: Vm, driver: str, *addresses: str, **more: Any) -> dict[str, Any]:
    """The result; check mode has foreseen it and changed nothing, and again there is nothing to do."""
    arguments = {"devices": [{"address": address, "driver": driver} for address in addresses], **more}
    before = vm.bindings()
    foreseen = vm.call("dpdk_bind", arguments, check=True)
    assert vm.bindings() == before, "check mode changes nothing"
    done = vm.call("dpdk_bind", arguments)
    assert not done.get("failed"), done
    for key in ("changed", "actions", "diff"):
        assert foreseen[key] == done[key], key
    # What only the change itself tells: how the kernel then calls the interface or the device file.
    told = ("address", "requested", "was", "driver", "changed", "interfaces_before", "macs", "iommu_group")
    for one, other in zip(foreseen["devices"], done["devices"], strict=True):
        assert {key: one[key] for key in told} == {key: other[key] for key in told}
    after = vm.bindings()
    again = vm.call("dpdk_bind", arguments)
    assert (again["changed"], again["actions"]) == (False, [])
    assert vm.bindings() == after
    return done


def test_to_each_driver_and_back_to_the_kernel(vm: Vm) -> None:
    interfaces: list[str] = []
    for driver in DRIVERS:
        done = bind(vm, driver, *SPARE)
        assert done["changed"]
        assert [vm.driver(address) for address in SPARE] == [driver, driver]
        vm.sh(" && ".join(f"test -c {device['device_file']}" for device in done["devices"]))
        interfaces = interfaces or [name for device in done["devices"] for name in device["interfaces_before"]]
    assert len(interfaces) == 2
    done = bind(vm, "kernel", *SPARE)
    assert [vm.driver(address) for address in SPARE] == ["virtio-pci", "virtio-pci"]
    assert [device["interfaces"] for device in done["devices"]] == [[name] for name in interfaces]


def test_restore_brings_back_what_was(vm: Vm) -> None:
    bind(vm, "vfio-pci", SPARE[1])
    restored = vm.call("restore", {})
    assert restored["actions"] == [f"bound {SPARE[1]} to virtio-pci again"]
    assert vm.driver(SPARE[1]) == "virtio-pci"


def test_what_the_guest_lives_by_is_refused_and_nothing_touched(vm: Vm) -> None:
    vm.sh("ip link add br0 type bridge && ip link set eth1 master br0")
    try:
        before = vm.bindings()
        devices = [{"address": address, "driver": "uio_pci_generic"} for address in (DISK, WAY_IN, *SPARE)]
        for check in (True, False):
            refused = vm.call("dpdk_bind", {"devices": devices, "force": True}, check=check)
            assert refused["failed"]
            reasons = {item["address"]: " ".join(item["reasons"]) for item in refused["refused"]}
            assert "SSH" in reasons[WAY_IN]
            assert "mounted" in reasons[DISK]
            assert "bridge" in reasons[SPARE[0]]
            assert SPARE[1] not in reasons
        assert vm.bindings() == before
    finally:
        vm.sh("ip link del br0")
