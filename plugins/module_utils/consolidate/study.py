# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study ``consolidate``: all trials in their order, and a record of each at once on disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate import places, polling
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.barrier import Barrier
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.loads import loads
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import POLL, Policy
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import Setup, Trial
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.trial import Taken, take
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.window import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.connection import Connection
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import RunLock
from ansible_collections.virtperf.vhost.plugins.module_utils.progress import Progress
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.remote import RemoteStation, Through
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import LocalStation, Station

STUDY = "consolidate"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
# Between two trials: a policy, a barrier, programs that end.
_BETWEEN_S = 1.0


class Changes(Protocol):
    """Who changes the policy; see switcher.Switcher."""

    def enter(self) -> list[str]:
        """Begin, and say what to warn of."""

    def set(self, policy: Policy) -> dict[str, Any]:
        """Have a policy, and say what reads back."""

    def leave(self) -> None:
        """Put all back."""


@dataclass(frozen=True)
class Stations:
    """The hypervisor, and the guests by name."""

    here: Station
    guests: Mapping[str, Station]
    kernels: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def connected(host: Host, made: Setup) -> Iterator[Stations]:
    """All of them; their programs end with this."""
    with contextlib.ExitStack() as stack:
        here = LocalStation(host)
        stack.callback(here.close)
        guests: dict[str, Station] = {}
        kernels = {}
        for guest in made.guests:
            connection = stack.enter_context(Connection(Through(guest.name, guest.through)))
            guests[guest.name] = RemoteStation(connection)
            kernels[guest.name] = str(connection.greeting["agent"]["kernel"])
        yield Stations(here, guests, kernels)


@dataclass
class Summary:
    """What the module returns."""

    trials: int = 0
    invalid: int = 0
    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    switches: int = 0


class Study:
    """Runs all trials. One that fails does not keep the next from being taken."""

    def __init__(self, host: Host, run_id: str, inventory_name: str, made: Setup, changes: Changes) -> None:
        self.host = host
        self.run_id = run_id
        self.inventory_name = inventory_name
        self.made = made
        self.summary = Summary()
        self._changes = changes
        self._records = RecordFile(host, run_id, STUDY)
        self._progress = Progress(host)
        self._lock = RunLock(host)
        self._gate = Barrier()
        self._last = ""
        self._interfaces: dict[str, dict[str, str]] = {}

    def run(self, stations: Stations) -> Summary:
        """Make all places ready, and take the trials."""
        made = self.made
        if POLL in made.nics:
            polling.check(self.host, made.guests, made.poll_us)
        self._show("preparing the guests", 1, None)
        directory = self.host.private_directory(os.path.join(self.host.run, STUDY))
        with Counters(self.host, made.taps, made.threads) as counters:
            try:
                self.summary.warnings += self._changes.enter()
                for guest in made.guests:
                    self._interfaces[guest.name] = places.prepare_guest(stations.guests[guest.name], guest, made)
                places.prepare_here(stations.here, made)
                places.wait_ready(made, stations.guests)
                maker = places.maker()
                policy: Policy | None = None
                for number, trial in enumerate(made.trials, 1):
                    self._show("measuring", number, trial)
                    self.summary.switches += trial.policy != policy
                    policy = trial.policy
                    self._trial(trial, stations, counters, maker, directory)
            finally:
                self._changes.leave()
        return self.summary

    def _trial(self, trial: Trial, stations: Stations, counters: Counters, maker: str, directory: str) -> None:
        started_at = datetime.now(timezone.utc)
        observed: dict[str, Any] = {}
        try:
            observed = self._changes.set(trial.policy)
            taken = take(
                trial,
                self.made,
                counters,
                self._gate,
                lambda at_s: loads(trial, self.made, stations.here, stations.guests, maker, at_s, directory),
            )
        except VirtperfError as error:
            taken = Taken(reasons=[str(error)])
            taken.verdict = {"limit": "undetermined", "evidence": "the trial was not taken", "signs": []}
        active = [guest.name for guest in self.made.guests[: trial.guests]]
        observed.update(
            taken.observed,
            partition=self.made.partition.as_dict(),
            kernels={name: stations.kernels.get(name, "") for name in active},
            interfaces={name: self._interfaces.get(name, {}).get(trial.policy.nic, "") for name in active},
            # Between these two was the barrier: rates of streams are of the window, others of the programs' own run.
            run_s=self.made.timing.run_s,
        )
        self._append(trial, taken, observed, started_at)

    # -- records -------------------------------------------------------------------------------------------------

    def _append(self, trial: Trial, taken: Taken, observed: Mapping[str, Any], started_at: datetime) -> None:
        made = self.made
        self._records.append(
            {
                "schema": 1,
                "run_id": self.run_id,
                "study": STUDY,
                "host": self.inventory_name,
                "cell": trial.cell,
                "trial": trial.trial,
                "started_at": started_at.strftime(_TIME_FORMAT),
                "duration_s": round(taken.window.seconds, 6) if taken.window else 0.0,
                "metrics": dict(taken.metrics),
                "cpu": dict(taken.cpu),
                "guests": [guest.as_dict() for guest in taken.guests],
                "asked": {
                    "nic": trial.policy.nic,
                    "poll_us": made.poll_us if trial.policy.nic == POLL else 0,
                    "dedicated": trial.policy.dedicated,
                    "connections": made.connections,
                    "window_seconds": made.timing.window_s,
                    "warmup_seconds": made.timing.warmup_s,
                    "late_seconds": made.timing.late_s,
                    "seed": made.seed,
                    "position": trial.position,
                },
                "observed": observed,
                "valid": not taken.reasons,
                "reasons": taken.reasons,
                "verdict": dict(taken.verdict),
            }
        )
        self.summary.trials += 1
        self.summary.invalid += bool(taken.reasons)
        self.summary.reasons += [reason for reason in taken.reasons if reason not in self.summary.reasons]
        rate, per_s = taken.metrics.get("total_mbps"), taken.metrics.get("transactions_per_s")
        if rate is not None:
            self._last = f"{rate:.1f} Mbit/s"
        elif per_s is not None:
            self._last = f"{per_s:.0f} transactions/s"

    # -- progress ------------------------------------------------------------------------------------------------

    def _show(self, doing: str, number: int, trial: Trial | None) -> None:
        self._lock.sign()
        left = len(self.made.trials) - number + 1
        trials = max((one.trial for one in self.made.trials), default=1)
        self._progress.show(
            pid=os.getpid(),
            doing=doing,
            cell=number,
            cells=len(self.made.trials),
            trial=trial.trial if trial else 1,
            trials=trials,
            what=str(trial) if trial else "",
            last=self._last,
            left_s=round(left * (self.made.timing.run_s + _BETWEEN_S), 1),
            invalid=self.summary.invalid,
        )
