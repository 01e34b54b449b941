# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many programs started in step: all of them are told one instant, on one clock, before it has come."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.loads import Load
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# What telling one program takes at first, and what one of ours takes to be ready, in seconds. How long each really
# takes is seen then.
_A_TELL_S = 0.08
_READY_S = 0.5
# Beyond that: what is told last needs its time too.
_SLACK_S = 0.15
# What was slow once may be again; what is fast is believed little by little.
_FORGETS = 0.8


class Barrier:
    """Learns how far ahead the instant has to lie: a busy guest takes its time to listen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tell_s = _A_TELL_S
        self._ready_s = _READY_S
        self._begun_s = 0.0

    def instant(self, programs: int, waiting: int = 0) -> float:
        """When so many programs, that are told from now on one after the other, can start together. ``waiting`` of them
        are ones that wait for it by themselves.
        """
        return self._clock() + _SLACK_S + 2 * programs * self._tell_s + 1.5 * waiting * self._ready_s

    def tell(self, loads: Sequence[Load], at_s: float) -> None:
        """Have all of them start at that instant. When one cannot be, none is left running: VirtperfError."""
        self._begun_s = self._clock()
        told: list[Load] = []
        try:
            for load in loads:
                load.station.start(load.key, load.words, None if load.waits else at_s)
                told.append(load)
        except BaseException:
            stop(told)
            raise
        if loads:
            self._tell_s = max((self._clock() - self._begun_s) / len(loads), _FORGETS * self._tell_s)

    def learn(self, ready_s: Iterable[float]) -> None:
        """The instants at which those that wait by themselves were ready."""
        took = [instant - self._begun_s for instant in ready_s]
        if took:
            self._ready_s = max(max(took) / len(took), _FORGETS * self._ready_s)


def stop(loads: Sequence[Load]) -> None:
    """End what may still run; a guest that does not answer has taken its programs along."""
    for load in loads:
        with contextlib.suppress(VirtperfError):
            load.station.stop(load.key)
