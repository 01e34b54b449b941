# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of what testpmd prints: pure functions over text."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Bits of the virtio feature word, by the names of the specification (virtio 1.2, sections 2.2.3, 5.1.3 and 6).
FEATURES = {
    0: "csum",
    1: "guest_csum",
    5: "mac",
    7: "guest_tso4",
    8: "guest_tso6",
    11: "host_tso4",
    12: "host_tso6",
    15: "mrg_rxbuf",
    16: "status",
    17: "ctrl_vq",
    22: "mq",
    28: "indirect_desc",
    29: "event_idx",
    32: "version_1",
    33: "access_platform",
    34: "ring_packed",
    35: "in_order",
    36: "order_platform",
    38: "notification_data",
}
_FEATURES_VHOST = re.compile(r"negotiated Virtio features: 0x([0-9a-f]+)")
_FEATURES_VIRTIO = re.compile(r"features after negotiate = ([0-9a-f]+)")
_RING = re.compile(r"setting up queue: (\d+) on NUMA node -?\d+\n.*?vq_size: (\d+)")
_PATHS = re.compile(r"virtio: using (.+?) (Tx|Rx) path on port \d+")
# DPDK 22.11 calls them total cycles, 24.11 busy cycles; they are the same.
_CYCLES = re.compile(r"(?:total|busy) cycles=(\d+) / total \S+ packets=(\d+)\) at (\d+) MHz")
# Lines below a line: bits of a status, parts of a memory region.
_DETAIL = re.compile(r"(VHOST_CONFIG: (\(.*?\) )?)?\t")
_COUNT = re.compile(r"([RT]X)-(packets|dropped|total): (\d+)")


@dataclass(frozen=True)
class ForwardStats:
    """What ``show fwd stats all`` says since the last ``clear fwd stats all``.

    ``busy_cycles`` are the TSC cycles of loops that moved packets (for generators: of all loops), at ``mhz``; None
    when the process does not record them or moved nothing. ``tx_dropped`` packets were offered to a ring that would
    not take them.
    """

    rx_packets: int
    tx_packets: int
    tx_dropped: int
    busy_cycles: int | None
    mhz: int | None


def feature_names(word: int) -> list[str]:
    """The features set in a virtio feature word; bits without a name here as bit_<n>."""
    return [FEATURES.get(bit, f"bit_{bit}") for bit in range(word.bit_length()) if word >> bit & 1]


def negotiated_features(log: str) -> int | None:
    """The feature word that the two ends agreed on last, from either end's log."""
    found = _FEATURES_VHOST.findall(log) or _FEATURES_VIRTIO.findall(log)
    return int(found[-1], 16) if found else None


def ring_sizes(log: str, queues: int) -> list[int]:
    """The sizes of the data rings that a virtio driver set up for so many queue pairs, without repetition.

    The control queue comes after the data queues and has a size of its own.
    """
    latest = {int(queue): int(size) for queue, size in _RING.findall(log)}
    return sorted({size for queue, size in latest.items() if queue < 2 * queues})


def datapaths(log: str) -> dict[str, str]:
    """The functions chosen for receiving and sending, such as {'Rx': 'packed ring vectorized'}."""
    return {direction: name for name, direction in _PATHS.findall(log)}


def forward_stats(text: str) -> ForwardStats | None:
    """The sums over all ports; None when the text holds none (forwarding has not been started)."""
    _before, mark, sums = text.rpartition("Accumulated forward statistics for all ports")
    if not mark:
        return None
    counts = {f"{end}-{what}": int(number) for end, what, number in _COUNT.findall(sums)}
    cycles = _CYCLES.search(sums)
    try:
        return ForwardStats(
            rx_packets=counts["RX-packets"],
            tx_packets=counts["TX-packets"],
            tx_dropped=counts["TX-dropped"],
            busy_cycles=int(cycles.group(1)) if cycles else None,
            mhz=int(cycles.group(3)) if cycles else None,
        )
    except KeyError:
        return None


def log_end(log: str, lines: int = 12) -> str:
    """The end of a log for an error message, without vhost's chatter and empty lines."""
    kept = [
        line.strip()
        for line in log.splitlines()
        if line.strip() and "read message" not in line and not _DETAIL.match(line)
    ]
    return "\n".join(kept[-lines:])
