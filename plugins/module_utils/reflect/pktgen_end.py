# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pktgen-dpdk as an end of the study ``reflect``: it makes packets, at most as fast as it takes its link to be."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import output
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen import script
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import PACKET_SIZES, Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.dpdk_end import DpdkEnd, sum_known


class PktgenEnd(DpdkEnd):
    """Implements ``End`` for a pktgen that runs as defined."""

    def __init__(self, host: Host, definition: Definition) -> None:
        self._definition = definition
        self._instance = Instance(host, definition.name)
        super().__init__(self._instance, len(definition.ports), definition.queues)
        # Whether it makes packets; None: nobody has told it yet.
        self._sending: bool | None = None

    def offer(self, packet_size: int, *, forwarding: bool) -> None:
        """By its script interface; one that is silent is not told to be."""
        if forwarding and packet_size not in PACKET_SIZES:
            raise VirtperfError(
                f"pktgen {self.name} does not make packets of {packet_size} bytes",
                found="it would take the nearest size that it can, without a word",
                way_out=f"from {PACKET_SIZES[0]} to {PACKET_SIZES[-1]} bytes, or let testpmd make them",
            )
        if self._sending is not False:
            self._instance.ask(script.STOP)
        if forwarding:
            self._instance.ask(script.send(packet_size))
        self._sending = forwarding

    def clear(self) -> None:
        """Its counters count on; who looks at them takes differences."""

    def statistics(self) -> output.ForwardStats | None:
        """None: it records neither its cycles nor what the ring refuses."""
        return None

    def setup(self) -> dict[str, Any]:
        """What any DPDK process tells, and its own script interface.

        The link's speed is the one that it keeps to, in all its ports together: what the device says, or 10000 Mbit/s
        where the device does not know.
        """
        told = super().setup()
        speeds = script.link_speeds(self._instance.ask(script.links(len(self._ports))))
        return {
            **told,
            "link_speed_mbps": sum_known(speeds) if len(speeds) == len(self._ports) else None,
            "command": " ".join(self._instance.command(self._definition)),
            "version": f"pktgen {self._instance.ask(script.VERSION)}, {told['version']}",
        }
