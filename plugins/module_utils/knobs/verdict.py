# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limited a trial, with the evidence; or that it cannot be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.metrics import Figures
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import PEER, ROLES, Setup, Workload

# A thread that ran so much of the time had no time left. An emulated host's ticks take a little of everybody's.
_BUSY = 0.93
# Dropped, of all packets that were received.
_DROPPED = 0.001
# What was sent of what was to be sent.
_OFFERED = 0.97


def judge(setup: Setup, workload: Workload, figures: Figures) -> dict[str, Any]:
    """``limit`` is one of worker-cpu, vcpu-cpu, emulator-cpu, receiver, tap-queue-drop, offered-rate, latency,
    undetermined; ``evidence`` says why, ``signs`` are all that were seen, in this order.
    """
    signs = list(_signs(setup, workload, figures))
    if not signs:
        return {"limit": "undetermined", "evidence": _quiet(setup, figures), "signs": []}
    return {
        "limit": signs[0][0],
        "evidence": "; ".join(words for _sign, words in signs),
        "signs": list(dict.fromkeys(sign for sign, _words in signs)),
    }


def _signs(setup: Setup, workload: Workload, figures: Figures) -> Iterator[tuple[str, str]]:
    """From causes to consequences. Whoever sends at a pace, or waits for answers, is limited by nobody's CPU."""
    metrics = figures.metrics
    rate, sent = workload.rate_pps, metrics.get("sent_pps")
    keeps_pace = rate and sent is not None and sent >= _OFFERED * rate
    if not keeps_pace:
        yield from _busy(setup, workload, figures)
    dropped, received, seconds = metrics.get("tap_drops"), metrics.get("received_pps"), _seconds(figures)
    if dropped and received is not None and dropped >= _DROPPED * (dropped + received * seconds):
        yield "tap-queue-drop", f"the taps' queues dropped {dropped:.0f} packets in {seconds:.1f} s"
    if keeps_pace:
        yield "offered-rate", f"{sent:.0f} packets/s were sent where {rate} were asked for"
    if workload.kind == "netperf" and (p50 := metrics.get("latency_p50_us")) is not None:
        yield "latency", f"one request at a time, half of them answered within {p50:.0f} µs"


def _busy(setup: Setup, workload: Workload, figures: Figures) -> Iterator[tuple[str, str]]:
    peer = setup.peer.vm if setup.peer is not None else ""
    for role in ROLES:
        for label, share in _by_share(figures.cores):
            if setup.roles[label] != role or share < _BUSY:
                continue
            takes = role == "vcpu" and workload.target == PEER and setup.vm_of.get(label) == peer
            yield "receiver" if takes else f"{role}-cpu", f"{label} ran for {share:.0%} of the time"


def _by_share(cores: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(cores.items(), key=lambda item: -item[1])


def _quiet(setup: Setup, figures: Figures) -> str:
    """What was looked at, where nothing stood out."""
    looked = []
    for role in ROLES:
        shares = [share for label, share in figures.cores.items() if setup.roles[label] == role]
        if shares:
            looked.append(f"the busiest {role} ran for {max(shares):.0%} of the time")
    if figures.metrics.get("tap_drops") == 0:
        looked.append("no tap dropped anything")
    return "; ".join(looked) or "nothing was seen that could tell"


def _seconds(figures: Figures) -> float:
    return float((figures.counters.get("seconds") or {}).get("host") or 0.0)
