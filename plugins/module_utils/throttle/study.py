# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study ``throttle``: timelines, one a trial, and a record of each of their phases at once on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import RunLock
from ansible_collections.virtperf.vhost.plugins.module_utils.progress import Progress
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler import series as series_file
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.loop import Pace, Sampler
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.priority import urgent
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.sources import open_sources
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import timeline
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.account import Accountant, Heard
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import Round, offset
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.ends import End, ask_time
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import Phase
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import Child, Pump
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import ENDS, Setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.timeline import Limiter, PhaseRun
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace import Trace, Tracer, words

STUDY = "throttle"
# How long an end may take until others may begin: Python and iperf3 start slowly in an emulated guest.
_READY_S = 60.0
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass
class Summary:
    """What the module returns."""

    trials: int = 0
    invalid: int = 0
    reasons: list[str] = field(default_factory=list)
    series: list[str] = field(default_factory=list)
    paces: list[Pace] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """One timeline that was run."""

    runs: Sequence[PhaseRun]
    heard: Heard
    pace: Pace
    priority: str
    started_at: datetime
    path: str
    trace: Trace | None = None


class Study:
    """Runs all trials of one setup. A trial that fails does not keep the next from being taken."""

    def __init__(self, host: Host, run_id: str, inventory_name: str, setup: Setup, limiter: Limiter) -> None:
        self.host = host
        self.run_id = run_id
        self.inventory_name = inventory_name
        self.setup = setup
        self.summary = Summary()
        self._limiter = limiter
        self._records = RecordFile(host, run_id, STUDY)
        self._progress = Progress(host)
        self._lock = RunLock(host)
        self._trial = 0
        self._last = ""

    def run(self) -> Summary:
        """Take the trials."""
        for trial in range(1, self.setup.trials + 1):
            self._trial = trial
            self._show("starting the workload")
            try:
                timeline_run = self._run_timeline()
            except VirtperfError as error:
                for phase in self.setup.phases:
                    self._append_nothing(phase, [str(error)])
                continue
            self._record(timeline_run)
        return self.summary

    # -- one timeline --------------------------------------------------------------------------------------------

    def _run_timeline(self) -> Timeline:
        directory = os.path.join(self._records.directory, "samples")
        self.host.private_directory(directory)
        path = os.path.join(directory, self._series_name())
        before = self._ask_times()
        trace: Trace | None = None
        with Pump() as pump:
            # It takes its time to attach: before the ends, whose own time is counted.
            tracer = Tracer(self.host, pump, self.setup) if self.setup.trace else None
            limiter = tracer.cutting(self._limiter) if tracer else self._limiter
            children = self._start_ends(pump)
            watchers = self._watch_sockets(pump)
            pump.wait_until(time.monotonic() + self.setup.timing.warmup_s)
            if fault := _ended(pump, children.values()):
                raise VirtperfError(f"before the first phase {fault}")
            sources = open_sources(self.host, self.setup.interfaces, self.setup.threads, self.setup.cgroups)

            def watch() -> str:
                gone = sources.threads.ended()
                return f"{', '.join(gone)} ended: the VM has stopped" if gone else _ended(pump, children.values())

            started_at = datetime.now(timezone.utc)
            with (
                urgent() as priority,
                Sampler(sources.all, path, self.setup.timing.period_s, wait=pump.wait_until) as sampler,
            ):
                runs = timeline.run(self.setup.phases, limiter, sampler, watch, announce=self._announce)
                zero_s = sampler.start_s
                pace = sampler.pace()
            if tracer:
                trace = tracer.finish(zero_s, path.replace(".jsonl", ".trace.jsonl"))
        self.summary.series.append(path)
        heard = Heard(
            output={end: _since(child, zero_s) for end, child in children.items()},
            sockets={end: _since(child, zero_s) for end, child in watchers.items()},
            clocks={end: offset(before[end], after) for end, after in self._ask_times().items()},
        )
        return Timeline(runs, heard, pace, priority, started_at, path, trace)

    def _series_name(self) -> str:
        """Trials of a resumed run begin to count anew, instants do not."""
        at = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
        return f"{STUDY}-{self.setup.workload}-{self.setup.layout}-{at}.jsonl"

    def _ends(self) -> dict[str, End]:
        return dict(zip(ENDS, (self.setup.server, self.setup.client)))

    def _ask_times(self) -> dict[str, list[Round]]:
        """Of ends that are elsewhere: those here have our clock."""
        return {role: ask_time(end) for role, end in self._ends().items() if end.through}

    def _start_ends(self, pump: Pump) -> dict[str, Child]:
        """The server first; each is waited for until it is ready."""
        children = {}
        for role, end in self._ends().items():
            if end.command:
                children[role] = pump.start(
                    role if end.name == role else f"{role} {end.name}", end.leashed(end.command)
                )
                if end.ready:
                    _wait_ready(pump, end, children[role])
        return children

    def _watch_sockets(self, pump: Pump) -> dict[str, Child]:
        every_s = self.setup.timing.sockets_s
        return {
            role: pump.start(f"ss on {end.name}", end.watch(every_s))
            for role, end in self._ends().items()
            if end.sockets
        }

    # -- records -------------------------------------------------------------------------------------------------

    def _record(self, done: Timeline) -> None:
        series = series_file.read(done.path)
        accountant = Accountant(self.setup, series, done.heard)
        self.summary.paces.append(done.pace)
        observed = {
            "clocks": {end: clock.as_dict() for end, clock in done.heard.clocks.items()},
            "pace": {**done.pace.as_dict(), "priority": done.priority},
            "cgroups": dict(self.setup.cgroups),
            "interfaces": {end: list(taps) for end, taps in self.setup.taps.items()},
            "trace": done.trace is not None,
        }
        for number, run in enumerate(done.runs):
            started_at = done.started_at + timedelta(seconds=run.set_to_s)
            if not run.effective:
                self._append_nothing(run.phase, [run.fault], started_at)
                continue
            account = accountant.account(run)
            verdict = dict(account.verdict)
            traced = {"trace": done.trace.of(number, run)} if done.trace else {}
            if traced and (said := words(traced["trace"])):
                verdict["evidence"] = f"{verdict['evidence']}; {said}"
            reasons = [run.fault] if run.fault else []
            if not reasons and account.metrics["received_mbps"] is None:
                reasons.append("no two samples of the stream were taken")
            self._append(
                run.phase,
                started_at,
                reasons,
                duration_s=round(run.end_s - run.set_to_s, 6),
                metrics={name: _rounded(number) for name, number in account.metrics.items()},
                cpu={name: _rounded(number) for name, number in account.cpu.items()},
                timeline=run.as_dict(),
                series=os.path.relpath(done.path, self._records.directory),
                observed={**observed, "cpu_max": run.effective},
                verdict=verdict,
                **traced,
            )
            if account.metrics["received_mbps"] is not None:
                self._last = f"{account.metrics['received_mbps']:.1f} Mbit/s in phase {run.phase.name}"
        problem = done.trace.problem if done.trace else ""
        for error in [*accountant.errors(), *([problem] if problem else [])]:
            self.summary.reasons += [error] if error not in self.summary.reasons else []

    def _append_nothing(self, phase: Phase, reasons: list[str], started_at: datetime | None = None) -> None:
        self._append(
            phase,
            started_at or datetime.now(timezone.utc),
            reasons,
            duration_s=0.0,
            metrics={},
            cpu={},
            observed={},
            verdict={"limit": "undetermined", "evidence": "the phase was not run", "signs": []},
        )

    def _append(self, phase: Phase, started_at: datetime, reasons: list[str], **parts: Any) -> None:
        timing = self.setup.timing
        self._records.append(
            {
                "schema": 1,
                "run_id": self.run_id,
                "study": STUDY,
                "host": self.inventory_name,
                "cell": {"workload": self.setup.workload, "layout": self.setup.layout, "phase": phase.name},
                "trial": self._trial,
                "started_at": started_at.strftime(_TIME_FORMAT),
                "asked": {
                    **phase.as_dict(),
                    "sender": self.setup.sender,
                    "sample_seconds": timing.period_s,
                    "settle_seconds": timing.settle_s,
                },
                "valid": not reasons,
                "reasons": reasons,
                **parts,
            }
        )
        self.summary.trials += 1
        self.summary.invalid += bool(reasons)
        self.summary.reasons += [reason for reason in reasons if reason not in self.summary.reasons]

    # -- progress ------------------------------------------------------------------------------------------------

    def _announce(self, phase: Phase) -> None:
        self._show("measuring", phase)

    def _show(self, doing: str, phase: Phase | None = None) -> None:
        self._lock.sign()
        number = self.setup.phases.index(phase) + 1 if phase else 1
        left = self.setup.phases[number - 1 :]
        rounds_left = self.setup.trials - self._trial
        self._progress.show(
            pid=os.getpid(),
            doing=doing,
            cell=number,
            cells=len(self.setup.phases),
            trial=self._trial,
            trials=self.setup.trials,
            what=f"{self.setup.workload}, {self.setup.layout}, {phase.name} at {phase.cpu_max}" if phase else "",
            last=self._last,
            left_s=round(sum(one.seconds for one in left) + rounds_left * self.setup.seconds, 1),
            invalid=self.summary.invalid,
        )


def _wait_ready(pump: Pump, end: End, child: Child) -> None:
    limit_s = time.monotonic() + _READY_S
    while True:
        asked = pump.start(f"is {end.name} ready?", end.leashed(end.ready))
        while asked.status is None and time.monotonic() < limit_s and child.status is None:
            pump.wait_until(time.monotonic() + 0.05)
        if asked.status == 0:
            return
        if child.status is not None:
            raise VirtperfError(f"{child.name} ended with status {child.status}", found=pump.last_words(child))
        if time.monotonic() >= limit_s:
            raise VirtperfError(
                f"{child.name} is not ready after {_READY_S:.0f} s",
                found=f"{' '.join(end.ready)}: {pump.last_words(asked)}; it said: {child.last_words()}",
                way_out="see whether its program can run there",
            )
        pump.wait_until(time.monotonic() + 0.2)


def _ended(pump: Pump, children: Iterable[Child]) -> str:
    """Which program has ended that should not have, in words, or ""."""
    for child in children:
        if child.status is not None:
            return f"{child.name} ended with status {child.status}, its last words: {pump.last_words(child)}"
    return ""


def _since(child: Child, zero_s: float) -> list[tuple[float, str]]:
    return [(at_s - zero_s, line) for at_s, line in child.lines]


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)
