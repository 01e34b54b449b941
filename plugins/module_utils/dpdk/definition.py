# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a testpmd shall be: validated, and turned into its command line and its own commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.fields import Fields, Memory, Port, eal_arguments

FORWARD_MODES = ("io", "mac", "macswap", "flowgen", "rxonly", "txonly", "csum", "icmpecho", "noisy", "5tswap")
# Modes that make packets, and how many bytes of FCS each of them takes off the length it is told.
# flowgen.c subtracts RTE_ETHER_CRC_LEN itself, txonly.c does not.
_GENERATOR_FCS_TAKEN = {"flowgen": 4, "txonly": 0}
_FCS_BYTES = 4
_RANGES = {
    "memory_mib": (16, 1 << 20),
    "queues": (1, 256),
    "mbufs": (512, 1 << 24),
    "burst": (1, 512),
    "packet_size": (64, 9728),
    "numa_node": (0, 63),
}
_NUMBERS = (*_RANGES, "descriptors")


@dataclass(frozen=True)
class Definition:
    """A testpmd. Fields in ``LIVE`` can change while it runs; any other change needs a new process."""

    name: str
    cpus: tuple[int, ...]
    main_cpu: int
    ports: tuple[Port, ...]
    huge_dir: str
    memory_mib: int = 128
    numa_node: int = 0
    queues: int = 1
    descriptors: int = 0
    mbufs: int = 8192
    eal_arguments: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    forward_mode: str = "io"
    burst: int = 32
    packet_size: int = 64
    forwarding: bool = False

    LIVE = ("forward_mode", "burst", "packet_size", "forwarding")

    @property
    def file_prefix(self) -> str:
        """EAL's name for the files of this process: runtime directory and hugepage files."""
        return f"virtperf-{self.name}"

    @property
    def frame_bytes(self) -> int:
        """Bytes of a generated frame in the ring: the packet size without its FCS."""
        return self.packet_size - _FCS_BYTES

    def launch_part(self) -> dict[str, Any]:
        """What only a new process can change, as JSON holds it."""
        return {key: value for key, value in self.as_dict().items() if key not in self.LIVE}

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it: lists for tuples."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def command(self, testpmd: str) -> list[str]:
        """The command line: EAL's arguments, then testpmd's own.

        Each lcore is bound to one CPU; the main lcore, which only answers, has its own number, so that it may share
        a CPU with a forwarding one on small machines.
        """
        lcores = [f"0@{self.main_cpu}", *(f"{n}@{cpu}" for n, cpu in enumerate(self.cpus, start=1))]
        memory = Memory(self.huge_dir, self.memory_mib, self.numa_node)
        return [
            testpmd,
            *eal_arguments(",".join(lcores), 0, self.file_prefix, self.ports, memory),
            *self.eal_arguments,
            "--",
            "--interactive",
            f"--nb-cores={len(self.cpus)}",
            f"--rxq={self.queues}",
            f"--txq={self.queues}",
            *([f"--rxd={self.descriptors}", f"--txd={self.descriptors}"] if self.descriptors else []),
            f"--total-num-mbufs={self.mbufs}",
            f"--burst={self.burst}",
            f"--forward-mode={self.forward_mode}",
            "--record-core-cycles",
            "--record-burst-stats",
            *self.arguments,
        ]

    def size_command(self) -> str | None:
        """What tells testpmd the size of the packets it makes; None for modes that make none."""
        taken = _GENERATOR_FCS_TAKEN.get(self.forward_mode)
        return None if taken is None else f"set txpkts {self.frame_bytes + taken}"

    def commands_from(self, old: Definition | None) -> list[str]:
        """testpmd's own commands that lead from a running ``old`` (None: just launched, stopped) to this."""
        steps: list[str] = []
        if old is None or old.forward_mode != self.forward_mode:
            steps += [] if old is None else [f"set fwd {self.forward_mode}"]
        if old is not None and old.burst != self.burst:
            steps.append(f"set burst {self.burst}")
        size = self.size_command()
        if size and (old is None or old.size_command() != size):
            steps.append(size)
        was_forwarding = old is not None and old.forwarding
        if was_forwarding and (steps or not self.forwarding):
            steps.insert(0, "stop")
            was_forwarding = False
        if self.forwarding and not was_forwarding:
            steps.append("start")
        return steps


def parse(raw: Mapping[str, Any]) -> Definition:
    """A validated definition from module arguments or a state file; VirtperfError names the instance and the field."""
    fields = Fields("testpmd", raw, Definition.__dataclass_fields__)
    cpus = fields.cpus()
    definition = Definition(
        **{
            "huge_dir": "",
            **fields.given,
            **fields.numbers(_NUMBERS),
            "name": fields.name,
            "cpus": cpus,
            "main_cpu": fields.number("main_cpu", fields.given.get("main_cpu", cpus[0])),
            "ports": fields.ports(),
            "eal_arguments": fields.words("eal_arguments"),
            "arguments": fields.words("arguments"),
        }
    )
    _check(fields, definition)
    return definition


def _check(fields: Fields, definition: Definition) -> None:
    if not definition.ports:
        raise fields.wrong("ports", "an empty list", "give at least one port")
    fields.check_ranges(definition, _RANGES)
    descriptors = definition.descriptors
    if descriptors and (descriptors & (descriptors - 1) or not 32 <= descriptors <= 32768):
        raise fields.wrong("descriptors", str(descriptors), "a power of two from 32 to 32768, or 0: the driver's own")
    if definition.forward_mode not in FORWARD_MODES:
        raise fields.wrong("forward_mode", repr(definition.forward_mode), f"one of {', '.join(FORWARD_MODES)}")
    if not isinstance(definition.forwarding, bool):
        raise fields.wrong("forwarding", repr(definition.forwarding), "true or false")
    fields.check_huge_dir(definition.huge_dir)
