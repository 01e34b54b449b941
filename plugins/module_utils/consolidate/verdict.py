# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limited a trial, with the evidence; or that it cannot be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# A thread or a CPU that was busy for so much of the time had no time left.
_BUSY = 0.95
# A thread that could have run and had to wait for so much of the time lacked a CPU.
_WAITED = 0.2


@dataclass(frozen=True)
class Evidence:
    """``io_busy``, ``vm_busy``: how many of the cores were busy, of how many. ``ran`` and ``waited`` are shares of the
    time by thread, by role ("worker", "vcpu", "emulator"). ``dedicated``: the workers had the I/O cores for themselves.
    ``one_at_a_time``: the next request waits for the answer to the last one.
    """

    dedicated: bool = False
    one_at_a_time: bool = False
    io_busy: tuple[float, int] | None = None
    vm_busy: tuple[float, int] | None = None
    ran: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    waited: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def judge(evidence: Evidence) -> dict[str, Any]:
    """``limit`` is one of io-cpu, worker-cpu, vcpu-cpu, cpu-contention, latency, undetermined; ``signs`` are all that
    were seen, causes first.
    """
    signs = list(_signs(evidence))
    if not signs:
        return {"limit": "undetermined", "evidence": _quiet(evidence), "signs": []}
    return {
        "limit": signs[0][0],
        "evidence": "; ".join(words for _sign, words in signs),
        "signs": list(dict.fromkeys(sign for sign, _words in signs)),
    }


def _signs(evidence: Evidence) -> Iterator[tuple[str, str]]:
    busy = False
    if evidence.dedicated and evidence.io_busy and evidence.io_busy[0] >= _BUSY * evidence.io_busy[1]:
        busy = True
        yield "io-cpu", f"{_cores(evidence.io_busy)} I/O cores were busy"
    for role, limit in (("worker", "worker-cpu"), ("vcpu", "vcpu-cpu")):
        full = {name: share for name, share in evidence.ran.get(role, {}).items() if share >= _BUSY}
        if full:
            busy = True
            yield limit, ", ".join(f"{name} ran for {share:.0%} of the time" for name, share in full.items())
    for role in ("worker", "vcpu", "emulator"):
        for name, waited in evidence.waited.get(role, {}).items():
            ran = evidence.ran.get(role, {}).get(name, 0.0)
            if waited >= _WAITED and ran + waited >= _BUSY:
                busy = True
                yield "cpu-contention", f"{name} ran for {ran:.0%} of the time and waited for a CPU for {waited:.0%}"
    everything = [evidence.io_busy, evidence.vm_busy]
    if not busy and all(one and one[0] >= _BUSY * one[1] for one in everything):
        busy = True
        yield "cpu-contention", "all VM cores and I/O cores were busy"
    if not busy and evidence.one_at_a_time:
        yield "latency", f"one request at a time; {_quiet(evidence)}"


def _quiet(evidence: Evidence) -> str:
    """What was looked at, where nothing stood out."""
    looked = [
        f"the busiest {role} ran for {max(threads.values()):.0%} of the time"
        for role, threads in evidence.ran.items()
        if threads
    ]
    for name, busy in (("I/O", evidence.io_busy), ("VM", evidence.vm_busy)):
        if busy:
            looked.append(f"{_cores(busy)} {name} cores were busy")
    return "; ".join(looked) or "nothing was read that could tell"


def _cores(busy: tuple[float, int]) -> str:
    return f"{busy[0]:.2f} of {busy[1]}"
