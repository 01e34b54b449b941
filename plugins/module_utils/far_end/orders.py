# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent in a guest can be told to do, and the ends that it keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.end import End

if TYPE_CHECKING:
    from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import LocalStation

# What of an End is asked for from afar.
METHODS = frozenset(
    {"offer", "clear", "counters", "statistics", "cpu_seconds", "setup", "is_running", "died", "log", "stop"}
)
# The kernel's own driver of a virtio NIC, by the name that users give it.
KERNEL_DRIVER = "virtio-net"


@dataclass(frozen=True)
class Kept:
    """An end that was started, the PCI functions it has, and what removes its files after its end."""

    end: End
    addresses: tuple[str, ...]
    forget: Callable[[], None]


class Orders:
    """Every public method is an order; ``obey`` finds it by name. Modules are imported when an order needs them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._kept: dict[str, Kept] = {}
        self._station: LocalStation | None = None

    def obey(self, order: str, arguments: Mapping[str, Any]) -> Any:
        """Carry an order out; VirtperfError when there is no such order."""
        known: dict[str, Callable[..., Any]] = {
            "clock": self.clock,
            "hugepages": self.hugepages,
            "bind": self.bind,
            "end": self.end,
            "do": self.do,
            "station": self.station,
        }
        if order not in known:
            raise VirtperfError(f"the agent knows no order {order!r}", way_out=f"one of {', '.join(known)}")
        return known[order](**arguments)

    def clock(self) -> None:
        """Nothing: every answer has the time."""

    def hugepages(self, count: int) -> dict[str, Any]:
        """Have so many pages of 2 MiB; where they are mounted is systemd's business."""
        from ansible_collections.virtperf.vhost.plugins.module_utils.hugepages import ensure

        return ensure(self._host, [{"size": "2M", "count": count, "policy": "at_least"}])

    def bind(self, addresses: Sequence[str], driver: str) -> dict[str, Any]:
        """Bind PCI functions to a driver, with its module loaded. Ends that ran on them have to be stopped before."""
        from ansible_collections.virtperf.vhost.plugins.module_utils.pci.bind import ensure
        from ansible_collections.virtperf.vhost.plugins.module_utils.pci.drivers import KERNEL

        name = KERNEL if driver == KERNEL_DRIVER else driver
        return ensure(self._host, [{"address": address, "driver": name} for address in addresses])

    def end(self, kind: str, definition: Mapping[str, Any]) -> str:
        """Start an end, in place of one of its name and of those that run no more; returns its name."""
        if kind not in _KINDS:
            raise VirtperfError(f"there is no end of kind {kind!r}", way_out=f"one of {', '.join(_KINDS)}")
        name = str(definition.get("name", ""))
        for other, kept in list(self._kept.items()):
            if other == name or not kept.end.is_running():
                self._remove(other)
        kept = _KINDS[kind](self._host, definition)
        self._kept[kept.end.name] = kept
        return kept.end.name

    def do(self, name: str, method: str, arguments: Mapping[str, Any]) -> Any:
        """Call a method of an end."""
        if name not in self._kept:
            raise VirtperfError(
                f"there is no end {name!r} here", found=", ".join(self._kept) or "none", way_out="start it first"
            )
        if method not in METHODS:
            raise VirtperfError(f"an end does not {method!r}", way_out=f"one of {', '.join(sorted(METHODS))}")
        kept = self._kept[name]
        result = getattr(kept.end, method)(**arguments)
        if method == "setup" and kept.addresses and "driver" not in result:
            result = {**result, "driver": self._driver(kept.addresses)}
        return result

    def station(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """Call a method of this machine as a place of traffic; the first call makes it one."""
        from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import LocalStation, obey

        if self._station is None:
            self._station = LocalStation(self._host)
        return obey(self._station, method, arguments)

    def close(self) -> None:
        """Stop all ends, and the programs of the station; what cannot be stopped keeps no other from it."""
        failures = []
        if self._station is not None:
            try:
                self._station.close()
            except VirtperfError as error:
                failures.append(str(error))
        for name in list(self._kept):
            try:
                self._remove(name)
            except VirtperfError as error:
                failures.append(str(error))
        if failures:
            raise VirtperfError("not all ends could be stopped", found="; ".join(failures))

    def _remove(self, name: str) -> None:
        kept = self._kept[name]
        kept.end.stop()
        kept.forget()
        del self._kept[name]

    def _driver(self, addresses: Sequence[str]) -> str:
        """What the functions are bound to now."""
        from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import read_function

        return ", ".join(sorted({read_function(self._host, address).driver for address in addresses}))


def _testpmd(host: Host, raw: Mapping[str, Any]) -> Kept:
    from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
    from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import parse
    from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance
    from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
    from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.testpmd_end import TestpmdEnd

    definition = parse(raw)
    plan = manager.plan_started(host, [definition])
    manager.check(host, [definition], plan, allow_overlap=False)
    manager.apply(host, Journal(host), plan)
    addresses = tuple(port.device for port in definition.ports if port.is_pci)
    return Kept(TestpmdEnd(host, definition), addresses, Instance(host, definition.name).forget)


def _kernel(host: Host, raw: Mapping[str, Any]) -> Kept:
    from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.kernel_end import start

    return Kept(start(host, raw), (), _nothing)


def _pktgen(host: Host, raw: Mapping[str, Any]) -> Kept:
    from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
    from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen import manager
    from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import parse
    from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.pktgen_end import PktgenEnd

    definition = parse(raw)
    instance = manager.start(host, Journal(host), definition)
    addresses = tuple(port.device for port in definition.ports if port.is_pci)
    return Kept(PktgenEnd(host, definition), addresses, instance.forget)


def _nothing() -> None:
    """The kernel keeps no files."""


_KINDS: dict[str, Callable[[Host, Mapping[str, Any]], Kept]] = {
    "testpmd": _testpmd,
    "kernel": _kernel,
    "pktgen": _pktgen,
}
