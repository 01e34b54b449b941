# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs phases one after the other: the limit changes at a phase's first instant, samples are taken all along."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.loop import Sampler
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import Phase

# Says what makes going on pointless (a VM has stopped, a client has ended), or "".
Watch = Callable[[], str]


class Limiter(Protocol):
    """Where the workers' limit is set. Both raise VirtperfError or OSError."""

    def set(self, cpu_max: str) -> str:
        """Set it, and return what the kernel then says it is."""

    def restore(self) -> None:
        """Put back what was there before the first ``set``."""


@dataclass(frozen=True)
class PhaseRun:
    """A phase as it was run. All times in seconds since the series began.

    ``set_from_s`` and ``set_to_s`` are the instants around the change of the limit: the kernel took it in between.
    ``effective`` is what it read back. ``fault`` says why the phase is not what was asked for, or is empty.
    """

    phase: Phase
    set_from_s: float
    set_to_s: float
    end_s: float
    effective: str
    fault: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {
            "set_from_s": round(self.set_from_s, 6),
            "set_to_s": round(self.set_to_s, 6),
            "end_s": round(self.end_s, 6),
            "cpu_max": self.effective,
        }


def run(
    phases: Sequence[Phase],
    limiter: Limiter,
    sampler: Sampler,
    watch: Watch = lambda: "",
    *,
    announce: Callable[[Phase], None] = lambda _phase: None,
    clock: Callable[[], float] = time.monotonic,
) -> list[PhaseRun]:
    """Run them all; what was there before is put back in any case.

    After a fault the phases left are not run, for their workload is not what was asked for: each says so.
    """
    runs: list[PhaseRun] = []
    begin_s = sampler.start_s
    stopped = ""

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or watch()
        return bool(stopped)

    try:
        for phase in phases:
            if stopped:
                now_s = clock() - sampler.start_s
                runs.append(PhaseRun(phase, now_s, now_s, now_s, "", f"not run: {stopped}"))
                continue
            run_phase = _Change(limiter, phase, clock, sampler.start_s)
            if run_phase.fault:
                stopped = run_phase.fault
            else:
                announce(phase)
                begin_s += phase.seconds
                sampler.run_until(begin_s, stop)
            runs.append(run_phase.ended(stopped))
    finally:
        limiter.restore()
    return runs


class _Change:
    """The change of the limit at a phase's beginning, timed and checked."""

    def __init__(self, limiter: Limiter, phase: Phase, clock: Callable[[], float], zero_s: float) -> None:
        self._phase, self._clock, self._zero_s = phase, clock, zero_s
        self._effective, self.fault = "", ""
        self._from_s = clock() - zero_s
        try:
            self._effective = limiter.set(str(phase.cpu_max))
        except (VirtperfError, OSError) as error:
            self.fault = f"the limit of phase {phase.name} could not be set: {error}"
        self._to_s = clock() - zero_s

    def ended(self, fault: str) -> PhaseRun:
        if not fault and self._effective.split() != str(self._phase.cpu_max).split():
            fault = f"cpu.max reads {self._effective!r}, asked {str(self._phase.cpu_max)!r}"
        end_s = self._clock() - self._zero_s
        return PhaseRun(self._phase, self._from_s, self._to_s, end_s, self._effective, fault)
