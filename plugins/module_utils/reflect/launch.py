# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sweep of the study ``reflect`` is told: launches, their cells, and where their far end runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# What the far end can be; the vswitch is always a testpmd.
KINDS = ("testpmd", "kernel", "pktgen")


@dataclass(frozen=True)
class Cell:
    """One combination of the factors' levels, and the whole setup asked for with it."""

    cell: Mapping[str, Any]
    asked: Mapping[str, Any]
    trials: int


@dataclass(frozen=True)
class FarEnd:
    """The end that connects to the vswitch. ``definition`` is what its kind takes; ``cpus``: its machine's."""

    kind: str
    name: str
    cpus: tuple[int, ...]
    definition: Mapping[str, Any]

    def testpmd(self) -> Definition:
        """As a testpmd; VirtperfError when it cannot be one."""
        return parse(self.definition)


@dataclass(frozen=True)
class GuestPart:
    """The VM around a far end.

    ``vm`` is a definition as qemu.definition takes it, without what the image and the way in add; ``pins`` as an entry
    of M(virtperf.vhost.vcpu_pin)'s option vms has them; ``hugepages`` a number of pages of 2 MiB in the guest.
    """

    vm: Mapping[str, Any]
    driver: str
    addresses: tuple[str, ...]
    hugepages: int
    pins: Mapping[str, Any]


@dataclass(frozen=True)
class Launch:
    """Two ends, and the cells that they can serve without being launched again."""

    vswitch: Definition
    far_end: FarEnd
    cells: Sequence[Cell]
    guest: GuestPart | None = None

    @property
    def vswitch_reflects(self) -> bool:
        """Whether the far end makes the packets."""
        return self.vswitch.forward_mode == "io"

    @property
    def cpus(self) -> dict[str, list[int]]:
        """The CPUs asked for, by end."""
        return {self.vswitch.name: list(self.vswitch.cpus), self.far_end.name: list(self.far_end.cpus)}

    @property
    def reflector_cores(self) -> int:
        """How many forwarding cores send packets back."""
        return len(self.vswitch.cpus if self.vswitch_reflects else self.far_end.cpus)


@dataclass(frozen=True)
class Image:
    """What a guest is started from, as M(virtperf.vhost.guest_image) returns it."""

    path: str = ""
    kernel: str = ""
    initrd: str = ""
    command_line: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def parse_launch(raw: Mapping[str, Any]) -> Launch:
    """A launch from module arguments; VirtperfError names what cannot be."""
    given = dict(raw["far_end"])
    kind = str(given.pop("kind", None) or "testpmd")
    if kind not in KINDS:
        raise VirtperfError(f"a far end of kind {kind!r}", way_out=f"one of {', '.join(KINDS)}")
    guest = _guest(raw.get("guest"), given)
    if kind == "kernel" and guest is None:
        raise VirtperfError("a far end of kind 'kernel' without a guest", way_out="it is a guest's own driver")
    far_end = FarEnd(kind, str(given.get("name", "")), tuple(int(cpu) for cpu in given.get("cpus", ())), given)
    if kind == "testpmd":
        far_end.testpmd()
    cells = [Cell(cell["cell"], cell["asked"], cell["trials"]) for cell in raw["cells"]]
    return Launch(parse(raw["vswitch"]), far_end, cells, guest)


def _guest(raw: Any, far_end: Mapping[str, Any]) -> GuestPart | None:
    if not raw:
        return None
    return GuestPart(
        vm=raw["vm"],
        driver=str(raw["driver"]),
        addresses=tuple(str(port["device"]) for port in far_end.get("ports", ())),
        hugepages=int((raw.get("hugepages") or {}).get("count", 0)),
        pins=raw.get("pins") or {},
    )


def parse_image(raw: Mapping[str, Any] | None) -> Image | None:
    """An image from module arguments; what it does not have is ""."""
    if not raw or not raw.get("path"):
        return None
    texts = {key: str(raw.get(key) or "") for key in ("path", "kernel", "initrd", "command_line")}
    return Image(**texts, facts={key: raw[key] for key in ("name", "kernel_release") if raw.get(key)})
