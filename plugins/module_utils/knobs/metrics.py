# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was seen at a window's two edges to the figures of a record. Nothing here looks at anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exit_reasons import name_of
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exits import Counts
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.load import Outcome
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import (
    DUT,
    HOST,
    PEER,
    ROLES,
    Arm,
    Setup,
    Workload,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import INTX, Look, NicLook

METRICS = (
    "received_mbps",
    "sent_pps",
    "received_pps",
    "transactions_per_s",
    "latency_p50_us",
    "latency_p99_us",
    "tx_kicks_per_packet",
    "packets_per_tx_kick",
    "rx_kicks_per_packet",
    "rx_interrupts_per_packet",
    "tx_interrupts_per_packet",
    "interrupts_per_packet",
    "exits_per_packet",
    "queue_stops",
    "tap_drops",
    "qdisc_drops",
    "retransmits",
    "mbps_per_cpu",
)
# What a bridge does not count of each frame that it hands to its own host.
_ETHERNET_BYTES = 14
_NO_PACKETS = "no packet went that way"


@dataclass(frozen=True)
class Grown:
    """What an interface's counters grew by in a window; None where that is not known."""

    before: NicLook
    after: NicLook
    seconds: float

    def counter(self, name: str) -> int | None:
        """One of sampler.interfaces."""
        return _added(self.before.counters, self.after.counters, name)

    def statistics(self) -> dict[str, int]:
        """Of the driver's, those that were there at both edges."""
        return _all_added(self.before.statistics, self.after.statistics)

    def interrupts(self) -> dict[str, int]:
        """By what they are for."""
        return _all_added(self.before.interrupts, self.after.interrupts)

    def kicks(self, way: str) -> int | None:
        """A guest's kicks for "tx" or "rx", of all queues."""
        added = self.statistics()
        # "tx0_kicks", or "tx_queue_0_kicks" before Linux 6.11, and newer drivers' sums beside them.
        queues = [added[name] for name in added if re.fullmatch(rf"{way}(_queue_)?\d+_kicks", name)]
        return sum(queues) if queues else added.get(f"{way}_kicks")

    def stops(self) -> int | None:
        """How often a full ring stopped a transmit queue."""
        return _difference(self.before.stops, self.after.stops)

    def qdisc_dropped(self) -> int | None:
        """What was dropped in front of it."""
        return _difference(self.before.qdisc_dropped, self.after.qdisc_dropped)


@dataclass(frozen=True)
class Taken:
    """What one window showed. ``looks`` are by dut, peer and host, ``ran_ns`` CPU time by thread at both edges."""

    looks: Mapping[str, tuple[Look, Look]]
    ran_ns: tuple[Mapping[str, int | None], Mapping[str, int | None]]
    ran_seconds: float
    counts: Counts
    outcome: Outcome
    peer_nic: str = ""

    def grown(self, role: str, interface: str) -> Grown | None:
        """Of an interface that was looked at at both edges."""
        if role not in self.looks:
            return None
        before, after = self.looks[role]
        if interface not in before.interfaces or interface not in after.interfaces or after.at_s <= before.at_s:
            return None
        return Grown(before.interfaces[interface], after.interfaces[interface], after.at_s - before.at_s)

    def seconds(self, role: str) -> float | None:
        """The window's length as seen there."""
        looks = self.looks.get(role)
        return looks[1].at_s - looks[0].at_s if looks else None

    def cores(self) -> dict[str, float]:
        """CPU that each thread used, as a share of one."""
        before, after = self.ran_ns
        return {
            label: (now - was) / 1e9 / self.ran_seconds
            for label, now in after.items()
            if now is not None and (was := before.get(label)) is not None and self.ran_seconds > 0
        }


@dataclass
class Figures:
    """For the record. ``cores`` is CPU by thread, for the verdict."""

    metrics: dict[str, float | None] = field(default_factory=dict)
    cpu: dict[str, float | None] = field(default_factory=dict)
    counters: dict[str, Any] = field(default_factory=dict)
    cores: dict[str, float] = field(default_factory=dict)


def figures(setup: Setup, workload: Workload, arm: Arm, taken: Taken) -> Figures:
    """All that a window gives. What cannot be known is None, and ``counters.absent`` says why."""
    cores = taken.cores()
    cpu = {role: _sum(cores[label] for label in cores if setup.roles[label] == role) for role in ROLES}
    nic = taken.grown(DUT, arm.mac)
    absent = _absent(setup, taken, nic)
    metrics: dict[str, float | None] = dict.fromkeys(METRICS)
    metrics.update(_moved(setup, workload, arm, taken))
    metrics.update(_program(workload, taken))
    if nic is not None:
        metrics.update(_per_packet(setup, taken, nic, absent))
    metrics.update(_lost(setup, arm, taken, nic))
    metrics["mbps_per_cpu"] = _ratio(metrics["received_mbps"], _sum(part for part in cpu.values() if part is not None))
    if not workload.test.startswith("UDP") and workload.kind != "pktgen" and workload.source in taken.looks:
        before, after = taken.looks[workload.source]
        metrics["retransmits"] = _added(before.tcp, after.tcp, "RetransSegs")
    counters = {
        "guest": {
            "interrupts": nic.interrupts() if nic else {},
            "ethtool": {name: added for name, added in nic.statistics().items() if added or "kicks" in name}
            if nic
            else {},
        },
        "host": host_counters(setup, taken.counts),
        "absent": absent,
        "seconds": {"guest": taken.seconds(DUT), "host": taken.counts.seconds},
    }
    return Figures(metrics, cpu, counters, cores)


def host_counters(setup: Setup, counts: Counts) -> dict[str, Any]:
    """Of the VM under test, and of each VM by itself. None is what was not counted."""
    by_vm = {name: _of_vm(setup, counts, name, pid) for name, pid in setup.vms.items()}
    workers = {tid for tid, label in setup.workers.items() if setup.vm_of[label] == setup.dut.vm}
    kicks = {way: _of_threads(counts, f"{way}_kicks", workers) for way in ("tx", "rx")}
    known = [number for number in kicks.values() if number is not None]
    return {
        **by_vm[setup.dut.vm],
        "kicks": sum(known) if len(known) == len(kicks) else None,
        "tx_kicks": kicks["tx"],
        "rx_kicks": kicks["rx"],
        "by_vm": by_vm,
    }


def _of_vm(setup: Setup, counts: Counts, name: str, pid: int) -> dict[str, Any]:
    exits: dict[str, int] = {}
    for (owner, isa, reason), number in counts.maps.get("exits", {}).items():
        if owner == pid:
            exits[name_of(isa, reason)] = exits.get(name_of(isa, reason), 0) + number
    doors = [figure for figure in ("mmio", "fast_mmio", "pio") if counts.has(figure)]
    workers = setup.workers
    msi = 0
    for (owner, tid), number in counts.maps.get("msi", {}).items():
        vm = setup.vm_of[workers[tid]] if tid in workers else ""
        msi += number if (vm == name if vm else owner == pid) else 0
    return {
        "exits": exits if counts.has("exits") else None,
        "mmio": sum(counts.maps.get(figure, {}).get((pid,), 0) for figure in doors) if doors else None,
        "msi": msi if counts.has("msi") else None,
        "injected": counts.maps.get("injected", {}).get((pid,), 0) if counts.has("injected") else None,
    }


def _of_threads(counts: Counts, figure: str, tids: Iterable[int]) -> int | None:
    return sum(counts.maps.get(figure, {}).get((tid,), 0) for tid in tids) if counts.has(figure) else None


def _absent(setup: Setup, taken: Taken, nic: Grown | None) -> dict[str, str]:
    """Why counters are missing, by their names in records."""
    counts = taken.counts
    absent = {name: counts.absent[name] for name in ("exits", "msi", "injected") if name in counts.absent}
    kicks = counts.absent.get("tx_kicks") or counts.absent.get("rx_kicks")
    if kicks:
        absent["kicks"] = kicks
    if not any(counts.has(figure) for figure in ("mmio", "fast_mmio", "pio")):
        absent["mmio"] = counts.absent["mmio"]
    if nic is None or nic.kicks("tx") is None:
        absent["ethtool"] = "the guest's driver tells no kicks (ethtool -S)"
    if nic is None or not nic.interrupts():
        absent["interrupts"] = "the guest tells no interrupts of this NIC"
    if nic is None or nic.stops() is None:
        absent["queue_stops"] = "the guest's kernel does not tell (Linux 6.9 and newer do)"
    if not setup.threads:
        absent["cpu"] = "no threads were named"
    return absent


def _moved(setup: Setup, workload: Workload, arm: Arm, taken: Taken) -> dict[str, float | None]:
    receiver, name, missing = _end(setup, workload.target, arm, taken)
    sender, sent_name, _missing = _end(setup, workload.source, arm, taken, sends=True)
    result: dict[str, float | None] = {}
    if receiver is not None:
        packets = receiver.counter(f"{name}_packets")
        size = receiver.counter(f"{name}_bytes")
        if packets is not None and size is not None:
            result["received_mbps"] = (size + missing * packets) * 8 / 1e6 / receiver.seconds
            result["received_pps"] = packets / receiver.seconds
    if sender is not None and (sent := sender.counter(f"{sent_name}_packets")) is not None:
        result["sent_pps"] = sent / sender.seconds
    return result


def _end(setup: Setup, role: str, arm: Arm, taken: Taken, *, sends: bool = False) -> tuple[Grown | None, str, int]:
    """The interface of an end, which of its counters count what the end takes (or sends), and bytes of each packet
    that it does not count.
    """
    if role == DUT:
        return taken.grown(DUT, arm.mac), "tx" if sends else "rx", 0
    if role == PEER:
        return taken.grown(PEER, taken.peer_nic), "tx" if sends else "rx", 0
    # A tap is the other end of the guest's NIC; a macvtap is not, and its packets come by the bridge.
    if is_macvtap(arm):
        return taken.grown(HOST, setup.bridge), "tx" if sends else "rx", _ETHERNET_BYTES
    return taken.grown(HOST, arm.tap), "tx" if sends else "rx", 0


def is_macvtap(arm: Arm) -> bool:
    """Whether the host's end of its NIC is one."""
    return arm.settings.get("macvtap") == "on"


def _program(workload: Workload, taken: Taken) -> dict[str, float | None]:
    """What netperf says: its rate inside the window where it tells of stretches, else that of all its time."""
    result = taken.outcome.netperf
    if result is None:
        return {}
    rate = result.rate
    if workload.source in taken.looks:
        before, after = taken.looks[workload.source]
        inside = result.rate_between(before.epoch_s, after.epoch_s)
        rate = rate if inside is None else inside
    return {
        "transactions_per_s": rate if result.unit.startswith("Trans") else None,
        "latency_p50_us": result.p50_us,
        "latency_p99_us": result.p99_us,
    }


def _per_packet(setup: Setup, taken: Taken, nic: Grown, absent: dict[str, str]) -> dict[str, float | None]:
    """A packet is what the guest's driver counts: with offloads one of up to 64 KiB."""
    sent, received = nic.counter("tx_packets"), nic.counter("rx_packets")
    both = None if sent is None or received is None else sent + received
    for name, packets in (("tx", sent), ("rx", received)):
        if packets == 0:
            absent[f"{name}_kicks_per_packet"] = absent[f"{name}_interrupts_per_packet"] = _NO_PACKETS
    interrupts = nic.interrupts()
    if INTX in interrupts or "virtqueues" in interrupts:
        for name in ("tx", "rx"):
            absent[f"{name}_interrupts_per_packet"] = "one interrupt for all queues: there are no vectors for each"
    queues = [number for name, number in interrupts.items() if name != "config"]
    exits = taken.counts.maps.get("exits") if taken.counts.has("exits") else None
    exits_per_packet = None
    if exits is not None and both:
        pid = setup.vms[setup.dut.vm]
        rate = sum(number for key, number in exits.items() if key[0] == pid) / taken.counts.seconds
        exits_per_packet = rate / (both / nic.seconds)
    return {
        "tx_kicks_per_packet": _ratio(nic.kicks("tx"), sent),
        "packets_per_tx_kick": _ratio(sent, nic.kicks("tx")),
        "rx_kicks_per_packet": _ratio(nic.kicks("rx"), received),
        "rx_interrupts_per_packet": _ratio(_way(interrupts, "input."), received),
        "tx_interrupts_per_packet": _ratio(_way(interrupts, "output."), sent),
        "interrupts_per_packet": _ratio(sum(queues) if queues else None, both),
        "exits_per_packet": exits_per_packet,
        "queue_stops": nic.stops(),
    }


def _way(interrupts: Mapping[str, int], prefix: str) -> int | None:
    numbers = [number for name, number in interrupts.items() if name.startswith(prefix)]
    return sum(numbers) if numbers else None


def _lost(setup: Setup, arm: Arm, taken: Taken, nic: Grown | None) -> dict[str, float | None]:
    """On the way to either guest, in front of taps, and in front of the guest's own NIC."""
    tap, peer_tap = taken.grown(HOST, arm.tap), taken.grown(HOST, setup.peer_tap)
    dropped = [
        # Seen from a macvtap, a guest receives what it is sent.
        tap.counter("rx_dropped" if is_macvtap(arm) else "tx_dropped") if tap else None,
        peer_tap.counter("tx_dropped") if peer_tap else None,
    ]
    queued = [grown.qdisc_dropped() if grown else None for grown in (tap, peer_tap, nic)]
    return {
        "tap_drops": _sum(number for number in dropped if number is not None),
        "qdisc_drops": _sum(number for number in queued if number is not None),
    }


def _all_added(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    added = {name: _added(before, after, name) for name in after}
    return {name: number for name, number in added.items() if number is not None}


def _added(before: Mapping[str, int], after: Mapping[str, int], name: str) -> int | None:
    return _difference(before.get(name), after.get(name))


def _difference(before: int | None, after: int | None) -> int | None:
    """None too where a counter went back: it is another one's."""
    return None if before is None or after is None or after < before else after - before


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _sum(numbers: Iterable[float]) -> float | None:
    known = list(numbers)
    return sum(known) if known else None
