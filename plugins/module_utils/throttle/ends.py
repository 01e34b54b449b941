# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a stream: where their programs run, and how they are reached."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, cast

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.clocks import Round
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import leashed

# Bash tells the time without a process for each answer, which an emulated guest takes tens of milliseconds to start.
_TELL_TIME = 'LC_ALL=C; while read -r line; do echo "$EPOCHREALTIME"; done'
_ROUNDS = 8
_PATIENCE_S = 20.0
# The marker of throttle.sockets.looks.
_WATCH = 'pause=$1; shift; while ss -tinmOH "$@"; do echo @; sleep "$pause"; done'


@dataclass(frozen=True)
class End:
    """``through`` are the words of a command that hands its last argument to a shell there, as ssh does; empty: here.

    ``command`` makes or takes the traffic and prints lines; empty where somebody else does. ``ready`` succeeds as soon
    as others may begin. ``sockets`` is ss's filter for its connections; empty to look at none.
    """

    name: str
    through: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()

    def words(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command there."""
        return [*self.through, shlex.join(command)] if self.through else list(command)

    def leashed(self, command: Sequence[str]) -> list[str]:
        """The same, ended by the end of its standard input."""
        return self.words(leashed(command))

    def watch(self, every_s: float) -> list[str]:
        """The command line that prints its sockets again and again."""
        return self.leashed(["sh", "-c", _WATCH, "sh", f"{every_s:g}", *self.sockets])


def ask_time(end: End, rounds: int = _ROUNDS, patience_s: float = _PATIENCE_S) -> list[Round]:
    """Ask an end for its time, some rounds; fewer, or none, where it does not answer."""
    answered: list[Round] = []
    limit_s = time.monotonic() + patience_s
    try:
        process = subprocess.Popen(
            end.words(["bash", "-c", _TELL_TIME]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
    except OSError:
        return answered
    with process:
        asked, told = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        # Cut off, silent, or no bash: what is known so far has to do.
        with contextlib.suppress(OSError, ValueError):
            while len(answered) < rounds:
                before_s = time.time()
                asked.write(b"\n")
                line = _line(told.fileno(), limit_s)
                answered.append(Round(before_s, float(line), time.time()))
        process.kill()  # its other end sees its input end
    return answered


def _line(descriptor: int, limit_s: float) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        left_s = limit_s - time.monotonic()
        if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
            raise TimeoutError
        part = os.read(descriptor, 4096)
        if not part:
            raise BrokenPipeError
        data += part
    return data
