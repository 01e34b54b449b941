# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run beside the samples: each line that they print gets the instant at which it came.

Nothing here has threads: lines are read while the sampler waits for its next tick.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, cast

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_AT_ONCE = 65536
_LAST_WORDS = 2000
# How long a program may take to end once its leash is gone, before it is killed.
_PATIENCE_S = 3.0
# What a program wrote is there as soon as it has ended; reading it may take several goes.
_DYING_S = 0.02
# Runs its arguments and ends them when standard input closes: when we let go, and when we or the SSH connection between
# die. It ends with them as well. Dash gives what runs in the background no standard input, hence the copy.
_LEASH = (
    'exec 3<&0; "$@" </dev/null 3<&- & child=$!; '
    "{ cat <&3; kill $child; } >/dev/null 2>&1 & watcher=$!; "
    "wait $child; status=$?; kill $watcher 2>/dev/null; exit $status"
)


def leashed(words: Sequence[str]) -> list[str]:
    """The command, to be ended by the end of its standard input."""
    return ["sh", "-c", _LEASH, "sh", *words]


class Child:
    """A program that was started. ``lines`` are what it printed so far, with instants of the pump's clock."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        self.name = name
        self.lines: list[tuple[float, str]] = []
        self._rest = b""
        self._errors = b""
        try:
            self.process = subprocess.Popen(
                list(words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us; we end it
            )
        except OSError as error:
            raise VirtperfError(
                f"{name} cannot be started", found=str(error), way_out=f"install {words[0]}", command=list(words)
            ) from error

    def take(self, data: bytes, at_s: float) -> None:
        """Add what came on its standard output."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        self.lines += [(at_s, line.decode(errors="replace")) for line in whole]

    def take_error(self, data: bytes) -> None:
        """Add what came on its standard error; the end of it is kept."""
        self._errors = (self._errors + data)[-_LAST_WORDS:]

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self.process.poll()

    def last_words(self) -> str:
        """What it said last: its errors or else its output."""
        words = self._errors.decode(errors="replace").strip()
        return words or "\n".join(line for _at, line in self.lines[-5:])[-_LAST_WORDS:] or "nothing"


class Pump:
    """Starts programs, reads them while waiting, and ends them; a context manager."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self.children: list[Child] = []

    def start(self, name: str, words: Sequence[str]) -> Child:
        """Start a program; VirtperfError where there is none of that name."""
        child = Child(name, words)
        self.children.append(child)
        for stream, take in (
            (cast(IO[bytes], child.process.stdout), lambda data: child.take(data, self._clock())),
            (cast(IO[bytes], child.process.stderr), child.take_error),
        ):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, take)
        return child

    def wait_until(self, instant_s: float) -> None:
        """Read what comes until then; what is there already is read in any case."""
        while True:
            left_s = instant_s - self._clock()
            if not self._selector.get_map():
                time.sleep(max(0.0, left_s))
                return
            for key, _events in self._selector.select(max(0.0, left_s)):
                self._read(key)
            if self._clock() >= instant_s:
                return

    def _read(self, key: selectors.SelectorKey) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(key.fd, _AT_ONCE)
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fileobj)

    def last_words(self, child: Child) -> str:
        """What a program that has ended said last, all of it read."""
        self.wait_until(self._clock() + _DYING_S)
        return child.last_words()

    def end(self, child: Child) -> None:
        """Let go of its leash, and see that it ends."""
        process = child.process
        with contextlib.suppress(BrokenPipeError, OSError):
            if process.stdin is not None:
                process.stdin.close()
        limit_s = self._clock() + _PATIENCE_S
        while process.poll() is None and self._clock() < limit_s:
            self.wait_until(self._clock() + 0.02)
        if process.poll() is None:
            process.kill()
            process.wait()

    def __enter__(self) -> Pump:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self.children):
            self.end(child)
            for stream in (child.process.stdout, child.process.stderr):
                if stream is not None:
                    stream.close()
        self._selector.close()
