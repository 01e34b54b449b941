# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client for QMP, QEMU's control protocol: JSON lines over a unix socket, one client at a time."""

from __future__ import annotations

import json
import os
import socket
import time
from types import TracebackType
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_CHUNK_BYTES = 1 << 16


class QmpError(VirtperfError):
    """QEMU did not answer, or refused."""


class Silent(QmpError):
    """No answer within the time given; the connection is still good."""


class Qmp:
    """A connection to one QEMU; use it in a ``with`` block.

    ``connect`` and ``greet`` are apart because QEMU accepts connections long before it answers: it waits for its
    vhost-user ports in between.
    """

    def __init__(self, path: str, timeout_s: float = 5.0) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self.greeting: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self._buffer = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Qmp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; QEMU then serves the next client."""
        self._socket.close()

    def connect(self) -> None:
        """Reach the socket; QmpError when nobody listens there."""
        self._socket.settimeout(self.timeout_s)
        try:
            self._socket.connect(self.path)
        except OSError as error:
            raise self._no_answer(QmpError, "connect", str(error)) from error

    def greet(self, timeout_s: float | None = None) -> None:
        """Wait for the greeting and enter command mode. After Silent it may be called again."""
        if not self.greeting:
            said = self._receive("greeting", time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s))
            if not isinstance(said.get("QMP"), dict):
                raise self._no_answer(QmpError, "greeting", repr(said)[:200])
            self.greeting = said["QMP"]
            self.execute("qmp_capabilities")

    def execute(self, name: str, timeout_s: float | None = None, **arguments: Any) -> Any:
        """What a command returns; QmpError carries QEMU's words when it refuses. Events are kept in ``events``."""
        command: dict[str, Any] = {"execute": name}
        if arguments:
            command["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
        try:
            self._socket.settimeout(self.timeout_s)
            self._socket.sendall(json.dumps(command).encode() + b"\n")
        except OSError as error:
            raise self._no_answer(QmpError, name, str(error)) from error
        limit = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while True:
            said = self._receive(name, limit)
            if "event" in said:
                self.events.append(said)
            elif "return" in said:
                return said["return"]
            elif "error" in said:
                refusal = said["error"]
                found = refusal.get("desc", "") if isinstance(refusal, dict) else ""
                raise QmpError(
                    f"QEMU refuses {name!r} on {self.path}",
                    found=str(found or refusal),
                    way_out="see what state the VM is in, and whether this QEMU knows the command",
                )
            else:
                raise self._no_answer(QmpError, name, repr(said)[:200])

    def wait_event(self, name: str, timeout_s: float) -> dict[str, Any]:
        """The next event of that name, also one that came before it was asked for."""
        limit = time.monotonic() + timeout_s
        while True:
            for number, event in enumerate(self.events):
                if event.get("event") == name:
                    return self.events.pop(number)
            said = self._receive(f"event {name}", limit)
            if "event" in said:
                self.events.append(said)

    def _receive(self, what: str, limit: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            left_s = limit - time.monotonic()
            try:
                # At least one look: what has come already counts, however late we are.
                self._socket.settimeout(max(left_s, 0.001))
                chunk = self._socket.recv(_CHUNK_BYTES)
            except socket.timeout as error:
                raise self._no_answer(Silent, what, "no answer in time") from error
            except OSError as error:
                raise self._no_answer(QmpError, what, str(error)) from error
            if not chunk:
                raise self._no_answer(QmpError, what, "it hung up")
            self._buffer += chunk
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        try:
            said = json.loads(line)
        except ValueError as error:
            raise self._no_answer(QmpError, what, repr(line[:200])) from error
        if not isinstance(said, dict):
            raise self._no_answer(QmpError, what, repr(said)[:200])
        return said

    def _no_answer(self, kind: type[QmpError], what: str, found: str) -> QmpError:
        return kind(
            f"the QEMU behind {self.path} does not answer ({what})",
            found=found,
            way_out=f"see whether it still runs and what {os.path.dirname(self.path)}/qemu.log says",
        )


def connected(path: str, timeout_s: float = 5.0) -> Qmp:
    """A connection that is ready for commands."""
    qmp = Qmp(path, timeout_s)
    try:
        qmp.connect()
        qmp.greet()
    except BaseException:
        qmp.close()
        raise
    return qmp
