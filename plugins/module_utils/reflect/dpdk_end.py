# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What testpmd and pktgen have in common as ends of the study ``reflect``: telemetry, threads and log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import parse as parse_cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import output
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.process import DpdkProcess
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters, Telemetry
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError


class DpdkEnd:
    """The part of ``End`` that any DPDK process fulfils. Its telemetry socket stays open from the first look on."""

    def __init__(self, process: DpdkProcess, ports: int, queues: int) -> None:
        self.name = process.name
        self._process = process
        self._ports = range(ports)
        self._queues = queues
        self._telemetry: Telemetry | None = None

    def counters(self) -> Counters:
        """The sums over its ports, read one after the other."""
        return add_up([self._asked().counters(port) for port in self._ports])

    def cpu_seconds(self) -> dict[int, float]:
        """Of its forwarding threads."""
        return {thread.tid: thread.cpu_seconds for thread in self._process.workers()}

    def setup(self) -> dict[str, Any]:
        """By its telemetry, its threads and its log. What only its kind can tell is added there."""
        telemetry = self._asked()
        queues = [telemetry.queues(port) for port in self._ports]
        links = [telemetry.link(port) for port in self._ports]
        log, identity = self.log(), self._process.identity()
        return {
            # A port with fewer than the others shows.
            "rx_queues": min(rx for rx, _tx in queues),
            "tx_queues": min(tx for _rx, tx in queues),
            "link_up": all(up for up, _speed in links),
            "link_speed_mbps": sum_known(speed for _up, speed in links),
            "cpus": sorted(cpu for thread in self._process.workers() for cpu in parse_cpulist(thread.cpus)),
            "pid": identity.pid if identity else None,
            "version": telemetry.greeting["version"],
            "ring_sizes": output.ring_sizes(log, self._queues),
            "datapaths": output.datapaths(log),
            "features_word": output.negotiated_features(log),
        }

    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process.is_running()

    def died(self) -> VirtperfError:
        """Its death, with the end of its log."""
        return self._process.died()

    def log(self) -> str:
        """All that it has printed."""
        return self._process.log()

    def stop(self) -> str:
        """Quit, terminate, kill."""
        if self._telemetry is not None:
            self._telemetry.close()
            self._telemetry = None
        return self._process.stop()

    def _asked(self) -> Telemetry:
        if self._telemetry is None:
            self._telemetry = self._process.telemetry()
        return self._telemetry


def add_up(ports: list[Counters]) -> Counters:
    """The counters of several ports as those of one, at the time of the last reading."""
    return Counters(
        at_s=ports[-1].at_s,
        waited_s=sum(port.waited_s for port in ports),
        rx_packets=sum(port.rx_packets for port in ports),
        tx_packets=sum(port.tx_packets for port in ports),
        rx_bytes=sum(port.rx_bytes for port in ports),
        tx_bytes=sum(port.tx_bytes for port in ports),
        rx_missed=sum(port.rx_missed for port in ports),
        tx_errors=sum(port.tx_errors for port in ports),
    )


def sum_known(speeds: Iterable[int | None]) -> int | None:
    """The sum of link speeds in Mbit/s; None when one of them is not known."""
    total = 0
    for speed in speeds:
        if speed is None:
            return None
        total += speed
    return total
