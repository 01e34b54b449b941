# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From counters read at a window's two edges to rates and to the account of every packet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import ForwardStats
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters

# Ethernet's preamble, start-of-frame delimiter and inter-frame gap (IEEE 802.3), which L1 rates count.
_L1_OVERHEAD_BYTES = 20


@dataclass(frozen=True)
class Edge:
    """Both ends' counters at one edge of a window, read one after the other."""

    generator: Counters
    reflector: Counters


def l1_mbps(pps: float, packet_size: int) -> float:
    """Mbit/s on the wire a frame of ``packet_size`` (with FCS) would take."""
    return pps * (packet_size + _L1_OVERHEAD_BYTES) * 8 / 1e6


def l2_mbps(pps: float, packet_size: int) -> float:
    """Mbit/s of frames with their FCS."""
    return pps * packet_size * 8 / 1e6


def rates(first: Edge, last: Edge, packet_size: int) -> dict[str, float]:
    """The window's rates, from both ends; each end's by the time between its own two readings.

    ``rx_pps`` and ``tx_pps`` are the generator's; the reflector's are what it received and sent back.
    """
    window_s = last.generator.at_s - first.generator.at_s
    reflector_s = last.reflector.at_s - first.reflector.at_s
    sent = last.generator.tx_packets - first.generator.tx_packets
    received = last.generator.rx_packets - first.generator.rx_packets
    rx_pps = received / window_s
    return {
        "rx_pps": rx_pps,
        "tx_pps": sent / window_s,
        # What is on its way at the two edges can make this a hair below zero.
        "loss_ratio": max(0.0, (sent - received) / sent) if sent else 1.0,
        "l1_mbps": l1_mbps(rx_pps, packet_size),
        "l2_mbps": l2_mbps(rx_pps, packet_size),
        "reflector_rx_pps": (last.reflector.rx_packets - first.reflector.rx_packets) / reflector_s,
        "reflector_tx_pps": (last.reflector.tx_packets - first.reflector.tx_packets) / reflector_s,
    }


def account(first: Edge, last: Edge, generator: ForwardStats | None) -> dict[str, Any]:
    """Packets of the window: sent, reflected, received, and where they were lost.

    ``skew_s`` bounds how far apart the two ends were read: differences between ends smaller than rate x skew are not
    losses. ``offered`` and ``refused`` (by the generator's full ring) come from testpmd's own statistics, whose
    stretch contains the window; None when there are none.
    """
    sent = last.generator.tx_packets - first.generator.tx_packets
    received = last.generator.rx_packets - first.generator.rx_packets
    arrived = last.reflector.rx_packets - first.reflector.rx_packets
    reflected = last.reflector.tx_packets - first.reflector.tx_packets
    edges = (first, last)
    return {
        "offered": generator.tx_packets + generator.tx_dropped if generator else None,
        "refused": generator.tx_dropped if generator else None,
        "sent": sent,
        "reflector_received": arrived,
        "reflected": reflected,
        "received": received,
        "lost": {
            "before_reflector": sent - arrived,
            "in_reflector": arrived - reflected,
            "after_reflector": reflected - received,
        },
        "generator_rx_missed": last.generator.rx_missed - first.generator.rx_missed,
        "skew_s": sum(abs(edge.reflector.at_s - edge.generator.at_s) for edge in edges),
    }


def frame_bytes(first: Edge, last: Edge) -> float | None:
    """The mean size of the frames that the reflector received, in bytes without FCS; None without packets."""
    packets = last.reflector.rx_packets - first.reflector.rx_packets
    return (last.reflector.rx_bytes - first.reflector.rx_bytes) / packets if packets else None


def busy_ratio(stats: ForwardStats | None, seconds: float, cores: int) -> float | None:
    """The share of their cycles that forwarding cores spent in loops that moved packets; testpmd adds them up."""
    if stats is None or stats.busy_cycles is None or not stats.mhz:
        return None
    return min(1.0, stats.busy_cycles / (stats.mhz * 1e6 * seconds * cores))


def refused_ratio(ledger: Mapping[str, Any]) -> float | None:
    """The share of what the generator offered that its ring would not take."""
    return ledger["refused"] / ledger["offered"] if ledger["offered"] else None
