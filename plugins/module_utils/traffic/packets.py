# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets of the kernel's own generator, over one queue of one NIC, to somebody."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.pktgen import Device, Pktgen, Stream
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import SYSTEM, System
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import find

# Each packet is made, and kicked for, by itself: what is counted is what a program's packets would do.
_COPIES = (0, 1)


class Packets:
    """``via`` is a MAC or a name of ours, ``mac`` the one that packets go to. ``packet_size`` includes the FCS."""

    def __init__(
        self,
        host: Host,
        *,
        via: str,
        mac: str,
        source: str,
        destination: str,
        packet_size: int,
        pps: int,
        system: System = SYSTEM,
    ) -> None:
        # Queue 0 interrupts the first CPU.
        cpu = max(cpulist.parse(host.read_or(f"{host.sys}/devices/system/cpu/online")) or [0])
        self._size = packet_size
        system.load("pktgen")
        self._pktgen = Pktgen(host, [Device(find(host, via), 0, cpu)], Stream(mac, source, destination, _COPIES, pps))

    def command(self) -> str:
        """What it was told, for people to read."""
        return self._pktgen.command()

    def start(self) -> None:
        """Returns when it sends; nothing is left when it cannot."""
        try:
            self._pktgen.prepare()
            self._pktgen.start(self._size)
        except BaseException:
            self._pktgen.remove()
            raise

    def stop(self) -> str:
        """Returns what pktgen says of what it sent."""
        try:
            self._pktgen.stop()
            return self._pktgen.log()
        finally:
            self._pktgen.remove()
