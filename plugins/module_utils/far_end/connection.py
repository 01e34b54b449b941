# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line to an agent in a guest, and the ends at the other side of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import ForwardStats
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.carry import BOOTSTRAP, package
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access import ssh
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

# What an answer may take at most, by order: more than what the order itself waits for, for guests are slow.
_LIMITS_S = {"clock": 10.0, "hugepages": 60.0, "bind": 60.0, "end": 60.0, "do": 30.0, "station": 20.0}
_OPEN_S = 60.0
# How long ssh may take to say what it died of.
_LAST_WORDS_S = 0.5
_LAST_BYTES = 2000
_ROUNDS = 5
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What came back. The request left at ``asked_s`` by our CLOCK_MONOTONIC and was answered ``waited_s`` later; in
    between it was ``at_s`` by the guest's.
    """

    result: Any
    at_s: float
    asked_s: float
    waited_s: float


class Way(Protocol):
    """The way into a guest."""

    @property
    def guest(self) -> str:
        """What people call it."""

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line that runs ``words`` in it."""


class Connection:
    """A running agent in a guest; use it in a ``with`` block, or call ``open`` and ``close``.

    It is over with the first answer that does not come: every later call raises the same error. ``offset_s`` leads from
    the guest's CLOCK_MONOTONIC to ours. ``roots`` are where the agent finds its host's files, ``directory`` where its
    own are put.
    """

    def __init__(self, access: Way, *, roots: Host | None = None, directory: str = "/run") -> None:
        self.access = access
        self.offset_s = 0.0
        self.greeting: dict[str, Any] = {}
        self._told = {"roots": asdict(roots or Host()), "directory": directory}
        self._ssh: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._failure: VirtperfError | None = None
        # In memory, for nobody reads a pipe as long as all goes well.
        self._last_words = -1

    def __enter__(self) -> Connection:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self, limit_s: float = _OPEN_S) -> None:
        """Carry the agent over, wait for its first word, and learn the guest's time."""
        limit = time.monotonic() + limit_s
        archive = package()
        self._last_words = os.memfd_create("ssh's last words")
        self._ssh = ssh.start(
            self.access.command(["python3", "-IS", "-c", BOOTSTRAP]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._last_words,
        )
        try:
            self._send("start", json.dumps({**self._told, "bytes": len(archive)}).encode() + b"\n" + archive, limit)
            while "agent" not in self.greeting:
                # A shell's start files may print before it.
                with contextlib.suppress(ValueError):
                    said = json.loads(self._receive("start", limit))
                    self.greeting = said if isinstance(said, dict) else {}
            self._learn_time()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up. The agent then stops its ends and goes."""
        process, self._ssh = self._ssh, None
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
            process.kill()
            process.wait()
            os.close(self._last_words)

    @property
    def is_over(self) -> bool:
        """Whether an answer did not come."""
        return self._failure is not None

    def call(self, order: str, **arguments: Any) -> Any:
        """What an order returns; see far_end.orders. VirtperfError as the agent raised it, with the guest named."""
        return self.ask(order, **arguments).result

    def ask(self, order: str, **arguments: Any) -> Answer:
        """The same, with the time that it took."""
        request = json.dumps({"order": order, "arguments": arguments}).encode() + b"\n"
        asked_s = time.monotonic()
        limit = asked_s + _LIMITS_S.get(order, max(_LIMITS_S.values()))
        self._send(order, request, limit)
        line = self._receive(order, limit)
        answered_s = time.monotonic()
        try:
            said = json.loads(line)
            at_s = float(said["at_s"])
        except (ValueError, TypeError, KeyError) as error:
            raise self._over(order, f"no answer of an agent's: {line[:200]!r}") from error
        # The guest read its clock after we asked and before its answer came: one that drifts is followed.
        self.offset_s = min(max(self.offset_s, asked_s - at_s), answered_s - at_s)
        if "error" in said:
            raise self.error(said["error"])
        return Answer(said["result"], at_s, asked_s, answered_s - asked_s)

    def error(self, told: Mapping[str, Any]) -> VirtperfError:
        """An error of the guest's as one of ours."""
        facts = {**told["facts"], "guest": self.access.guest}
        what = f"in guest {self.access.guest}: {told['what']}"
        return VirtperfError(what, found=told["found"], way_out=told["way_out"], **facts)

    def _learn_time(self) -> None:
        """The guest reads its clock in the middle of a round, to half the round's time: the fastest of some counts."""
        best = min((self.ask("clock") for _round in range(_ROUNDS)), key=lambda answer: answer.waited_s)
        self.offset_s = best.asked_s + best.waited_s / 2 - best.at_s

    # -- lines ---------------------------------------------------------------------------------------------------

    def _send(self, order: str, data: bytes, limit: float) -> None:
        stream = self._stream("stdin")
        os.set_blocking(stream, False)
        left = memoryview(data)
        while left:
            _readable, writable, _broken = select.select([], [stream], [], max(0.0, limit - time.monotonic()))
            if not writable:
                raise self._over(order, "the request is not taken in time")
            try:
                left = left[os.write(stream, left) :]
            except OSError as error:
                raise self._over(order, "the connection broke") from error

    def _receive(self, order: str, limit: float) -> bytes:
        stream = self._stream("stdout")
        while b"\n" not in self._buffer:
            readable, _writable, _broken = select.select([stream], [], [], max(0.0, limit - time.monotonic()))
            if not readable:
                raise self._over(order, "no answer in time")
            chunk = os.read(stream, _CHUNK_BYTES)
            if not chunk:
                raise self._over(order, "the connection broke")
            self._buffer += chunk
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        return line

    def _stream(self, name: str) -> int:
        stream = getattr(self._ssh, name, None)
        if self._failure is not None:
            raise self._failure
        if stream is None:
            raise VirtperfError(f"guest {self.access.guest}: its connection is closed", guest=self.access.guest)
        number: int = stream.fileno()
        return number

    def _over(self, order: str, why: str) -> VirtperfError:
        """The error that this connection ends with; it has the end of what ssh and the agent had to say."""
        process = self._ssh
        status: int | None = None
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(_LAST_WORDS_S)
            if status is None:
                process.kill()
                process.wait()
        start = max(0, os.fstat(self._last_words).st_size - _LAST_BYTES)
        words = os.pread(self._last_words, _LAST_BYTES, start).decode(errors="replace").strip()
        ended = f"; ssh ended with status {status}" if status is not None else ""
        self._failure = VirtperfError(
            f"guest {self.access.guest} does not answer ({order})",
            found=f"{why}{ended}" + (f"; the last words were:\n{words}" if words else ""),
            way_out="see whether its VM still runs, and the end of its console",
            guest=self.access.guest,
            last_words=words,
        )
        return self._failure


class RemoteEnd:
    """Implements ``End`` for one that an agent keeps by this name. Times are by our clock."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name

    def offer(self, packet_size: int, *, forwarding: bool) -> None:
        """Stop, or start anew with packets of so many bytes."""
        self._do("offer", packet_size=packet_size, forwarding=forwarding)

    def clear(self) -> None:
        """Begin a new stretch of statistics."""
        self._do("clear")

    def counters(self) -> Counters:
        """As the guest read them. The time is the guest's, led to our clock; ``waited_s`` is our whole round trip."""
        answer = self._do("counters")
        there = Counters(**answer.result)
        return replace(there, at_s=there.at_s + self.connection.offset_s, waited_s=answer.waited_s)

    def statistics(self) -> ForwardStats | None:
        """Since ``clear``."""
        found = self._do("statistics").result
        return None if found is None else ForwardStats(**found)

    def cpu_seconds(self) -> dict[int, float]:
        """By the guest's own thread ids, in what the guest takes for seconds of a CPU."""
        return {int(thread): seconds for thread, seconds in self._do("cpu_seconds").result.items()}

    def setup(self) -> dict[str, Any]:
        """What it says of itself, and the guest's kernel."""
        return {**self._do("setup").result, "kernel": self.connection.greeting["agent"]["kernel"]}

    def is_running(self) -> bool:
        """Whether the guest answers and says so."""
        try:
            return bool(self._do("is_running").result)
        except VirtperfError:
            return False

    def died(self) -> VirtperfError:
        """Its death as the guest tells it, or that the guest tells nothing any more."""
        try:
            return self.connection.error(self._do("died").result)
        except VirtperfError as error:
            return error

    def log(self) -> str:
        """All that it has printed; "" when the guest does not answer."""
        try:
            return str(self._do("log").result)
        except VirtperfError:
            return ""

    def stop(self) -> str:
        """End it; a guest that does not answer has taken it along."""
        try:
            return str(self._do("stop").result)
        except VirtperfError:
            return ""

    def _do(self, method: str, **arguments: Any) -> Answer:
        return self.connection.ask("do", name=self.name, method=method, arguments=arguments)
