# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of a trial of the study knobs: how they are read, what they are called, why one of them is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.workloads import NETPERF, PKTGEN, WORKLOADS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record

MBPS, PPS, TRANSACTIONS = "received_mbps", "received_pps", "transactions_per_s"
KICKS, INTERRUPTS, EXITS, CPU = "tx_kicks_per_packet", "interrupts_per_packet", "exits_per_packet", "cpu"
NOT_KNOWN = "the records do not say why"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. ``title`` heads its column; ``meaning`` says more.

    ``is_count``: of what may never happen in a window, see effects.py. ``counters`` are what it is made from, as
    records name counters that they lack. ``reader`` is for those that records do not have as they are.
    """

    name: str
    title: str
    meaning: str
    counters: tuple[str, ...] = ()
    is_count: bool = False
    reader: Callable[[Record], float | None] | None = None

    def read(self, record: Record) -> float | None:
        """What it was in a trial; None where that is not known."""
        return self.reader(record) if self.reader else record.metric(self.name)


def _cores(record: Record) -> float | None:
    """Cores that vCPUs, workers and emulator used together; a part that is not there (None) used none."""
    known = [cores for cores in record.cpu.values() if cores is not None]
    return sum(known) if known else None


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(MBPS, "Mbit/s", "at the receiver's interface, headers included"),
        Metric(PPS, "pps", "packets that arrived"),
        Metric(TRANSACTIONS, "transactions/s", "requests that were answered"),
        Metric("latency_p50_us", "p50", "median latency, microseconds"),
        Metric("latency_p99_us", "p99", "99th percentile of the latency, microseconds"),
        Metric(KICKS, "kicks", "guest's kicks for packets to transmit, per packet", ("ethtool",)),
        Metric("rx_kicks_per_packet", "rx kicks", "guest's kicks for new buffers, per packet", ("ethtool",)),
        Metric(INTERRUPTS, "interrupts", "interrupts of the guest's queues, per packet", ("interrupts",)),
        Metric("rx_interrupts_per_packet", "rx interrupts", "of its receive queues, per packet", ("interrupts",)),
        Metric("tx_interrupts_per_packet", "tx interrupts", "of its transmit queues, per packet", ("interrupts",)),
        Metric(EXITS, "exits", "exits of the guest, per packet", ("exits",)),
        Metric(CPU, "CPU", "cores that vCPUs, workers and emulator used", ("cpu",), reader=_cores),
        Metric("mbps_per_cpu", "Mbit/s per CPU", "of those cores", ("cpu",)),
        Metric("queue_stops", "stops", "transmit queue stopped because it was full", is_count=True),
        Metric("tap_drops", "tap drops", "packets that the tap dropped", is_count=True),
        Metric("qdisc_drops", "qdisc drops", "packets that queueing disciplines dropped", is_count=True),
        Metric("retransmits", "resent", "TCP segments that were sent again", is_count=True),
    )
}
# Beside the effect on the primary metric, in the table and on the page.
BESIDE = (KICKS, INTERRUPTS, EXITS, CPU)
# On the page only.
FURTHER = tuple(name for name in METRICS if name not in (MBPS, PPS, TRANSACTIONS, *BESIDE))


def primary(workload: str) -> str:
    """The metric that a workload is about."""
    known = WORKLOADS.get(workload)
    if known is None:
        return MBPS
    return {NETPERF: TRANSACTIONS, PKTGEN: PPS}.get(known.kind, MBPS)


def absent(record: Record, metric: Metric) -> str:
    """Why a trial lacks a metric, "" where it does not."""
    if metric.read(record) is not None:
        return ""
    reasons = record.absent
    return next((reasons[name] for name in (metric.name, *metric.counters) if reasons.get(name)), NOT_KNOWN)
