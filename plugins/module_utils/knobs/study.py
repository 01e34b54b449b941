# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study ``knobs``: the trials of one boot in their order, each with its record at once on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs import negotiated
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.addresses import Prepared, prepare
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exits import ExitCounter
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.load import Servers
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.metrics import Figures, Taken, figures
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.places import Connect, Place, connect, is_alive
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import (
    DUT,
    HOST,
    PEER,
    Setup,
    Trial,
    Workload,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.switches import Switches
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.verdict import judge
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.window import Windows
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import RunLock
from ansible_collections.virtperf.vhost.plugins.module_utils.progress import Progress
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Threads
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import Pump
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import LocalStation

STUDY = "knobs"
# The knob that is counting itself: it is no setting of a device.
COUNTERS = "counters"
# What a trial takes beside its warm-up and window in an emulated guest, for the time that is left.
_BESIDE_S = 0.7
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
# Fewer packets than this are keep-alives and ARP.
_FEWEST_PACKETS = 10


@dataclass
class Summary:
    """What the module returns."""

    trials: int = 0
    invalid: int = 0
    reasons: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)


class Study:
    """Runs the trials of one boot. A trial that fails does not keep the next from being taken; a guest that is gone
    does, and each of those left says so.
    """

    def __init__(self, host: Host, run_id: str, inventory_name: str, setup: Setup, connect: Connect = connect) -> None:
        self.host = host
        self.run_id = run_id
        self.inventory_name = inventory_name
        self.setup = setup
        self.summary = Summary()
        self._connect = connect
        self._switches = Switches(host, Journal(host, run_id))
        self._records = RecordFile(host, run_id, STUDY)
        self._progress = Progress(host)
        self._lock = RunLock(host)
        self._taken = 0
        self._last = ""

    def run(self) -> Summary:
        """Take the trials."""
        left = list(self.setup.trials)
        self._show("setting up", left)
        try:
            with ExitStack() as stack:
                self._take_all(stack, left)
        except VirtperfError as error:
            if not left:
                raise  # all is on disk, and something does not end
            for trial in left:
                self._append_nothing(trial, [str(error)])
        return self.summary

    def _take_all(self, stack: ExitStack, left: list[Trial]) -> None:
        """Removes the trials from ``left`` that have a record; VirtperfError where no more can be taken."""
        setup = self.setup
        pump = stack.enter_context(Pump())
        local = LocalStation(self.host)
        stack.callback(local.close)
        places: dict[str, Place] = {HOST: local, DUT: stack.enter_context(self._connect(setup.dut))}
        if setup.peer is not None and setup.needs(PEER):
            places[PEER] = stack.enter_context(self._connect(setup.peer))
        prepared = prepare(setup, self.host, places, self._switches)
        servers = Servers(places)
        servers.start(setup)
        threads = Threads(self.host, setup.threads)
        stack.callback(threads.close)
        counter = ExitCounter(self.host, pump, setup)
        stack.callback(counter.stop)
        counter.start()
        self.summary.absent = dict(counter.absent)
        windows = Windows(setup, prepared, places, servers, threads, counter, pump.wait_until)
        while left:
            trial = left[0]
            self._show("measuring", left)
            try:
                self._take(trial, windows, prepared, counter)
            except VirtperfError as error:
                self._append_nothing(trial, [str(error)])
                del left[0]
                self._check_alive(places, error)
            else:
                del left[0]

    def _check_alive(self, places: Mapping[str, Place], error: VirtperfError) -> None:
        """Pass the error on where it means that nothing more can be taken."""
        gone = [place.name for place in places.values() if not is_alive(place)]
        if gone or error.facts.get("ended"):
            raise error

    # -- one trial -----------------------------------------------------------------------------------------------

    def _take(self, trial: Trial, windows: Windows, prepared: Prepared, counter: ExitCounter) -> None:
        setup = self.setup
        workload, arm = setup.workloads[trial.workload], setup.arms[trial.arm]
        if arm.name in prepared.faults:
            self._append_nothing(trial, [prepared.faults[arm.name]])
            return
        started_at = datetime.now(timezone.utc)
        with ExitStack() as stack:
            if arm.settings.get(COUNTERS) == "off":
                stack.enter_context(counter.away())
            stack.enter_context(self._switches.set(arm.host))
            taken = windows.take(workload, arm)
        found = figures(setup, workload, arm, taken)
        observed = negotiated.observed(setup, arm, prepared.described[arm.name], taken, self.host)
        reasons = [f"{arm.name}: {wrong}" for wrong in negotiated.check(arm, observed)]
        reasons += _nothing_moved(workload, found, taken)
        self._append(
            trial,
            started_at,
            reasons,
            duration_s=round(taken.seconds(DUT) or 0.0, 6),
            metrics={name: _rounded(number) for name, number in found.metrics.items()},
            cpu={role: _rounded(number) for role, number in found.cpu.items()},
            counters=_all_rounded(found.counters),
            observed={**observed, "host": dict(arm.host)},
            verdict=judge(setup, workload, found),
        )
        self._last = _in_words(trial, workload, found)

    def _append_nothing(self, trial: Trial, reasons: list[str]) -> None:
        self._append(
            trial,
            datetime.now(timezone.utc),
            reasons,
            duration_s=0.0,
            metrics={},
            cpu={},
            counters={},
            observed={},
            verdict={"limit": "undetermined", "evidence": "the trial was not taken", "signs": []},
        )

    def _append(self, trial: Trial, started_at: datetime, reasons: list[str], **parts: Any) -> None:
        setup = self.setup
        arm = setup.arms[trial.arm]
        self._records.append(
            {
                "schema": 1,
                "run_id": self.run_id,
                "study": STUDY,
                "host": self.inventory_name,
                "cell": dict(trial.cell),
                "trial": trial.number,
                "started_at": started_at.strftime(_TIME_FORMAT),
                "asked": {
                    "settings": dict(arm.settings),
                    "arm": arm.name,
                    "boot": setup.boot,
                    "position": trial.position,
                    "seed": setup.seed,
                    "window_seconds": setup.window_s,
                    "warmup_seconds": setup.warmup_s,
                    "counters": setup.counters,
                    "rate_pps": setup.workloads[trial.workload].rate_pps or None,
                },
                "valid": not reasons,
                "reasons": reasons,
                **parts,
            }
        )
        self._taken += 1
        self.summary.trials += 1
        self.summary.invalid += bool(reasons)
        self.summary.reasons += [reason for reason in reasons if reason not in self.summary.reasons]

    # -- progress ------------------------------------------------------------------------------------------------

    def _show(self, doing: str, left: list[Trial]) -> None:
        self._lock.sign()
        setup = self.setup
        a_trial_s = setup.warmup_s + setup.window_s + _BESIDE_S
        self._progress.show(
            pid=os.getpid(),
            doing=doing,
            cell=min(self._taken + 1, len(setup.trials)),
            cells=len(setup.trials),
            trial=left[0].number if left else 0,
            trials=max((trial.number for trial in setup.trials), default=0),
            what=f"boot {setup.boot}, {left[0]}" if left else "",
            last=self._last,
            left_s=round(len(left) * a_trial_s, 1),
            invalid=self.summary.invalid,
        )


def _nothing_moved(workload: Workload, found: Figures, taken: Taken) -> list[str]:
    """A program that ran and moved nothing is no measurement, whatever it says."""
    received = found.metrics.get("received_pps")
    if received is None:
        return ["nobody tells what the receiver got"]
    reasons = []
    if received * (taken.seconds(DUT) or 0.0) < _FEWEST_PACKETS:
        reasons.append(f"{workload.kind} ran and nothing reached the receiver")
    if workload.kind == "netperf" and found.metrics.get("transactions_per_s") is None:
        reasons.append("netperf told no transactions")
    return reasons


def _in_words(trial: Trial, workload: Workload, found: Figures) -> str:
    metrics = found.metrics
    for name, unit in (("transactions_per_s", "transactions/s"), ("received_mbps", "Mbit/s")):
        number = metrics.get(name)
        if number is not None and (name != "received_mbps" or workload.kind != "pktgen"):
            return f"{number:.1f} {unit} with {trial}"
    packets = metrics.get("received_pps")
    return f"{packets:.0f} packets/s with {trial}" if packets is not None else ""


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)


def _all_rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _all_rounded(part) for name, part in value.items()}
    return round(value, 6) if isinstance(value, float) else value
