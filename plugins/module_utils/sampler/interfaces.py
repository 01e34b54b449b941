# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes, packets, errors and drops of network interfaces.

From /proc/net/dev, which tells about all of them in one read; a file each of /sys/class/net would be eight reads an
interface. Seen from the host: what a guest sends arrives as ``rx`` on its tap, what it is sent leaves as ``tx``;
``tx_dropped`` counts what the tap's queue had no room for because nobody took it out.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.files import close_all, read_again
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Column, Reading

# Counter -> its place behind the colon (net/core/net-procfs.c). rx_dropped there includes rx_missed_errors.
_PLACES = {
    "rx_bytes": 0,
    "rx_packets": 1,
    "rx_errors": 2,
    "rx_dropped": 3,
    "tx_bytes": 8,
    "tx_packets": 9,
    "tx_errors": 10,
    "tx_dropped": 11,
}
COUNTERS = tuple(_PLACES)
_NOTHING: tuple[Reading, ...] = (None,) * len(_PLACES)


class Interfaces:
    """Columns ("net", <interface>, <counter>)."""

    def __init__(self, host: Host, names: Sequence[str]) -> None:
        self.columns: list[Column] = [("net", name, counter) for name in names for counter in COUNTERS]
        self._names = [name.encode() for name in names]
        self._open = [os.open(f"{host.proc}/net/dev", os.O_RDONLY | os.O_CLOEXEC)]
        found = parse(read_again(self._open[0]))
        missing = [name for name in names if name.encode() not in found]
        if missing:
            self.close()
            raise VirtperfError(
                f"there is no network interface {', '.join(missing)}",
                found=", ".join(sorted(name.decode(errors="replace") for name in found)) or "none at all",
                way_out="name interfaces of this machine, in the network namespace of the one who asks",
            )

    def read(self) -> list[Reading]:
        """Counters since the interface was made."""
        found = parse(read_again(self._open[0]))
        return [number for name in self._names for number in found.get(name, _NOTHING)]

    def close(self) -> None:
        """Let go of the file."""
        close_all(self._open)


def parse(text: bytes) -> dict[bytes, tuple[Reading, ...]]:
    """The counters of each interface in /proc/net/dev, in the order of ``COUNTERS``."""
    found: dict[bytes, tuple[Reading, ...]] = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(b":")
        fields = rest.split()
        # The two lines of headings have no colon; a line that is cut off says nothing.
        if colon and len(fields) >= 12:
            found[name.strip()] = tuple(int(fields[place]) for place in _PLACES.values())
    return found
