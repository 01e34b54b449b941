# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pktgen-dpdk shall be: validated, and turned into its command line.

Sources: Pktgen-DPDK 22.07 to 25.08, app/pktgen-main.c (options), app/l2p.c (the mapping of cores), app/pktgen.c (pace).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.fields import Fields, Memory, Port, eal_arguments

# With FCS. Beyond the largest pktgen would take the largest instead, without a word.
PACKET_SIZES = range(64, 1519)
# Those that DPDK's virtio driver takes as speed= (virtio_dev_speed_capa_get in virtio_ethdev.c), and 0 for none.
LINK_SPEEDS_MBPS = (0, 10000, 20000, 25000, 40000, 50000, 56000, 100000, 200000)
_RANGES = {"memory_mib": (16, 1 << 20), "queues": (1, 64), "numa_node": (0, 63)}
_NUMBERS = (*_RANGES, "link_speed_mbps")
# RTE_MAX_LCORE of distributions' builds.
_LAST_LCORE = 127


@dataclass(frozen=True)
class Definition:
    """A pktgen-dpdk that runs and waits for orders. ``link_speed_mbps`` 0: as the device says, 10000 if it does not."""

    name: str
    cpus: tuple[int, ...]
    main_cpu: int
    ports: tuple[Port, ...]
    huge_dir: str
    memory_mib: int = 512
    numa_node: int = 0
    queues: int = 1
    link_speed_mbps: int = 0

    @property
    def file_prefix(self) -> str:
        """EAL's name for the files of this process: runtime directory and hugepage files."""
        return file_prefix(self.name)

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it: lists for tuples."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def command(self, pktgen: str, script: str) -> list[str]:
        """The command line: EAL's arguments, then pktgen's own. ``script`` is a file whose name ends in .lua.

        pktgen binds the thread of its display, which never sleeps, to the CPU that has the *number* of the main lcore:
        that number therefore is the CPU's, and the forwarding lcores are numbered around it.
        """
        main = min(self.main_cpu, _LAST_LCORE)
        first = main + 1 if main <= len(self.cpus) else 1
        lcores = {first + index: cpu for index, cpu in enumerate(self.cpus)}
        names = ",".join(f"{lcore}@{cpu}" for lcore, cpu in {main: self.main_cpu, **lcores}.items())
        memory = Memory(self.huge_dir, self.memory_mib, self.numa_node)
        ports = [self._with_speed(port) for port in self.ports]
        mapping = []
        for number in range(len(ports)):
            low = first + number * self.queues
            cores = f"{low}-{low + self.queues - 1}" if self.queues > 1 else str(low)
            # Each core of a port sends and receives on a queue of its own; an option for each port, for newer versions
            # do not split one at commas.
            mapping += ["-m", f"[{cores}].{number}"]
        return [
            pktgen,
            *eal_arguments(names, main, self.file_prefix, ports, memory),
            "--",
            "-P",
            *mapping,
            "-f",
            script,
        ]

    def _with_speed(self, port: Port) -> Port:
        if not self.link_speed_mbps:
            return port
        return replace(port, options={**port.options, "speed": str(self.link_speed_mbps)})


def file_prefix(name: str) -> str:
    """EAL's name for the files of the pktgen of this name."""
    return f"virtperf-pktgen-{name}"


def parse(raw: Mapping[str, Any]) -> Definition:
    """A validated definition; VirtperfError names the instance and the field."""
    fields = Fields("pktgen", raw, Definition.__dataclass_fields__)
    definition = Definition(
        **{
            "huge_dir": "",
            **fields.given,
            **fields.numbers(_NUMBERS),
            "name": fields.name,
            "cpus": fields.cpus(),
            "main_cpu": fields.number("main_cpu", fields.given.get("main_cpu", 0)),
            "ports": fields.ports(),
        }
    )
    _check(fields, definition)
    return definition


def _check(fields: Fields, definition: Definition) -> None:
    fields.check_ranges(definition, _RANGES)
    fields.check_huge_dir(definition.huge_dir)
    ports, queues, speed = definition.ports, definition.queues, definition.link_speed_mbps
    if not ports:
        raise fields.wrong("ports", "an empty list", "give at least one port")
    for port in ports:
        if not port.is_pci and not port.connects:
            raise fields.wrong("ports", port.device, "a PCI address, or net_virtio_user<n> with the path of a socket")
    if len(definition.cpus) != len(ports) * queues:
        raise fields.wrong(
            "cpus",
            f"{len(definition.cpus)} CPUs for {len(ports)} ports of {queues} queues",
            "pktgen drives each queue of each port by a core of its own: give so many CPUs, or fewer queues",
        )
    if definition.main_cpu in definition.cpus:
        raise fields.wrong(
            "main_cpu",
            f"CPU {definition.main_cpu}, which forwards",
            "pktgen's own display never sleeps and would take half of that CPU: choose another one",
        )
    if speed not in LINK_SPEEDS_MBPS:
        raise fields.wrong("link_speed_mbps", str(speed), f"one of {', '.join(map(str, LINK_SPEEDS_MBPS))}")
    if speed and any("speed" in port.options for port in ports):
        raise fields.wrong("link_speed_mbps", f"{speed}, and a port with an option speed", "give one of them")
