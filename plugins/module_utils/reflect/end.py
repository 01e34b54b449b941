# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the study ``reflect`` asks of an end: one that makes packets, or sends them back, here or in a guest."""

from __future__ import annotations

from typing import Any, Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import ForwardStats
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError


class End(Protocol):
    """One end of the vhost-user ports. Every method but ``is_running``, ``log`` and ``stop`` raises VirtperfError."""

    name: str

    def offer(self, packet_size: int, *, forwarding: bool) -> None:
        """Stop; or start anew with packets of so many bytes (with FCS; only who makes packets looks at it)."""

    def clear(self) -> None:
        """Begin a new stretch of statistics, as every start does."""

    def counters(self) -> Counters:
        """Sums over its ports, by the clock of the machine that measures."""

    def statistics(self) -> ForwardStats | None:
        """Since the last start or ``clear``; None where the end has none."""

    def cpu_seconds(self) -> dict[int, float]:
        """CPU time of each thread that forwards, in seconds, by thread id."""

    def setup(self) -> dict[str, Any]:
        """What it says of itself: ``rx_queues``, ``tx_queues``, ``link_up``, ``link_speed_mbps``, ``cpus``, ``pid``,
        ``command``, ``version``, ``driver``; and, of a virtio driver, ``ring_sizes`` and ``datapaths``.
        """

    def is_running(self) -> bool:
        """Whether it still lives."""

    def died(self) -> VirtperfError:
        """The error that reports its death with the end of its log."""

    def log(self) -> str:
        """All that it has printed."""

    def stop(self) -> str:
        """End it; returns how, "" when there was nothing to end."""
