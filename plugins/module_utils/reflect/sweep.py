# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep of the study ``reflect``: launches, cells, trials, and a record of each trial at once on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lock import RunLock
from ansible_collections.virtperf.vhost.plugins.module_utils.progress import Progress
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect import ledger, negotiated
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.end import End
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import Cell, Launch
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launcher import Launcher
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.verdict import Evidence, judge
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.window import Ends, Window, measure

STUDY = "reflect"
# A second death in one cell is the cell's own doing: the sweep goes on with the next.
_DEATHS_A_CELL = 1
# Rates are by the readings' own times. In a window so much longer than asked this machine stood still.
_WINDOW_OFF = 0.2
# Two ends and what they negotiated.
Up = tuple[Ends, dict[str, Any]]
# How long a process may take to be gone after it fell silent.
_DYING_S = 0.5


@dataclass(frozen=True)
class Timing:
    """Seconds: the window, the traffic before it that is not counted, and the pace of samples inside."""

    trial_s: float
    warmup_s: float
    sample_s: float


@dataclass
class Summary:
    """What the module returns."""

    trials: int = 0
    invalid: int = 0
    launches: int = 0
    relaunches: int = 0
    reasons: list[str] = field(default_factory=list)


class Sweep:
    """Runs launches in order. Nothing that happens to one cell keeps another from being measured."""

    def __init__(self, host: Host, run_id: str, inventory_name: str, timing: Timing, launcher: Launcher) -> None:
        self.run_id = run_id
        self.inventory_name = inventory_name
        self.timing = timing
        self.launcher = launcher
        self.summary = Summary()
        self._records = RecordFile(host, run_id, STUDY)
        self._progress = Progress(host)
        self._lock = RunLock(host)
        self._last = ""
        self._cell_number = 0
        self._cells = 0
        self._trials_left = 0

    def run(self, launches: Sequence[Launch]) -> Summary:
        """Take all trials of all launches."""
        self.launcher.expect(launches)
        self._cells = sum(len(launch.cells) for launch in launches)
        self._trials_left = sum(cell.trials for launch in launches for cell in launch.cells)
        for launch in launches:
            self._run_launch(launch)
        self.summary.launches = self.launcher.starts
        return self.summary

    # -- one launch ----------------------------------------------------------------------------------------------

    def _run_launch(self, launch: Launch) -> None:
        self._show("bringing up a guest" if launch.guest else "launching")
        try:
            up: Up | None = self.launcher.bring_up(launch)
        except VirtperfError as error:
            reasons = [f"not launched: {error}", *self._keep_logs_of_the_dead(launch)]
            self.launcher.end(launch)
            for cell in launch.cells:
                self._cell_number += 1
                self._invalid(cell, 1, {}, reasons)
                self._trials_left -= cell.trials
            return
        for cell in launch.cells:
            self._cell_number += 1
            up = self._run_cell(launch, cell, up)

    # -- one cell ------------------------------------------------------------------------------------------------

    def _run_cell(self, launch: Launch, cell: Cell, up: Up | None) -> Up | None:
        """Take a cell's trials; returns the ends that are up, None when the next cell has to launch anew.

        A trial in which something died is not taken again: the cell then lacks it, and the run says so.
        """
        deaths = 0
        for trial in range(1, cell.trials + 1):
            self._show("measuring", cell, trial)
            try:
                if up is None:
                    up = self.launcher.bring_up(launch)
                    self.summary.relaunches += 1
                self._run_trial(launch, cell, trial, *up)
            except VirtperfError as error:
                observed = up[1] if up else {}
                self._invalid(cell, trial, observed, [str(error), *self._keep_logs_of_the_dead(launch)])
                self.launcher.end(launch)
                up = None
                deaths += 1
            self._trials_left -= 1
            if deaths > _DEATHS_A_CELL:
                self._trials_left -= cell.trials - trial
                break
        return up

    def _run_trial(self, launch: Launch, cell: Cell, trial: int, ends: Ends, observed: Mapping[str, Any]) -> None:
        size = int(cell.asked["packet_size"])
        try:
            # Traffic starts anew for each trial, so that each settles into its own batch pattern.
            ends.generator.offer(size, forwarding=True)
            time.sleep(self.timing.warmup_s)
            started_at = datetime.now(timezone.utc)
            window = measure(ends, self.timing.trial_s, self.timing.sample_s)
        except VirtperfError:
            # A death explains the silence of who died and of the other end; it takes a moment to be complete.
            _raise_death(ends.both, _DYING_S)
            raise
        _raise_death(ends.both, 0.0)
        self._record(launch, cell, trial, ends, dict(observed), window, started_at)

    # -- records -------------------------------------------------------------------------------------------------

    def _record(
        self,
        launch: Launch,
        cell: Cell,
        trial: int,
        ends: Ends,
        observed: dict[str, Any],
        window: Window,
        started_at: datetime,
    ) -> None:
        generator, reflector = ends.generator.name, ends.reflector.name
        size = int(cell.asked["packet_size"])
        metrics: dict[str, Any] = ledger.rates(window.first, window.last, size)
        account = ledger.account(window.first, window.last, window.stats[generator])
        refused = ledger.refused_ratio(account)
        busy = ledger.busy_ratio(window.stats[reflector], window.stats_s, launch.reflector_cores)
        metrics.update(reflector_busy_ratio=busy, refused_ratio=refused)
        observed["frame_bytes"] = ledger.frame_bytes(window.first, window.last)
        reasons = negotiated.mismatches(cell.asked, observed, launch.cpus)
        reasons += self._window_faults(window, size, observed["frame_bytes"], metrics)
        verdict = judge(
            Evidence(
                reflector=reflector,
                generator=generator,
                reflector_busy=busy,
                refused=refused,
                cpu=window.cpu,
                l1_mbps=ledger.l1_mbps(metrics["tx_pps"], size),
                link_speed_mbps=observed["link_speed_mbps"],
                sample_pps=window.sample_pps,
            )
        )
        self._append(
            cell,
            trial,
            started_at,
            duration_s=round(window.duration_s, 6),
            metrics={key: value if value is None else round(value, 6) for key, value in metrics.items()},
            cpu=window.cpu,
            ledger=account,
            samples=window.samples,
            observed=observed,
            reasons=reasons,
            verdict=verdict,
        )
        self._last = f"{metrics['rx_pps'] / 1e6:.2f} Mpps at {size} bytes"

    def _keep_logs_of_the_dead(self, launch: Launch) -> list[str]:
        return [
            f"the log of {name.partition('-')[2]} is kept in {self._records.keep_log(name, log)}"
            for name, log in self.launcher.logs_of_the_dead(launch)
        ]

    def _window_faults(
        self, window: Window, size: int, frame_bytes: float | None, metrics: Mapping[str, Any]
    ) -> list[str]:
        faults = []
        if metrics["rx_pps"] <= 0:
            faults.append("no packet came back in the window")
        elif frame_bytes is None or abs(frame_bytes - (size - 4)) > 0.5:
            faults.append(f"frames in the ring had {frame_bytes} bytes, {size} less 4 of FCS asked")
        if abs(window.duration_s - self.timing.trial_s) > _WINDOW_OFF * self.timing.trial_s:
            faults.append(f"the window took {window.duration_s:.3f} s, {self.timing.trial_s} s asked")
        return faults

    def _invalid(self, cell: Cell, trial: int, observed: Mapping[str, Any], reasons: list[str]) -> None:
        self._append(
            cell,
            trial,
            datetime.now(timezone.utc),
            duration_s=0.0,
            metrics={},
            cpu={},
            observed=dict(observed),
            reasons=reasons,
            verdict={"limit": "undetermined", "evidence": "no window was completed"},
        )

    def _append(self, cell: Cell, trial: int, started_at: datetime, *, reasons: list[str], **parts: Any) -> None:
        self._records.append(
            {
                "schema": 1,
                "run_id": self.run_id,
                "study": STUDY,
                "host": self.inventory_name,
                "cell": dict(cell.cell),
                "trial": trial,
                "started_at": started_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "asked": dict(cell.asked),
                "valid": not reasons,
                "reasons": reasons,
                **parts,
            }
        )
        self.summary.trials += 1
        self.summary.invalid += bool(reasons)
        self.summary.reasons += [reason for reason in reasons if reason not in self.summary.reasons]

    # -- progress ------------------------------------------------------------------------------------------------

    def _show(self, doing: str, cell: Cell | None = None, trial: int = 0) -> None:
        self._lock.sign()
        self._progress.show(
            pid=os.getpid(),
            doing=doing,
            cell=self._cell_number if cell else self._cell_number + 1,
            cells=self._cells,
            trial=trial,
            trials=cell.trials if cell else 0,
            what=", ".join(f"{key} {value}" for key, value in cell.cell.items()) if cell else "",
            last=self._last,
            left_s=round(self._trials_left * (self.timing.trial_s + self.timing.warmup_s + 0.05), 1),
            invalid=self.summary.invalid,
        )


def _raise_death(ends: Sequence[End], patience_s: float) -> None:
    """The error of the first of them that is dead, or becomes so within the patience."""
    limit = time.monotonic() + patience_s
    while True:
        for end in ends:
            if not end.is_running():
                raise end.died()
        if time.monotonic() >= limit:
            return
        time.sleep(0.01)
