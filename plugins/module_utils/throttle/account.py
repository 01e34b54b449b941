# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A phase's account: what its samples, its sockets and its programs say, as metrics and as a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import Series
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import iperf3, rates, sockets, vnc
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import Offset
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import ENDS, ROLES, Setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.timeline import PhaseRun
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.verdict import Evidence, judge

# A stream is back when it has this share of what it had before.
BACK = 0.9
# The sample at a phase's beginning is taken right before the limit changes.
_EDGE_S = 0.03
# iperf3 says less often what it did than samples are taken; an interval may lap over an edge by this much.
_LAP_S = 0.1

# Instants are seconds since the series began.
Lines = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Heard:
    """What the ends printed during a timeline, by end ("server", "client"), and how their clocks stand."""

    output: Mapping[str, Lines] = field(default_factory=dict)
    sockets: Mapping[str, Lines] = field(default_factory=dict)
    clocks: Mapping[str, Offset] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """One phase. ``cpu`` is the busiest thread of each role, as a share of a CPU."""

    metrics: Mapping[str, float | None]
    cpu: Mapping[str, float | None]
    verdict: Mapping[str, Any]


class Accountant:
    """Keeps the accounts of one timeline's phases."""

    def __init__(self, setup: Setup, series: Series, heard: Heard) -> None:
        self._setup = setup
        self._series = series
        self._heard = heard
        self._looks = {end: sockets.looks(heard.sockets.get(end, ())) for end in ENDS}
        self._iperf3: dict[str, iperf3.Report] = {}
        self._markers: dict[str, list[vnc.Marker]] = {}
        for end in ENDS:
            lines = heard.output.get(end, ())
            if setup.workload == "iperf3":
                self._iperf3[end] = iperf3.parse_stream(lines)
            elif setup.workload == "vnc":
                self._markers[end] = vnc.parse(lines)
        # Of the first phase without a limit: what the others are compared with.
        self._reference_mbps: float | None = None

    def account(self, run: PhaseRun) -> Account:
        """The phases have to come in their order: the first without a limit is what later ones are compared with."""
        whole = self._series.part(run.set_from_s - _EDGE_S, run.end_s)
        settle_s = self._setup.timing.settle_s
        settled_s = run.set_to_s + settle_s if run.end_s - run.set_to_s > 2 * settle_s else run.set_from_s - _EDGE_S
        part = self._series.part(settled_s, run.end_s)
        received = _stream(part, self._setup.taps[self._setup.receiver], "tx_bytes")
        received_mbps = rates.mbps(part.times_s, received)
        reference = self._reference_mbps
        is_free = run.phase.cpu_max.quota_us is None
        if reference is None and is_free:
            self._reference_mbps = received_mbps
        all_received = _stream(whole, self._setup.taps[self._setup.receiver], "tx_bytes")
        sender = self._sender(settled_s, run.end_s)
        evidence = self._evidence(part, sender)
        metrics: dict[str, float | None] = {
            "received_mbps": received_mbps,
            "sent_mbps": rates.mbps(part.times_s, _stream(part, self._sender_taps(), "rx_bytes")),
            "peak_mibps": rates.peak_mibps(whole.times_s, all_received),
            "payload_mbps": self._payload_mbps(part),
            "baseline_ratio": rates.ratio(received_mbps, reference),
            "back_s": _back_s(whole, all_received, reference) if is_free else None,
            "throttled_ratio": max(evidence.throttled.values(), default=None),
            "throttled_time_ratio": max(evidence.throttled_time.values(), default=None),
            "tap_dropped": _total(whole, "net", self._taps(), "tx_dropped"),
            "tap_errors": _total(whole, "net", self._taps(), "tx_errors"),
            "qdisc_dropped": _total(whole, "qdisc", self._setup.interfaces, "dropped"),
            "qdisc_backlog_bytes": max(evidence.backlog_bytes.values(), default=None),
            "retransmits": None if sender is None else sender.retransmits,
            "send_buffer_full_ratio": evidence.sender_full,
            **self._of_iperf3(settled_s, run),
            **self._of_vnc(run, whole, all_received),
        }
        cpu = {role: max(evidence.ran.get(role, {}).values(), default=None) for role in ROLES}
        return Account(metrics, cpu, judge(evidence))

    # -- samples -------------------------------------------------------------------------------------------------

    def _taps(self) -> list[str]:
        return [name for end in ENDS for name in self._setup.taps[end]]

    def _sender_taps(self) -> Sequence[str]:
        return self._setup.taps[self._setup.sender]

    def _payload_mbps(self, part: Series) -> float | None:
        """The stream without the headers of its frames, to compare with what the receiving program counted."""
        taps = self._setup.taps[self._setup.receiver]
        moved = rates.growth(part.times_s, _stream(part, taps, "tx_bytes"))
        packets = rates.growth(part.times_s, _stream(part, taps, "tx_packets"))
        seconds = part.times_s[-1] - part.times_s[0] if len(part.times_s) > 1 else 0.0
        if moved is None or packets is None or not seconds:
            return None
        return rates.payload_bytes(moved, packets) * 8 / 1e6 / seconds

    def _evidence(self, part: Series, sender: sockets.Stretch | None) -> Evidence:
        times_s = part.times_s
        throttled, throttled_time = {}, {}
        for label in part.names("cgroup"):
            periods = rates.growth(times_s, part.column("cgroup", label, "nr_periods"))
            share = rates.ratio(rates.growth(times_s, part.column("cgroup", label, "nr_throttled")), periods)
            # A cgroup that never runs out of its quota has periods only while it runs; without any it is not throttled.
            if share is not None or periods == 0:
                throttled[label] = share or 0.0
            held_us = rates.per_second(times_s, part.column("cgroup", label, "throttled_usec"))
            # The kernel adds it up when a cgroup is let go: nothing added may mean that it never was.
            if held_us or (held_us is not None and not share):
                throttled_time[label] = held_us / 1e6
        shares: dict[str, dict[str, dict[str, float]]] = {"run_ns": {}, "wait_ns": {}}
        for label in part.names("thread"):
            role = self._setup.roles.get(label, "")
            for counter, by_role in shares.items():
                rate = rates.per_second(times_s, part.column("thread", label, counter))
                if rate is not None:
                    by_role.setdefault(role, {})[label] = rate / 1e9
        dropped = {}
        for tap in self._taps():
            lost = rates.growth(times_s, part.column("net", tap, "tx_dropped"))
            sent = rates.growth(times_s, part.column("net", tap, "tx_packets"))
            if lost is not None and sent is not None:
                dropped[tap] = (lost, sent)
        backlog = {name: _mean(part.column("qdisc", name, "backlog_bytes")) for name in part.names("qdisc")}
        return Evidence(
            throttled=throttled,
            throttled_time=throttled_time,
            ran=shares["run_ns"],
            waited=shares["wait_ns"],
            dropped=dropped,
            backlog_bytes={name: waiting for name, waiting in backlog.items() if waiting is not None},
            sender_full=sender.full_share if sender else None,
            sender_buffer_limited=sender.sndbuf_limited_share if sender else None,
            sender_peer_limited=sender.rwnd_limited_share if sender else None,
        )

    # -- what the ends say ---------------------------------------------------------------------------------------

    def _sender(self, from_s: float, to_s: float) -> sockets.Stretch | None:
        return sockets.stretch(self._looks[self._setup.sender], from_s, to_s)

    def _of_iperf3(self, settled_s: float, run: PhaseRun) -> dict[str, float | None]:
        if self._setup.workload != "iperf3":
            return {}
        # What the sender counts is what it wrote into its own socket's buffer.
        intervals = self._iperf3[self._setup.receiver].intervals
        return {"goodput_mbps": iperf3.rate_mbps(intervals, settled_s - _LAP_S, run.end_s + _LAP_S)}

    def _of_vnc(self, run: PhaseRun, whole: Series, byte_counts: Sequence[int | None]) -> dict[str, float | None]:
        if self._setup.workload != "vnc":
            return {}
        bursts = rates.bursts(whole.times_s, byte_counts)
        sizes = [burst.bytes for burst in bursts]
        packets = _stream(whole, self._setup.taps[self._setup.receiver], "tx_packets")
        payloads = [
            rates.payload_bytes(burst.bytes, carried)
            for burst in bursts
            if (carried := rates.between(whole.times_s, packets, burst.from_s, burst.to_s)) is not None
        ]
        metrics: dict[str, float | None] = {
            "bursts": len(sizes),
            "burst_bytes": median(sizes) if sizes else None,
            "burst_bytes_low": min(sizes, default=None),
            "burst_bytes_high": max(sizes, default=None),
            "burst_payload_bytes": median(payloads) if payloads else None,
        }
        server, client = self._markers["server"], self._markers["client"]
        if not server:
            return metrics
        clocks = (self._clock("server"), self._clock("client"))
        frames = vnc.frames(server, client, run.set_to_s, run.end_s, clocks)
        metrics["changes_made"] = frames.made
        if client:
            metrics["changes_shown"] = frames.shown
            metrics["changes_skipped"] = frames.skipped
            metrics["changes_pending"] = frames.pending
            metrics["change_delay_s"] = frames.delay_s
            metrics["longest_change_delay_s"] = frames.longest_delay_s
        return metrics

    def _clock(self, end: str) -> Offset:
        """An end that runs here has our clock."""
        is_here = not {"server": self._setup.server, "client": self._setup.client}[end].through
        return self._heard.clocks.get(end, Offset(0.0, 0.0) if is_here else Offset(None, None))

    def errors(self) -> list[str]:
        """What iperf3 itself reports as an error, by end."""
        return [f"{end}: iperf3: {report.error}" for end, report in self._iperf3.items() if report.error]


def _stream(part: Series, names: Sequence[str], counter: str) -> list[int | None]:
    """The sum of a counter over interfaces; None where one is not known."""
    columns = [part.column("net", name, counter) for name in names]
    return [_sum(readings) for readings in zip(*columns)]


def _sum(readings: Sequence[int | None]) -> int | None:
    total = 0
    for reading in readings:
        if reading is None:
            return None
        total += reading
    return total


def _total(part: Series, kind: str, names: Sequence[str], counter: str) -> float | None:
    grown = [rates.growth(part.times_s, part.column(kind, name, counter)) for name in names]
    known = [number for number in grown if number is not None]
    return sum(known) if known else None


def _mean(readings: Sequence[int | None]) -> float | None:
    known = [reading for reading in readings if reading is not None]
    return sum(known) / len(known) if known else None


def _back_s(whole: Series, byte_counts: Sequence[int | None], reference: float | None) -> float | None:
    """When the stream was back at what it was before all limits; None also where nothing came before."""
    return rates.reached_s(whole.times_s, byte_counts, BACK * reference) if reference else None
