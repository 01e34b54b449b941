# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in the background: each has a thread that starts it at its instant and waits for its end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
# What a program printed last is kept up to this; nobody has more to say that is read.
_MOST_BYTES = 4 << 20
_LAST_WORDS = 2000
_PATIENCE_S = 3.0
# How long a program that was told to start now may take for that.
_STARTS_S = 20.0
# Where a program is packaged by another name.
_PACKAGES = {"netserver": "netperf", "ab": "apache2-utils", "ip": "iproute2", "tc": "iproute2"}


@dataclass(frozen=True)
class Ended:
    """A program's end. ``status`` is negative for a signal, None where it was not started at all. Instants are on
    CLOCK_MONOTONIC of the hypervisor; ``started_s`` is when the kernel had begun to run it.
    """

    status: int | None
    stdout: str
    stderr: str
    started_s: float
    ended_s: float | None

    @property
    def last_words(self) -> str:
        """What it said last: its errors, or else its output."""
        return self.stderr.strip()[-_LAST_WORDS:] or self.stdout.strip()[-_LAST_WORDS:] or "nothing"


class Program:
    """One that was started, or is going to be."""

    def __init__(self, words: Sequence[str], at_s: float | None) -> None:
        self.words = [str(word) for word in words]
        self._at_s = at_s
        self._output, self._errors = os.memfd_create("output"), os.memfd_create("errors")
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: VirtperfError | None = None
        self._started_s = self._ended_s = 0.0
        self._cancelled, self._begun, self._over = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def _live(self) -> None:
        """The kernel ends the program with the thread that started it: this one, which stays until its end."""
        try:
            if self._at_s is None or not self._cancelled.wait(max(0.0, self._at_s - time.monotonic())):
                self._run()
        except OSError as error:
            self._failure = VirtperfError(
                f"{self.words[0]} cannot be started", found=str(error), cmd=self.words, errno=error.errno
            )
        finally:
            self._ended_s = time.monotonic()
            self._begun.set()
            self._over.set()

    def _run(self) -> None:
        # In one go, so that ``stop`` finds a process or sees that none will be.
        self._process = subprocess.Popen(
            self.words,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
            preexec_fn=_EndWith(os.getpid()),
        )
        self._started_s = time.monotonic()
        self._begun.set()
        self._process.wait()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or could not be started."""
        return self._over.is_set()

    def wait_begun(self) -> None:
        """Until it runs; VirtperfError where it cannot be started."""
        if not self._begun.wait(_STARTS_S):
            raise VirtperfError(f"{self.words[0]} is not started after {_STARTS_S:g} s", cmd=self.words)
        if self._failure is not None:
            raise self._failure

    def wait(self, limit_s: float) -> Ended | None:
        """Its end; None when it still runs after that time."""
        return self.ended() if self._over.wait(max(0.0, limit_s)) else None

    def ended(self) -> Ended | None:
        """None while it runs, or waits for its instant; VirtperfError where it could not be started."""
        if not self.is_over:
            return None
        if self._failure is not None:
            raise self._failure
        output, errors = _read(self._output), _read(self._errors)
        if self._process is None:
            return Ended(None, output, errors or "it was stopped before its instant", self._ended_s, self._ended_s)
        return Ended(self._process.returncode, output, errors, self._started_s, self._ended_s)

    def so_far(self) -> str:
        """The end of what it has said."""
        said = _read(self._errors).strip() or _read(self._output).strip()
        return said[-_LAST_WORDS:] or "nothing"

    def signal(self, number: int) -> None:
        """To it and to what it has started."""
        if self._process is not None and not self.is_over:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        self._cancelled.set()
        if not self._begun.wait(_STARTS_S):
            raise VirtperfError(f"{self.words[0]} neither starts nor fails", cmd=self.words)
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            if self._over.wait(_PATIENCE_S):
                return
        raise VirtperfError(f"{self.words[0]} survives SIGKILL", way_out="it is stuck in the kernel", cmd=self.words)

    def forget(self) -> None:
        """Let go of what it said."""
        for descriptor in (self._output, self._errors):
            os.close(descriptor)


class Programs:
    """Those of one place, by the key that each was started under."""

    def __init__(self) -> None:
        self._programs: dict[str, Program] = {}

    def start(self, key: str, words: Sequence[str], at_s: float | None = None) -> None:
        """Now, or at an instant of this machine's CLOCK_MONOTONIC; VirtperfError where it cannot be."""
        known = self._programs.get(key)
        if known is not None and not known.is_over:
            raise VirtperfError(
                f"{key} runs already", found=" ".join(known.words), way_out="stop it first, or choose another key"
            )
        if shutil.which(str(words[0])) is None:
            raise not_installed(str(words[0]))
        if known is not None:
            known.forget()
        program = self._programs[key] = Program(words, at_s)
        if at_s is None:
            program.wait_begun()

    def of(self, key: str) -> Program:
        """VirtperfError where none was started."""
        if key not in self._programs:
            raise VirtperfError(
                f"no program {key} was started", found=", ".join(self._programs) or "none", way_out="start it first"
            )
        return self._programs[key]

    def wait(self, key: str, limit_s: float) -> Ended | None:
        """Its end; None when it still runs after that time."""
        return self.of(key).wait(limit_s)

    def overdue(self, key: str, limit_s: float) -> VirtperfError:
        """Stop one that takes too long; the error that tells of it, with its last words."""
        program = self.of(key)
        said = program.so_far()
        program.stop()
        return VirtperfError(
            f"{program.words[0]} did not end within {limit_s:g} s",
            found=f"its last words: {said}",
            way_out="see whether its other end answers",
            cmd=program.words,
        )

    def stop(self, key: str) -> Ended:
        """End it; of one that has ended already, that end."""
        program = self.of(key)
        program.stop()
        ended = program.ended()
        if ended is None:
            raise VirtperfError(f"{key} does not end")
        return ended

    def close(self) -> None:
        """End them all; one that cannot be ended keeps no other from it."""
        failures = []
        for program in self._programs.values():
            try:
                program.stop()
            except VirtperfError as error:
                failures.append(str(error))
            else:
                program.forget()
        self._programs.clear()
        if failures:
            raise VirtperfError("not all programs could be ended", found="; ".join(failures))


def run(words: Sequence[str], limit_s: float, text: str | None = None) -> str:
    """A program's output; VirtperfError has its command line, status and errors. ``text`` is its standard input."""
    given = [str(word) for word in words]
    try:
        done = subprocess.run(
            given,
            input="" if text is None else text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except FileNotFoundError as error:
        raise not_installed(given[0]) from error
    except subprocess.TimeoutExpired as error:
        raise VirtperfError(f"{' '.join(given)} takes longer than {limit_s:g} s", cmd=given) from error
    if done.returncode != 0:
        raise failed(given, done.returncode, done.stdout, done.stderr)
    return done.stdout


def failed(words: Sequence[str], status: int | None, stdout: str, stderr: str) -> VirtperfError:
    """The error for a command that did not succeed."""
    said = stderr.strip() or stdout.strip() or "it said nothing"
    return VirtperfError(
        f"{' '.join(words)} failed with status {status}",
        found=said[-_LAST_WORDS:],
        cmd=list(words),
        rc=status,
        stdout=stdout[-_LAST_WORDS:],
        stderr=stderr[-_LAST_WORDS:],
    )


def not_installed(program: str) -> VirtperfError:
    """The error for a program that is not there."""
    return VirtperfError(
        f"{program} is not installed", way_out=f"apt-get install {_PACKAGES.get(program, program)}", program=program
    )


def _read(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, _MOST_BYTES, max(0, size - _MOST_BYTES)).decode(errors="replace")


class _EndWith:
    """In the child, before its program begins: let the kernel kill it when whoever started it dies."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._prctl = ctypes.CDLL(None).prctl

    def __call__(self) -> None:
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._parent:
            os._exit(1)
