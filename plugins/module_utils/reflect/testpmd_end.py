# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A testpmd as an end of the study ``reflect``; the process itself is kept by dpdk.instance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import output
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.dpdk_end import DpdkEnd


class TestpmdEnd(DpdkEnd):
    """Implements ``End`` for a testpmd that runs as defined."""

    __test__ = False  # its name is not that of a test

    def __init__(self, host: Host, definition: Definition) -> None:
        self._definition = definition
        self._instance = Instance(host, definition.name)
        super().__init__(self._instance, len(definition.ports), definition.queues)

    def offer(self, packet_size: int, *, forwarding: bool) -> None:
        """By testpmd's own commands; one that forwards is stopped and started."""
        wanted = replace(self._definition, packet_size=packet_size, forwarding=forwarding)
        if forwarding:
            self._instance.restart(wanted)
        else:
            self._instance.reconfigure(wanted)

    def clear(self) -> None:
        """Begin a new stretch of forward statistics."""
        self._instance.converse("clear fwd stats all")

    def statistics(self) -> output.ForwardStats | None:
        """testpmd's own, with drops and cycles."""
        return output.forward_stats(self._instance.converse("show fwd stats all"))

    def setup(self) -> dict[str, Any]:
        """What any DPDK process tells, and its command line."""
        definition = self._instance.definition()
        command = " ".join(definition.command("dpdk-testpmd")) if definition else None
        return {**super().setup(), "command": command}
