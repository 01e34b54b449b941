# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the study ``reflect`` varies: its factors, and the levels that each of them can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import LINK_SPEEDS_MBPS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError, boolean, integer

# The far end beside the vswitch, by its layout of the rings.
HOST_DRIVERS = ("virtio_user_split", "virtio_user_packed")
# The far end in a VM, by what its NICs are bound to there. The last one is the kernel's own.
GUEST_DRIVERS = ("uio_pci_generic", "igb_uio", "virtio-net")
KERNEL_DRIVER = "virtio-net"
DRIVERS = (*HOST_DRIVERS, *GUEST_DRIVERS)
DIRECTIONS = ("vswitch", "far_end")
FORWARDING_CORES = ("one", "per_queue")
GENERATORS = ("testpmd", "pktgen")


@dataclass(frozen=True)
class Factor:
    """Something the study varies: the name in a record's cell, and how a level is read and checked."""

    name: str
    kind: type
    choices: tuple[Any, ...] = ()
    low: int = 0
    high: int = 0
    power_of_two: bool = False
    # These are part of every cell; the others only when they have more than one level.
    always: bool = False

    def levels(self, variable: str, raw: Any) -> list[Any]:
        """The levels in a variable: a list, one value, or (from a command line) values between commas."""
        values = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, (list, tuple)) else [raw]
        if not values:
            raise PlanError(f"{variable} is empty. Allowed: {self.allowed()}")
        levels = [self._level(variable, value) for value in values]
        twice = sorted({str(level) for level in levels if levels.count(level) > 1})
        if twice:
            raise PlanError(f"{variable} names {', '.join(twice)} more than once")
        return levels

    def _level(self, variable: str, raw: Any) -> Any:
        if self.kind is str:
            value: Any = str(raw).strip()
            good = value in self.choices
        elif self.kind is bool:
            value = boolean(raw)
            good = value is not None
        else:
            value = integer(raw)
            good = value is not None and self._fits(value)
        if not good:
            raise PlanError(f"{variable} cannot be {raw!r}. Allowed: {self.allowed()}")
        return value

    def _fits(self, value: int) -> bool:
        if self.choices:
            return value in self.choices
        return self.low <= value <= self.high and not (self.power_of_two and value & (value - 1))

    def allowed(self) -> str:
        """What a level can be, in plain words."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        if self.kind is bool:
            return "true, false"
        return f"{'powers of two' if self.power_of_two else 'whole numbers'} from {self.low} to {self.high}"


# Variable -> factor, from the one that costs most to change to the one that costs least. Cells are nested in this
# order: the last varies fastest. The first of them need a new launch, the last two only a word to running processes.
FACTORS = {
    "reflect_direction": Factor("direction", str, choices=DIRECTIONS),
    "reflect_links": Factor("links", int, low=1, high=2),
    "reflect_forwarding_cores": Factor("forwarding_cores", str, choices=FORWARDING_CORES),
    "reflect_ring_size": Factor("ring_size", int, low=32, high=32768, power_of_two=True),
    "reflect_mrg_rxbuf": Factor("mrg_rxbuf", bool),
    "reflect_in_order": Factor("in_order", bool),
    "reflect_vectorized": Factor("vectorized", bool),
    "reflect_drivers": Factor("driver", str, choices=DRIVERS, always=True),
    "reflect_queues": Factor("queues", int, low=1, high=16, always=True),
    "reflect_generator": Factor("generator", str, choices=GENERATORS),
    "reflect_link_speed": Factor("link_speed", int, choices=LINK_SPEEDS_MBPS),
    "reflect_burst": Factor("burst", int, low=1, high=512),
    "reflect_packet_sizes": Factor("packet_size", int, low=64, high=1518, always=True),
}
