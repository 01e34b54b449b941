# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial: programs that start at one instant, one window in which all of them run, and what each of them says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate import barrier
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.barrier import Barrier
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.loads import Load, Told
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.metrics import GuestFigures, metrics
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import ROLES, Guest, Setup, Trial
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.verdict import Evidence, judge
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.window import Counters, Window
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import NETPERF
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.priority import urgent
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import Ended

# Beyond its own time: a program of an emulated guest takes some to end, and its output some to come.
_ENDS_S = 20.0
# A window that is off by more than this share is none.
_OFF = 0.1
# A little before the window's end: clocks of guests are known to some milliseconds.
_EDGE_S = 0.02

MakeLoads = Callable[[float], Sequence[Load]]


@dataclass
class Taken:
    """What came of a trial. Without a ``window`` nothing was measured."""

    reasons: list[str] = field(default_factory=list)
    window: Window | None = None
    guests: list[GuestFigures] = field(default_factory=list)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    cpu: Mapping[str, float | None] = field(default_factory=dict)
    observed: dict[str, Any] = field(default_factory=dict)
    verdict: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Heard:
    """What the programs of one guest said, and how late they began."""

    told: list[Told] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)


def take(trial: Trial, made: Setup, counters: Counters, gate: Barrier, loads: MakeLoads) -> Taken:
    """Run it. VirtperfError when it could not even begin; what goes wrong later is among the reasons."""
    programs = loads(0.0)
    at_s = gate.instant(len(programs), sum(load.waits for load in programs))
    programs = loads(at_s)
    gate.tell(programs, at_s)
    try:
        with urgent() as priority:
            _wait_until(at_s + made.timing.warmup_s)
            begin = counters.look()
            _wait_until(at_s + made.timing.warmup_s + made.timing.window_s)
            window = Window(begin, counters.look())
        taken = Taken(window=window)
        taken.observed["priority"] = priority
        active = made.guests[: trial.guests]
        taken.reasons += _gone(made.guests, counters.ended())
        heard = _hear(programs, made, at_s, window, taken.reasons)
    except BaseException:
        # Given up in the middle: nothing of it goes on.
        barrier.stop(programs)
        raise
    gate.learn(told.ready_s for one in heard.values() for told in one.told if told.ready_s is not None)
    _check_window(window, made, trial, active, taken.reasons)
    taken.guests = [_figures(trial, guest, window, heard.get(guest.name, _Heard())) for guest in active]
    _account(taken, trial, made, active, window)
    return taken


def _wait_until(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.monotonic()))


def _gone(guests: Sequence[Guest], labels: Iterable[str]) -> list[str]:
    """Guests that ended are said once each, however many threads they had."""
    of = {thread.label: guest.name for guest in guests for role in ROLES for thread in guest.threads[role]}
    names = dict.fromkeys(of[label] for label in labels)
    return [f"guest {name}: its VM ended before the window did" for name in names]


def _hear(programs: Sequence[Load], made: Setup, at_s: float, window: Window, reasons: list[str]) -> dict[str, _Heard]:
    heard: dict[str, _Heard] = {}
    for load in programs:
        one = heard.setdefault(load.guest, _Heard())
        limit_s = max(0.0, at_s + made.timing.run_s + _ENDS_S - time.monotonic())
        try:
            ended = load.station.finish(load.key, limit_s)
            _check_ended(load, ended, window)
            told = load.read(ended.stdout, ended.stderr)
        except VirtperfError as error:
            reason = f"guest {load.guest}: {error}"
            reasons += [reason] if reason not in reasons else []
            continue
        one.told.append(told)
        # What waited for the instant itself knows when it began.
        started_s = told.started_s if load.waits and told.started_s is not None else ended.started_s
        late_s = started_s - at_s
        one.late_s.append(late_s)
        if late_s > made.timing.late_s:
            reasons.append(
                f"guest {load.guest}: {load.key.split()[0]} started {late_s:.2f} s after the others were told to,"
                f" where {made.timing.late_s:g} s are allowed"
            )
    return heard


def _check_ended(load: Load, ended: Ended, window: Window) -> None:
    program = load.key.split()[0]
    if ended.status != 0:
        raise VirtperfError(f"{program} ended with status {ended.status}", found=ended.last_words)
    if ended.ended_s is not None and ended.ended_s < window.end.at_s - _EDGE_S:
        before_s = window.end.at_s - ended.ended_s
        # What it printed tells more, where it is an error.
        load.read(ended.stdout, ended.stderr)
        raise VirtperfError(f"{program} ended {before_s:.2f} s before the window did", found=ended.last_words)


def _check_window(window: Window, made: Setup, trial: Trial, active: Sequence[Guest], reasons: list[str]) -> None:
    wanted_s = made.timing.window_s
    if abs(window.seconds - wanted_s) > _OFF * wanted_s:
        reasons.append(f"the window was {window.seconds:.2f} s long, {wanted_s:g} s were asked for")
    for guest in active:
        tap = guest.nics[trial.policy.nic].tap
        packets = window.packets(tap)
        if packets is None:
            reasons.append(f"guest {guest.name}: its tap {tap} has no counters any more")
        elif not packets and not any(reason.startswith(f"guest {guest.name}:") for reason in reasons):
            reasons.append(f"guest {guest.name}: nothing went over its tap {tap} in the window")


def _figures(trial: Trial, guest: Guest, window: Window, heard: _Heard) -> GuestFigures:
    def told(name: str) -> float | None:
        return next((value for one in heard.told if (value := getattr(one, name)) is not None), None)

    stream = trial.workload.stream
    return GuestFigures(
        name=guest.name,
        mbps=window.mbps(guest.nics[trial.policy.nic].tap, stream) if stream else None,
        transactions_per_s=None if stream else told("transactions_per_s"),
        latency_p50_us=told("p50_us"),
        latency_p99_us=told("p99_us"),
        goodput_mbps=told("goodput_mbps"),
        started_late_s=max(heard.late_s, default=None),
    )


def _account(taken: Taken, trial: Trial, made: Setup, active: Sequence[Guest], window: Window) -> None:
    shares: dict[str, dict[str, dict[str, float]]] = {"run_ns": {}, "wait_ns": {}}
    for counter, by_role in shares.items():
        for role in ROLES:
            known = {
                thread.label: window.share(thread.label, counter) for one in active for thread in one.threads[role]
            }
            by_role[role] = {label: share for label, share in known.items() if share is not None}
    partition = made.partition
    busy = {
        name: window.busy(cpus)
        for name, cpus in (("io", partition.io_cpus), ("vm", partition.vm_cpus), ("load", partition.load_cpus))
    }
    taken.cpu = {role: _total(active, role, window) for role in ROLES}
    taken.metrics = metrics(taken.guests, taken.cpu, busy)
    idle = [guest for guest in made.guests if guest not in active]
    idle_cpu = [_total(idle, role, window) for role in ROLES]
    taken.observed["idle_guests_cpu"] = None if None in idle_cpu else round(sum(one or 0.0 for one in idle_cpu), 6)
    taken.observed["window_s"] = round(window.seconds, 6)
    io, vm = busy["io"], busy["vm"]
    taken.verdict = judge(
        Evidence(
            dedicated=trial.policy.dedicated,
            one_at_a_time=trial.workload.program == NETPERF and not trial.workload.is_stream,
            io_busy=None if io is None else (io, len(partition.io_cpus)),
            vm_busy=None if vm is None else (vm, len(partition.vm_cpus)),
            ran=shares["run_ns"],
            waited=shares["wait_ns"],
        )
    )


def _total(guests: Sequence[Guest], role: str, window: Window) -> float | None:
    """Cores that the threads of a role used together; None where one does not tell."""
    shares = [window.share(thread.label, "run_ns") for guest in guests for thread in guest.threads[role]]
    return None if None in shares else round(sum(share or 0.0 for share in shares), 6)
