# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binding PCI functions to drivers: planned and checked as a whole, made with a way back, and undone."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Entry, Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pci import drivers, network, refusal
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import (
    HANDING_OVER,
    NO_KERNEL_DRIVER,
    Function,
    addresses,
    folder,
    interface_names,
    parse_address,
    parse_mac,
    path_of_interface,
    read_function,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.nodes import device_file, wait_for_device_file
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import SYSTEM, System
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id
from ansible_collections.virtperf.vhost.plugins.module_utils.steps import Step, all_or_nothing

RESOURCE = "pci_driver"
# How to name a function; just one of them.
NAMES = ("address", "mac", "interface")

_INTERFACE_PATIENCE_S = 3.0


@dataclass(frozen=True)
class Binding:
    """A function as found, the driver it shall have, and the module that has to be loaded for it, or "".

    ``override`` is what driver_override shall be in the end. A function that was handed over keeps it, so that no later
    probe gives it to somebody else; one that is the kernel's again has none.
    """

    function: Function
    requested: str
    driver: str
    module: str

    @property
    def override(self) -> str:
        """What driver_override shall say."""
        return self.driver if self.driver in NO_KERNEL_DRIVER else ""

    @property
    def rebinds(self) -> bool:
        """Whether the driver changes."""
        return self.function.driver != self.driver

    @property
    def changes(self) -> bool:
        """Whether anything is to be done; a function bound as asked by other means than driver_override is fine."""
        stale = self.function.override not in ("", self.driver)
        return self.rebinds or stale

    def describe(self) -> str:
        """The change in plain words."""
        if not self.rebinds:
            return (
                f"{self.function.address}: driver_override from {self.function.override} to {self.override or 'none'}"
            )
        gone = f", which takes {', '.join(self.function.interfaces)} away" if self.function.interfaces else ""
        return f"{self.function.address}: from {self.function.driver or 'no driver'} to {self.driver}{gone}"


def ensure(
    host: Host,
    devices: Sequence[Mapping[str, Any]],
    *,
    force: bool = False,
    run_id: str = "",
    check_mode: bool = False,
    system: System = SYSTEM,
) -> dict[str, Any]:
    """Bind ``devices`` ({address or mac or interface, driver}) and return the module's result."""
    journal = Journal(host, run_id)
    bindings = plan(host, journal, devices, system)
    check(host, system, bindings, force=force)
    if not check_mode:
        apply(host, journal, bindings, system)
    return {
        "changed": any(binding.changes for binding in bindings),
        "actions": [
            *(f"load module {module} (it stays loaded)" for module in _modules(bindings)),
            *(binding.describe() for binding in bindings if binding.changes),
        ],
        "devices": [_result(host, system, binding, check_mode=check_mode) for binding in bindings],
        "diff": {
            "before": {b.function.address: _state(b.function.driver, b.function.override) for b in bindings},
            "after": {b.function.address: _after(b) for b in bindings},
        },
    }


def plan(host: Host, journal: Journal, devices: Sequence[Mapping[str, Any]], system: System) -> list[Binding]:
    """One binding for each device, in their order; VirtperfError for names and drivers that do not exist."""
    bindings: list[Binding] = []
    for device in devices:
        function = read_function(host, find(host, journal, device))
        if function.address in (binding.function.address for binding in bindings):
            raise VirtperfError(
                f"{function.address} is asked for twice",
                found=", ".join(f"{key} {value}" for key, value in device.items() if value),
                way_out="list each device once",
                address=function.address,
            )
        requested = str(device["driver"]).strip()
        if requested == drivers.KERNEL:
            driver, module = drivers.of_kernel(host, system, function, _remembered(host, journal, function))
        else:
            driver, module = drivers.find(host, system, requested)
        bindings.append(Binding(function, requested, driver, module))
    return bindings


def find(host: Host, journal: Journal, device: Mapping[str, Any]) -> str:
    """The address of a device. Of one that is handed over, MAC and interface are known from the journal only."""
    given = [name for name in NAMES if device.get(name)]
    if len(given) != 1:
        raise VirtperfError(
            "a device needs one name",
            found=", ".join(f"{name} {device[name]}" for name in given) or "none",
            way_out=f"give just one of {', '.join(NAMES)}",
        )
    if given == ["address"]:
        return parse_address(str(device["address"]))
    name = given[0]
    wanted = parse_mac(str(device["mac"])) if name == "mac" else str(device["interface"])
    physical = {interface: path for interface in interface_names(host) if (path := path_of_interface(host, interface))}
    if name == "mac":
        found = {
            path[-1]
            for interface, path in physical.items()
            if host.read_or(f"{host.sys}/class/net/{interface}/address") == wanted
        }
    else:
        found = {physical[wanted][-1]} if wanted in physical else set()
    if not found:
        key = f"{name}s"
        found = {str(entry.undo["address"]) for entry in _noted(host, journal) if wanted in entry.undo.get(key, ())}
    if len(found) != 1:
        known = {i: f"{i} {host.read_or(f'{host.sys}/class/net/{i}/address')} ({p[-1]})" for i, p in physical.items()}
        raise VirtperfError(
            f"{'no PCI function has' if not found else 'several PCI functions have'} the {name} {wanted}",
            found=", ".join(sorted(found) or known.values()) or "no interface of a PCI function",
            way_out="name the device by its address, as lspci -D has it",
        )
    return found.pop()


def _noted(host: Host, journal: Journal) -> list[Entry]:
    """What the journal has about functions that are still the same, oldest first."""
    return [
        entry
        for entry in journal.entries()
        if entry.resource == RESOURCE and entry.undo.get("boot") == boot_id(host) and _same(host, entry.undo)
    ]


def _same(host: Host, undo: Mapping[str, Any]) -> bool:
    """Whether the function of a journal entry is still at its address."""
    address = str(undo["address"])
    return address in addresses(host) and read_function(host, address).identity == undo["identity"]


def _remembered(host: Host, journal: Journal, function: Function) -> str:
    """The kernel's driver that it had before us."""
    had = [str(e.undo["driver"]) for e in _noted(host, journal) if e.undo["address"] == function.address]
    return next((driver for driver in had if driver and driver not in NO_KERNEL_DRIVER), "")


def check(host: Host, system: System, bindings: Sequence[Binding], *, force: bool = False) -> None:
    """VirtperfError that says all that is against it, before anything is touched."""
    rebound = [binding for binding in bindings if binding.rebinds]
    if not rebound:
        return
    kept = network.reasons(host, system)
    to_vfio = [binding.function.address for binding in bindings if binding.driver == "vfio-pci"]
    refused = []
    forcible = True
    for binding in rebound:
        function = binding.function
        against = refusal.against_leaving(host, system, function, kept)
        if binding.driver == "vfio-pci":
            against += refusal.against_vfio(host, function, to_vfio)
        forcible = forcible and not against
        if not against and not force:
            against = refusal.against_losing_addresses(system, function)
        if against:
            refused.append({"address": function.address, "driver": binding.driver, "reasons": against})
    if refused:
        raise VirtperfError(
            "nothing was touched: " + "; ".join(_refusal(item) for item in refused),
            way_out="take the addresses away first, or set force"
            if forcible
            else "name another device, or free this one first; force does not help",
            refused=refused,
        )


def _refusal(item: Mapping[str, Any]) -> str:
    return f"{item['address']} cannot go to {item['driver']}: {', '.join(item['reasons'])}"


def apply(host: Host, journal: Journal, bindings: Sequence[Binding], system: System) -> None:
    """Load the modules, then bind; all or nothing, except that modules stay loaded."""
    for module in _modules(bindings):
        system.load(module)
    for binding in bindings:
        if binding.rebinds and binding.driver not in drivers.registered(host):
            raise VirtperfError(
                f"the module {binding.module} was loaded, and brought no driver {binding.driver}",
                found=", ".join(drivers.registered(host)),
                way_out="name the driver as it is called in /sys/bus/pci/drivers",
            )
    all_or_nothing(journal, [_step(host, journal, system, binding) for binding in bindings if binding.changes])
    for binding in bindings:
        if binding.changes:
            _forget_detour(host, journal, binding)


def _forget_detour(host: Host, journal: Journal, binding: Binding) -> None:
    """A function that has again what it had once has been undone by that: restore need not go through it all again."""
    entries = [entry for entry in _noted(host, journal) if entry.undo["address"] == binding.function.address]
    states = [(entry.undo["driver"], entry.undo["override"]) for entry in entries]
    target = (binding.driver, binding.override)
    if target in states:
        detour = {entry.number for entry in entries[states.index(target) :]}
        journal.keep_only([entry for entry in journal.entries() if entry.number not in detour])


def _modules(bindings: Sequence[Binding]) -> list[str]:
    return list(dict.fromkeys(binding.module for binding in bindings if binding.rebinds and binding.module))


def _step(host: Host, journal: Journal, system: System, binding: Binding) -> Step:
    function = binding.function
    undo = {
        "address": function.address,
        "identity": function.identity,
        "boot": boot_id(host),
        "driver": function.driver,
        "override": function.override,
        "interfaces": list(function.interfaces),
        "macs": list(function.macs),
    }

    had = [entry.undo["interfaces"] for entry in _noted(host, journal) if entry.undo["address"] == function.address]
    names: list[str] = next(filter(None, had), [])

    def bind() -> None:
        journal.append(RESOURCE, **undo)
        _rebind(host, function.address, binding.driver, binding.override)
        _settle(host, system, function.address, names)

    def revert() -> str:
        undo_pci_driver(host, undo, system)
        return ""

    return Step(bind, revert)


def _rebind(host: Host, address: str, driver: str, override: str) -> None:
    """Give a function to a driver ("" for none), leave driver_override as told, and read both back."""
    base = folder(host, address)
    current = read_function(host, address)
    if current.driver != driver:
        if driver:
            # Before it is let go: nobody else may take it in between.
            _override(host, address, driver)
        if current.driver:
            host.write_kernel(f"{base}/driver/unbind", address)
        if driver:
            try:
                host.write_kernel(f"{host.sys}/bus/pci/drivers_probe", address)
            except OSError as error:
                # What the driver had against it is seen in the reading below, and told better there.
                if error.errno not in (errno.EINVAL, errno.ENODEV, errno.EIO):
                    raise
        found = read_function(host, address).driver
        if found != driver:
            raise VirtperfError(
                f"{address} was to be bound to {driver or 'no driver'}, and the kernel did not do it",
                found=f"bound to {found}" if found else "bound to nothing",
                way_out="see dmesg for what the driver says about it",
                address=address,
            )
    if read_function(host, address).override != override:
        _override(host, address, override)


def _override(host: Host, address: str, driver: str) -> None:
    # A write of nothing never reaches the kernel's driver; an empty line clears it.
    host.write_kernel(f"{folder(host, address)}/driver_override", driver or "\n")
    found = read_function(host, address).override
    if found != driver:
        raise VirtperfError(
            f"driver_override of {address} was to be {driver!r}, and the kernel did not take it",
            found=repr(found),
            way_out="see dmesg",
            address=address,
        )


def _settle(host: Host, system: System, address: str, names: Sequence[str]) -> None:
    """Wait for what programs use it by: a device file, or the interface, for whose driver udev may load a module.

    An interface that was called something else before gets that name again: the kernel counts, and gives the first that
    comes back the first name that is free.
    """
    function = read_function(host, address)
    if function.driver in HANDING_OVER:
        wait_for_device_file(host, system, function)
        return
    limit = time.monotonic() + _INTERFACE_PATIENCE_S
    # Some network functions never have an interface: that is none of our business.
    while function.is_network and not function.interfaces and time.monotonic() < limit:
        time.sleep(0.02)
        function = read_function(host, address)
    if len(names) == len(function.interfaces) == 1 and names[0] not in interface_names(host):
        # Refused for one that is up already: then somebody uses it as it is.
        with contextlib.suppress(OSError):
            system.rename(function.interfaces[0], names[0])


def _result(host: Host, system: System, binding: Binding, *, check_mode: bool) -> dict[str, Any]:
    before = binding.function
    now = read_function(host, before.address)
    predicted = check_mode and binding.rebinds
    path = "" if predicted else device_file(host, system, now)
    return {
        "address": before.address,
        "requested": binding.requested,
        "was": before.driver or None,
        "driver": binding.driver if predicted else now.driver,
        "changed": binding.changes,
        "interfaces_before": list(before.interfaces),
        "macs": list(before.macs),
        "interfaces": None if predicted else list(now.interfaces),
        "device_file": path if path and os.path.exists(path) else None,
        "iommu_group": int(before.group) if before.group else None,
    }


def _after(binding: Binding) -> str:
    override = binding.override if binding.changes else binding.function.override
    return _state(binding.driver, override)


def _state(driver: str, override: str) -> str:
    return (driver or "no driver") + (f" (driver_override {override})" if override else "")


def undo_pci_driver(host: Host, undo: Mapping[str, Any], system: System = SYSTEM) -> str:
    """Bind a function back to what it had; "" when it is gone, has it already, or the machine was started anew.

    VirtperfError, with nothing touched, when by now it must stay with the driver it has.
    """
    if undo["boot"] != boot_id(host) or not _same(host, undo):
        return ""
    address, driver, override = str(undo["address"]), str(undo["driver"]), str(undo["override"])
    function = read_function(host, address)
    if (function.driver, function.override) == (driver, override):
        return ""
    if function.driver != driver:
        against = refusal.against_leaving(host, system, function, network.reasons(host, system))
        if against:
            raise VirtperfError(
                f"{address} cannot go back to {driver or 'no driver'}: {', '.join(against)}",
                way_out="free it, then restore again",
                address=address,
            )
        if driver and driver not in drivers.registered(host):
            system.load(drivers.find(host, system, driver)[1])
    _rebind(host, address, driver, override)
    if function.driver == driver:
        return f"{address}: driver_override {override or 'none'} again"
    _settle(host, system, address, undo["interfaces"])
    return f"bound {address} to {driver or 'no driver'} again"
