# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workloads of the study ``knobs``: who sends what to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DUT, PEER, HOST = "dut", "peer", "host"
IPERF3, NETPERF, PKTGEN = "iperf3", "netperf", "pktgen"
# Bytes of a frame with its FCS, as everywhere else: 60 of them are in the ring.
_PACKET_SIZE = 64


@dataclass(frozen=True)
class Workload:
    """``source`` and ``target`` are the guest whose NIC is varied (dut), the other guest (peer), and the hypervisor
    (host). ``message_bytes`` is what one call of the sender's writes, ``test`` is netperf's.
    """

    name: str
    kind: str
    source: str
    target: str
    words: str
    message_bytes: int | None = None
    test: str | None = None

    def spec(self, udp_pps: int) -> dict[str, Any]:
        """As M(virtperf.vhost.knobs_run) takes it; ``udp_pps`` is the pace of packets that do not wait for anything."""
        spec: dict[str, Any] = {"name": self.name, "kind": self.kind, "from": self.source, "to": self.target}
        if self.message_bytes is not None:
            spec["message_bytes"] = self.message_bytes
        if self.test is not None:
            spec["test"] = self.test
        if self.kind == PKTGEN:
            spec.update(rate_pps=udp_pps, packet_size=_PACKET_SIZE)
        return spec


def _stream(name: str, source: str, target: str, words: str) -> list[Workload]:
    """A TCP stream, of large and of small messages."""
    return [
        Workload(f"{name}_64k", IPERF3, source, target, f"{words}, messages of 64 KiB", message_bytes=65536),
        Workload(f"{name}_64", IPERF3, source, target, f"{words}, messages of 64 bytes", message_bytes=64),
    ]


WORKLOADS: Mapping[str, Workload] = {
    workload.name: workload
    for workload in (
        *_stream("tcp_out", DUT, PEER, "TCP stream to another guest"),
        *_stream("tcp_to_host", DUT, HOST, "TCP stream to the hypervisor"),
        *_stream("tcp_from_host", HOST, DUT, "TCP stream from the hypervisor"),
        Workload("udp_out", PKTGEN, DUT, PEER, "UDP packets at a fixed pace to another guest"),
        Workload("udp_to_host", PKTGEN, DUT, HOST, "UDP packets at a fixed pace to the hypervisor"),
        Workload("tcp_rr", NETPERF, DUT, PEER, "TCP requests to another guest", test="TCP_RR"),
        Workload("udp_rr", NETPERF, DUT, PEER, "UDP requests to another guest", test="UDP_RR"),
        Workload("tcp_rr_host", NETPERF, DUT, HOST, "TCP requests to the hypervisor", test="TCP_RR"),
        Workload("udp_rr_host", NETPERF, DUT, HOST, "UDP requests to the hypervisor", test="UDP_RR"),
    )
}
