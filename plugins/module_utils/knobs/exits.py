# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exits, kicks and interrupts of VMs, counted by the kernel inside each window; what cannot be counted is said once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exit_program import (
    COUNT_NAME,
    END_NAME,
    FIGURES,
    NOT_ASKED,
    READY,
    SHOW_NAME,
    SHOWN,
    WANTED,
    write,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import Setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import probes
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import Child, Pump, leashed

# Compiling and attaching is work of seconds in an emulated host.
_ATTACH_S = 120.0
# Coming and going it leaves work to the kernel, which no trial shall bear: functions are patched, again when probes
# become jumps.
_SETTLES_S = 3.0
_SHOWS_S = 5.0
_LOOK_S = 0.02
# The key of a map: numbers, as the figure has them.
Key = tuple[int, ...]
Maps = Mapping[str, Mapping[Key, int]]


@dataclass(frozen=True)
class Counts:
    """One window. ``maps`` are by figure and key, see exit_program; ``absent`` says why others are not there."""

    seconds: float
    maps: Maps = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def has(self, figure: str) -> bool:
        """Whether it was counted."""
        return figure not in self.absent


class ExitCounter:
    """bpftrace beside a boot's trials. The pump that it is made with ends it in any case."""

    def __init__(self, host: Host, pump: Pump, setup: Setup) -> None:
        self._host, self._pump, self._setup = host, pump, setup
        self._child: Child | None = None
        self.absent: dict[str, str] = {}
        self._name = ""
        self._read = 0
        self._shown = 0
        self._opened_s = 0.0
        # Whether a window was closed of which nobody has asked what was counted.
        self._unread = False
        self._totals: dict[str, dict[Key, int]] = {}

    def start(self) -> None:
        """Attach; where that cannot be, ``absent`` says why and windows count nothing."""
        if not self._setup.counters:
            self._give_up(NOT_ASKED)
            return
        try:
            found = probes.look(self._host, WANTED)
            program = write(
                found,
                os.getpid(),
                sorted(self._setup.vms.values()),
                sorted(self._setup.workers),
                second_sources=self._setup.second_sources,
            )
            self.absent = dict(program.absent)
            self._name = self._host.read_or("/proc/self/comm") or "knobs_run"
            self._read = self._shown = 0
            self._unread = False
            self._totals = {}
            self._child = self._pump.start(probes.PROGRAM, leashed([probes.PROGRAM, "-f", "json", "-e", program.text]))
            self._await(READY, _ATTACH_S)
            self._settle()
        except VirtperfError as error:
            self._give_up(f"not available: {error.found or error.what}")

    def open(self) -> None:
        """Count from now on."""
        if self._unread:
            self.counts(0.0)
        if self._child is not None:
            processes.name_myself(COUNT_NAME)
        self._opened_s = time.monotonic()

    def close(self) -> float:
        """Count no more; returns the seconds that the window was open."""
        if self._child is not None:
            processes.name_myself(self._name)
            self._unread = True
        return time.monotonic() - self._opened_s

    def counts(self, seconds: float) -> Counts:
        """What was counted in the window that was closed last. Printing it costs CPU time on this host."""
        self._unread = False
        if self._child is None:
            return Counts(seconds, absent=dict(self.absent))
        before = self._totals
        processes.name_myself(SHOW_NAME)
        processes.name_myself(self._name)
        self._shown += 1
        try:
            self._await(f"{SHOWN} {self._shown}", _SHOWS_S)
        except VirtperfError as error:
            self._give_up(f"not available: {error.found}")
            return Counts(seconds, absent=dict(self.absent))
        grown = {name: growth(before.get(name, {}), now) for name, now in self._totals.items()}
        return Counts(seconds, grown, dict(self.absent))

    @contextmanager
    def away(self) -> Iterator[None]:
        """Count nothing meanwhile: no probe is attached, as if nobody had ever asked."""
        counted, known = self._child is not None, self.absent
        self.stop()
        if counted:
            self._settle()
        self.absent = {figure.name: NOT_ASKED for figure in FIGURES}
        try:
            yield
        finally:
            self.absent = known
            if counted:
                self.start()

    def stop(self) -> None:
        """End bpftrace."""
        if self._child is not None:
            processes.name_myself(END_NAME)
            processes.name_myself(self._name)
            self._pump.end(self._child)
            self._child = None

    def _settle(self) -> None:
        self._pump.wait_until(time.monotonic() + _SETTLES_S)

    def _give_up(self, reason: str) -> None:
        child, self._child = self._child, None
        self.absent.update({figure.name: reason for figure in FIGURES if figure.name not in self.absent})
        if child is not None:
            self._pump.end(child)

    def _await(self, said: str, patience_s: float) -> None:
        """Until it has printed that; maps that it printed before are read."""
        child = self._child
        if child is None:
            return
        limit_s = time.monotonic() + patience_s
        while True:
            lines = [line for _at_s, line in child.lines[self._read :]]
            for number, line in enumerate(lines):
                if _printed(line) == said:
                    # What came until then, and nothing that comes after.
                    self._totals = {**self._totals, **parse(lines[:number])}
                    self._read += number + 1
                    return
            if child.status is not None or time.monotonic() > limit_s:
                raise VirtperfError(
                    "bpftrace does not count",
                    found=f"waited for {said!r}, status {child.status}: {self._pump.last_words(child)}",
                    way_out="see whether it can at all on this host: bpftrace -e 'BEGIN { exit(); }'",
                )
            self._pump.wait_until(time.monotonic() + _LOOK_S)


def parse(lines: Iterable[str]) -> dict[str, dict[Key, int]]:
    """The maps in what bpftrace printed (``-f json``), the last of each name. Lines that are none are passed over."""
    sizes = {f"@{figure.name}": len(figure.keys) for figure in FIGURES}
    found: dict[str, dict[Key, int]] = {}
    for line in lines:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        data = said.get("data") if isinstance(said, dict) and said.get("type") == "map" else None
        for name, content in data.items() if isinstance(data, dict) else ():
            if name in sizes and isinstance(content, dict):
                found[name[1:]] = {
                    key: number
                    for text, number in content.items()
                    if (key := _key(text, sizes[name])) and isinstance(number, int) and not isinstance(number, bool)
                }
    return found


def growth(before: Mapping[Key, int], after: Mapping[Key, int]) -> dict[Key, int]:
    """What was added, where something was."""
    return {key: number - before.get(key, 0) for key, number in after.items() if number > before.get(key, 0)}


def _key(text: str, size: int) -> Key:
    words = text.split(",")
    good = len(words) == size and all(word.isascii() and word.isdecimal() for word in words)
    return tuple(int(word) for word in words) if good else ()


def _printed(line: str) -> str:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    good = isinstance(said, dict) and said.get("type") == "printf"
    return str(said.get("data", "")).rstrip("\n") if good else ""
