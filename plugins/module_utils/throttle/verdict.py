# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limited a phase, with the evidence; or that it cannot be told.

The path of a VM-to-VM stream is: sender's socket, its vCPU, its vhost worker, tap, bridge, tap and its queue, the
receiver's worker, its vCPU, its socket. Whoever is slow makes what is before it wait, so of all signs the one that
explains the others decides: no CPU time for a worker explains full queues, a full queue explains no CPU time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Throttled in so many of its periods, a cgroup was held back nearly all along; where it is fewer, its quota was enough
# but for a few moments.
_THROTTLED = 0.5
# A thread that ran so much of the time had no time left.
_BUSY = 0.95
# A thread that could have run and had to wait for so much of the time lacked a CPU.
_WAITED = 0.2
# TCP's own account of what it waited for.
_WAITED_FOR_PEER = 0.5
_BUFFER_FULL = 0.5
# Dropped, of all packets that were to go out of a tap.
_DROPPED = 0.001
# Bytes waiting in front of an interface: less is a packet or two on their way.
_BACKLOG = 128 * 1024


@dataclass(frozen=True)
class Evidence:
    """What a phase showed. Shares are from 0 to 1 of the phase's time; None or empty where nobody could tell.

    ``throttled`` maps cgroups to the share of periods in which they were throttled, ``throttled_time`` to the throttled
    time by wall time (of several CPUs together: it may exceed 1). ``ran`` and ``waited`` map threads to shares, by role
    ("worker", "vcpu", "emulator"). ``dropped`` maps taps to (packets dropped, packets sent).
    """

    throttled: Mapping[str, float] = field(default_factory=dict)
    throttled_time: Mapping[str, float] = field(default_factory=dict)
    ran: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    waited: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    dropped: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    backlog_bytes: Mapping[str, float] = field(default_factory=dict)
    sender_full: float | None = None
    sender_buffer_limited: float | None = None
    sender_peer_limited: float | None = None


def judge(evidence: Evidence) -> dict[str, Any]:
    """``limit`` is one of worker-throttled, worker-cpu, vcpu-cpu, cpu-contention, receiver, tap-queue-drop,
    qdisc-backlog, sender-buffer, undetermined; ``evidence`` says why, ``signs`` are all that were seen, in this order.
    """
    signs = list(_signs(evidence))
    if not signs:
        return {"limit": "undetermined", "evidence": _quiet(evidence), "signs": []}
    limit, why = signs[0]
    others = "; ".join(words for _sign, words in signs[1:])
    return {
        "limit": limit,
        "evidence": f"{why}; {others}" if others else why,
        "signs": list(dict.fromkeys(sign for sign, _words in signs)),
    }


def _signs(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """From causes to consequences."""
    for cgroup, share in evidence.throttled.items():
        if share >= _THROTTLED:
            told = evidence.throttled_time.get(cgroup)
            wall = "" if told is None else f", for {told:.0%} of wall time, all CPUs together"
            yield "worker-throttled", f"the workers in {cgroup} were throttled in {share:.0%} of the periods{wall}"
    for role, limit in (("worker", "worker-cpu"), ("vcpu", "vcpu-cpu")):
        for thread, share in evidence.ran.get(role, {}).items():
            if share >= _BUSY:
                yield limit, f"{thread} ran for {share:.0%} of the time"
    for role in ("worker", "vcpu"):
        # A throttled worker can run and may not: that is no lack of CPUs.
        if role == "worker" and any(share >= _THROTTLED for share in evidence.throttled.values()):
            continue
        for thread, waited in evidence.waited.get(role, {}).items():
            ran = evidence.ran.get(role, {}).get(thread, 0.0)
            if waited >= _WAITED and ran + waited >= _BUSY:
                yield "cpu-contention", f"{thread} ran for {ran:.0%} of the time and waited for a CPU for {waited:.0%}"
    if (evidence.sender_peer_limited or 0.0) >= _WAITED_FOR_PEER:
        yield (
            "receiver",
            f"the sender waited for the receiver's window for {evidence.sender_peer_limited:.0%} of the time",
        )
    for tap, (dropped, sent) in evidence.dropped.items():
        if dropped and dropped >= _DROPPED * (dropped + sent):
            yield "tap-queue-drop", f"{tap}'s queue dropped {dropped} of {dropped + sent} packets"
    for name, waiting in evidence.backlog_bytes.items():
        if waiting >= _BACKLOG:
            yield "qdisc-backlog", f"{waiting / 1024:.0f} KiB waited in front of {name}"
    if (evidence.sender_full or 0.0) >= _BUFFER_FULL or (evidence.sender_buffer_limited or 0.0) >= _BUFFER_FULL:
        yield "sender-buffer", f"the sender's socket buffer was full in {_most(evidence):.0%} of the looks"


def _most(evidence: Evidence) -> float:
    return max(evidence.sender_full or 0.0, evidence.sender_buffer_limited or 0.0)


def _quiet(evidence: Evidence) -> str:
    """What was looked at, where nothing stood out."""
    looked = []
    if evidence.throttled:
        looked.append(f"throttled in at most {max(evidence.throttled.values()):.0%} of the periods")
    for role, threads in evidence.ran.items():
        if threads:
            looked.append(f"the busiest {role} ran for {max(threads.values()):.0%} of the time")
    if evidence.dropped:
        looked.append("no queue dropped more than a packet in a thousand")
    if evidence.sender_full is not None:
        looked.append(f"the sender's buffer was full in {evidence.sender_full:.0%} of the looks")
    return "; ".join(looked) or "nothing was sampled that could tell"
