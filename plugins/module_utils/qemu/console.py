# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests that say on their console that they are ready, and what is told of those that never do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import BROKEN, Observed

_POLL_S = 0.05
# A guest that hangs says nothing more; whether it does is asked so often.
_ASK_S = 1.0


@dataclass(frozen=True)
class Sign:
    """What a guest's console says when the guest is ready, and how long to wait for it, in s."""

    text: str
    timeout_s: float

    def __post_init__(self) -> None:
        if not self.text.strip() or not self.text.isprintable():
            raise VirtperfError(
                "what a guest says when it is ready is not usable",
                found=repr(self.text),
                way_out="give a part of one line, such as 'virtperf: ready'",
            )


class Guest(Protocol):
    """A VM with a console: one of ours, or a domain of libvirt's."""

    name: str
    serial_path: str

    def is_running(self) -> bool:
        """Whether there is a process."""

    def console_end(self) -> str:
        """The end of what it has printed."""

    def died(self) -> VirtperfError:
        """The error that reports its death."""

    def observe(self) -> Observed:
        """Its status."""


def wait(instances: Sequence[Guest], sign: Sign) -> dict[str, float]:
    """Wait until the console of each VM has said it; returns after how many s, by name.

    One that said it before counts. VirtperfError for the first one that dies, and for all that are not ready in time.
    """
    begun = time.monotonic()
    waiting = [_Listener(instance, sign.text) for instance in instances]
    ready: dict[str, float] = {}
    asked = begun
    while True:
        for listener in list(waiting):
            # In this order: what it said before its end is in the log when its end is seen.
            alive = listener.instance.is_running()
            if listener.has_said():
                ready[listener.instance.name] = round(time.monotonic() - begun, 3)
                waiting.remove(listener)
            elif not alive:
                raise listener.instance.died()
        if not waiting:
            return ready
        if time.monotonic() - asked > _ASK_S:
            _check_whole([listener.instance for listener in waiting])
            asked = time.monotonic()
        if time.monotonic() - begun > sign.timeout_s:
            raise _never(sign, [listener.instance for listener in waiting])
        time.sleep(_POLL_S)


class _Listener:
    """Reads what is new in a console's log, with enough of the old to find a text that came in two parts."""

    def __init__(self, instance: Guest, text: str) -> None:
        self.instance = instance
        self._text = text.encode()
        self._position = 0

    def has_said(self) -> bool:
        try:
            with open(self.instance.serial_path, "rb") as log:
                log.seek(self._position)
                found = log.read()
        except FileNotFoundError:
            return False
        self._position += max(0, len(found) - len(self._text) + 1)
        return self._text in found


def _check_whole(instances: Sequence[Guest]) -> None:
    """Raise for the first one whose guest has been stopped for good."""
    for instance in instances:
        status = instance.observe().status
        if status in BROKEN:
            raise VirtperfError(
                f"VM {instance.name} will not go on: QEMU calls it {status}",
                found=instance.console_end() or "nothing was ever printed",
                way_out="see dmesg on the host; accel: tcg does without KVM",
                log_end=instance.console_end(),
            )


def _never(sign: Sign, silent: Sequence[Guest]) -> VirtperfError:
    ends = {instance.name: instance.console_end() for instance in silent}
    shown = "\n".join(
        f"-- {instance.name}, which QEMU calls {instance.observe().status}, ends with:\n"
        f"{ends[instance.name] or '(nothing was ever printed)'}"
        for instance in silent
    )
    return VirtperfError(
        f"{', '.join(ends)}: no {sign.text!r} on the console in {sign.timeout_s:g} s",
        found=shown,
        way_out=f"see {silent[0].serial_path}; a guest's kernel needs console=ttyS0, and a slow one a longer timeout",
        not_ready=sorted(ends),
        log_end=shown,
    )
