# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial: traffic over one arm's NIC, and what is seen of it at the two edges of its window."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs import load
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.addresses import Prepared
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exits import ExitCounter
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.load import Load, Servers
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.metrics import Taken
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.places import Place
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import DUT, HOST, PEER, Arm, Setup, Workload
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import COUNTERS, Threads
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import Look

Wait = Callable[[float], None]


class Windows:
    """Takes the windows of one boot. ``wait`` waits until an instant of the monotonic clock."""

    def __init__(
        self,
        setup: Setup,
        prepared: Prepared,
        places: Mapping[str, Place],
        servers: Servers,
        threads: Threads,
        counter: ExitCounter,
        wait: Wait,
    ) -> None:
        self._setup, self._prepared, self._places, self._servers = setup, prepared, places, servers
        self._threads, self._counter, self._wait = threads, counter, wait

    def take(self, workload: Workload, arm: Arm) -> Taken:
        """VirtperfError where the traffic did not run from before the window to after it, or a guest is gone."""
        setup = self._setup
        seconds = setup.warmup_s + setup.window_s
        made = load.load(workload, arm, self._places, self._prepared, self._servers, seconds)
        try:
            self._begin(made)
            names = self._names(workload, arm)
            first = self._look(names)
            self._counter.open()
            ran, from_s = self._ran(), time.monotonic()
            try:
                self._wait(from_s + setup.window_s)
                last = self._look(names)
            finally:
                counted_s = self._counter.close()
            ran_after, to_s = self._ran(), time.monotonic()
            if fault := made.fault():
                raise VirtperfError(fault)
        except BaseException:
            # What went wrong is told, not what came of it.
            with contextlib.suppress(VirtperfError):
                made.stop()
            raise
        # Before what was counted is printed, which takes CPU time: netperf's latencies are of all its time.
        outcome = made.stop()
        counts = self._counter.counts(counted_s)
        looks = {role: (first[role], last[role]) for role in first}
        return Taken(looks, (ran, ran_after), to_s - from_s, counts, outcome, self._prepared.nics.get(PEER, ""))

    def _begin(self, made: Load) -> None:
        """The traffic runs, and has for the warm-up."""
        made.start()
        self._wait(time.monotonic() + self._setup.warmup_s)
        while made.again():
            self._wait(time.monotonic() + self._setup.warmup_s)
        if fault := made.fault():
            raise VirtperfError(fault)

    def _names(self, workload: Workload, arm: Arm) -> dict[str, list[str]]:
        """Who is looked at: one request and one answer for each guest that has to do with it."""
        setup = self._setup
        names = {DUT: [arm.mac]}
        if PEER in (workload.source, workload.target):
            names[PEER] = [self._prepared.nics[PEER]]
        return {**names, HOST: [name for name in (arm.tap, setup.peer_tap, setup.bridge) if name]}

    def _look(self, names: Mapping[str, list[str]]) -> dict[str, Look]:
        """In the same order at both edges, so that all see windows of one length."""
        return {role: self._places[role].look(asked) for role, asked in names.items()}

    def _ran(self) -> dict[str, int | None]:
        readings = self._threads.read()
        ended = self._threads.ended()
        if ended:
            raise VirtperfError(f"{', '.join(ended)} ended: the VM has stopped", ended=ended)
        labels = [thread.label for thread in self._setup.threads]
        return dict(zip(labels, readings[:: len(COUNTERS)]))
