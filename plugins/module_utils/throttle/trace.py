# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bpftrace beside a timeline: started and attached before its first phase, cut at each, read when it has ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import probes, retransmits, trace_output
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import Child, Pump, leashed
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import Setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.timeline import Limiter, PhaseRun
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace_output import Part
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace_program import (
    DROPS,
    END_NAME,
    FIGURES,
    READY,
    WANTED,
    Program,
    write,
)

# Compiling and attaching is work of seconds in an emulated host, and so is symbolizing at the end.
_ATTACH_S = 120.0
_MARK_S = 10.0
_END_S = 60.0
_LOOK_S = 0.05
_RETRANSMITS = "retransmits"


@dataclass(frozen=True)
class Prepared:
    """What can be traced of a setup on this kernel. Labels by thread id, names by interface index and by reason."""

    program: Program
    workers: Mapping[int, str]
    interfaces: Mapping[int, str]
    reasons: Mapping[int, str]


def prepare(host: Host, setup: Setup) -> Prepared:
    """Find out; VirtperfError where nothing can be traced. Nothing is started."""
    workers = {thread.tid: thread.label for thread in setup.threads if setup.roles[thread.label] == "worker"}
    if not workers:
        raise VirtperfError(
            "there is no vhost worker to trace",
            found="threads without one of the role worker",
            way_out="name the vhost workers among the threads (a VM with vhost=off has none), or ask for no trace",
        )
    try:
        interfaces = {int(host.read(f"{host.sys}/class/net/{name}/ifindex")): name for name in setup.interfaces}
    except OSError as error:
        raise VirtperfError(
            "an interface that drops are counted of is not there",
            found=str(error),
            way_out="see whether its VM still runs",
        ) from error
    there = probes.look(host, WANTED)
    return Prepared(write(there, os.getpid(), list(workers), list(interfaces)), workers, interfaces, there.drop_reasons)


@dataclass(frozen=True)
class Trace:
    """What a timeline's trace gave. ``problem`` says why it gave nothing, or is empty."""

    prepared: Prepared
    absent: Mapping[str, str]
    parts: Sequence[Part]
    looks: Sequence[retransmits.Look]
    problem: str = ""

    def of(self, number: int, run: PhaseRun) -> dict[str, Any]:
        """For the record of the phase that was run as the ``number``-th, from 0."""
        absent = dict(self.absent)
        again = retransmits.growth(self.looks, run.set_to_s, run.end_s)
        if again is None:
            absent.setdefault(_RETRANSMITS, "not available: no two looks at the sender's counters")
        if self.problem:
            absent.update({figure.name: self.problem for figure in FIGURES})
        part = self.parts[number] if number < len(self.parts) else Part()
        given = [figure for figure in FIGURES if figure.name not in absent]
        return {
            "histograms": {
                figure.name: {
                    label: [list(bucket) for bucket in part.histograms.get(figure.name, {}).get(tid, ())]
                    for tid, label in self.prepared.workers.items()
                }
                for figure in given
                if figure.is_histogram
            },
            "counts": {
                figure.name: {
                    label: part.counts.get(figure.name, {}).get(tid, 0) for tid, label in self.prepared.workers.items()
                }
                for figure in given
                if not figure.is_histogram and figure.name != DROPS
            },
            DROPS: None if DROPS in absent else self._drops(part),
            _RETRANSMITS: again,
            "units": {figure.name: figure.unit for figure in given},
            "absent": absent,
        }

    def _drops(self, part: Part) -> list[dict[str, Any]]:
        return [
            {
                "interface": self.prepared.interfaces.get(interface, str(interface)),
                "reason": self.prepared.reasons.get(reason, str(reason)),
                "where": where,
                "packets": packets,
            }
            for (interface, reason, where), packets in sorted(part.drops.items())
        ]


def words(traced: dict[str, Any]) -> str:
    """What stands out, for a verdict's evidence; the verdict is made without it."""
    said = []
    for label, buckets in traced["histograms"].get("wakeup_delay_us", {}).items():
        if half := trace_output.middle(buckets):
            said.append(
                f"{label} ran {half[0]} to {half[1]} µs after half of its wake-ups, {buckets[-1][1]} at the most"
            )
    for drop in traced[DROPS] or ():
        said.append(f"{drop['interface']} dropped {drop['packets']} for {drop['reason']} in {drop['where']}")
    return f"traced: {'; '.join(said)}" if said else ""


class Tracer:
    """A trace of one timeline. The pump that it is made with ends bpftrace in any case."""

    def __init__(self, host: Host, pump: Pump, setup: Setup) -> None:
        self._pump, self._setup = pump, setup
        self._prepared = prepare(host, setup)
        self._sender = setup.server if setup.sender == "server" else setup.client
        self._name = host.read_or("/proc/self/comm") or "throttle_run"
        self._marks = 0
        self._phases: list[int] = []
        command = [probes.PROGRAM, "-f", "json", "-e", self._prepared.program.text]
        self._child = pump.start(probes.PROGRAM, leashed(command))
        self._await(READY, _ATTACH_S)
        self._mark()
        self._await(f"phase {self._marks}", _MARK_S)
        self._counters: Child | None = None
        if self._sender.sockets:
            watch = retransmits.watch(self._sender, setup.timing.sockets_s)
            self._counters = pump.start(f"TCP's counters on {self._sender.name}", watch)

    def cutting(self, limiter: Limiter) -> Limiter:
        """The limiter; each change of the limit begins a phase of the trace as well."""
        return _Cutting(limiter, self)

    def begin_phase(self) -> None:
        """What comes from now on belongs to the next phase."""
        self._phases.append(self._mark())

    def end_phases(self) -> None:
        """What comes from now on belongs to none."""
        self._mark()

    def finish(self, zero_s: float, path: str) -> Trace:
        """End it and read its maps; all that it printed goes to ``path``. Instants of looks count from ``zero_s``."""
        child, pump = self._child, self._pump
        processes.name_myself(END_NAME)
        processes.name_myself(self._name)
        limit_s = time.monotonic() + _END_S
        while child.status is None and time.monotonic() < limit_s:
            pump.wait_until(time.monotonic() + _LOOK_S)
        last_words = pump.last_words(child)  # all that is there is read with them
        lines = [line for _at_s, line in child.lines]
        maps = trace_output.parse(lines)
        problem = ""
        if maps.phases is None:
            problem = f"not available: bpftrace printed no maps (status {child.status}): {last_words}"
        # The name that is taken back after the end may still be seen.
        elif maps.phases not in (self._marks, self._marks + 1):
            problem = f"not available: bpftrace saw {maps.phases} of {self._marks} changes of phase"
        absent = dict(self._prepared.program.absent)
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(
                    "\n".join([json.dumps({"type": "program", "data": self._prepared.program.text}), *lines, ""])
                )
        except OSError as error:
            absent["raw"] = f"not kept: {error}"
        looks: list[retransmits.Look] = []
        if self._counters is None:
            absent[_RETRANSMITS] = "not available: no TCP connection of the sender's is watched"
        else:
            looks = retransmits.looks([(at_s - zero_s, line) for at_s, line in self._counters.lines])
            if not looks:
                said = self._counters.last_words()
                absent[_RETRANSMITS] = f"not available: {self._sender.name} told no counters of TCP's: {said}"
        return Trace(
            self._prepared, absent, [maps.parts.get(number, Part()) for number in self._phases], looks, problem
        )

    def _mark(self) -> int:
        """The kernel counts into other keys when this returns; the number in them."""
        processes.name_myself(self._name)
        self._marks += 1
        return self._marks

    def _await(self, said: str, patience_s: float) -> None:
        limit_s = time.monotonic() + patience_s
        line = json.dumps({"type": "printf", "data": f"{said}\n"})
        while line not in (printed for _at_s, printed in self._child.lines):
            if self._child.status is not None or time.monotonic() > limit_s:
                raise VirtperfError(
                    "bpftrace does not trace",
                    found=f"waited for {said!r}, status {self._child.status}: {self._pump.last_words(self._child)}",
                    way_out="see whether it can at all on this host: bpftrace -e 'BEGIN { exit(); }'; or measure"
                    " without throttle_trace",
                )
            self._pump.wait_until(time.monotonic() + _LOOK_S)


class _Cutting:
    """A limiter that tells a tracer of each change."""

    def __init__(self, limiter: Limiter, tracer: Tracer) -> None:
        self._limiter, self._tracer = limiter, tracer

    def set(self, cpu_max: str) -> str:
        effective = self._limiter.set(cpu_max)
        self._tracer.begin_phase()
        return effective

    def restore(self) -> None:
        self._tracer.end_phases()
        self._limiter.restore()
