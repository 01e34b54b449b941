# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both ends of the VNC workload have in common: how they begin and end, and the programs that they start.

An end runs until SIGTERM, and takes all that it has started with it, even when it is killed itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NoReturn

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_PR_SET_PDEATHSIG = 1
_PATIENCE_S = 2.0
_LAST_BYTES = 4000
_LAST_LINES = 3


class Child:
    """A program that was started. It ends with us, and what it says is kept for the case that it fails."""

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        package: str,
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed in end()
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        try:
            self._process = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                pass_fds=pass_fds,
                preexec_fn=lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
            )
        except OSError as error:
            self._log.close()
            raise VirtperfError(
                f"{name} cannot be started", found=str(error), way_out=f"apt-get install {package}"
            ) from error

    def said(self) -> str:
        """The end of what it has said so far."""
        self._log.seek(max(0, os.fstat(self._log.fileno()).st_size - _LAST_BYTES))
        return self._log.read().decode(errors="replace")

    def check(self, last_words: Callable[[str], Sequence[str]] = str.splitlines) -> None:
        """VirtperfError if it has ended, in one line. ``last_words`` picks what matters of what it said."""
        if self._process.poll() is not None:
            lines = [line.strip() for line in last_words(self.said()) if line.strip()]
            status = self._process.returncode
            raise VirtperfError(
                f"{self.name} has ended{f' with status {status}' if status else ''}",
                found="; ".join(lines[-_LAST_LINES:]) or "it said nothing",
            )

    def end(self) -> None:
        """End it, with force if it has to be."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Place:
    """Where an end keeps what it needs while it runs: a directory of its own beside the program, gone at its end.

    ``ready`` is a file beside it that has our pid as soon as others may begin.
    """

    def __init__(self, program: str) -> None:
        self.home = os.path.dirname(os.path.realpath(program))
        self._ready = ready_file(os.path.realpath(program))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._ready)
        self.directory = tempfile.mkdtemp(dir=self.home, prefix=f".{os.path.basename(program)}-")

    @property
    def environment(self) -> dict[str, str]:
        """For programs that would leave files in the user's home otherwise."""
        names = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
        return dict.fromkeys(names, self.directory)

    def ready(self) -> None:
        """Let others begin."""
        draft = os.path.join(self.directory, "ready")
        with open(draft, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
        os.replace(draft, self._ready)

    def leave(self) -> None:
        """Take all of it away. One that was started after us may have said meanwhile that it is ready."""
        with contextlib.suppress(OSError, ValueError), open(self._ready, encoding="ascii") as file:
            if int(file.read()) == os.getpid():
                os.unlink(self._ready)
        shutil.rmtree(self.directory, ignore_errors=True)


def ready_file(program: str) -> str:
    """The file that has a program's pid as soon as others may begin."""
    return f"{program}.ready"


def tell(event: str, number: int) -> None:
    """Print a marker."""
    sys.stdout.write(json.dumps({"event": event, "number": number, "at": round(time.time(), 6)}) + "\n")
    sys.stdout.flush()


def run(name: str, work: Callable[[contextlib.ExitStack, Place], None]) -> NoReturn:
    """Do an end's work until SIGTERM; what goes wrong is told in one line.

    ``work`` leaves on the stack what has to end.
    """
    _end_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    status = 0
    try:
        with contextlib.ExitStack() as stack:
            place = Place(sys.argv[0])
            stack.callback(place.leave)
            stack.callback(_end_undisturbed)
            work(stack, place)
    except BrokenPipeError:  # nobody listens any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (VirtperfError, OSError) as error:
        sys.stderr.write(f"{name}: {' '.join(str(error).split())}\n")
        status = 1
    raise SystemExit(status)


def _end_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _end_undisturbed() -> None:
    """A second signal must not keep us from ending what we have started."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
