# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest as a station: one connection to its agent, a request and an answer for each thing it is asked for."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.connection import Connection
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import programs
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import Look
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.programs import Ended

# The agent answers well within what a connection waits for.
_SLICE_S = 5.0


@dataclass(frozen=True)
class Through:
    """The way into a guest by the words of a command that hands its last argument to a shell there, as ssh does."""

    guest: str
    words: tuple[str, ...]

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line that runs ``words`` there, each of them as it is."""
        return [*self.words, shlex.join(words)]


class RemoteStation:
    """Implements ``Station`` over an open connection; its programs end with it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def name(self) -> str:
        """As the connection's."""
        return self.connection.access.guest

    def start(self, key: str, words: Sequence[str], at_s: float | None = None) -> None:
        """The guest's own clock has the instant: what comes over the line may be late."""
        there_s = None if at_s is None else at_s - self.connection.offset_s
        self._do("start", key=key, words=[str(word) for word in words], at_s=there_s)

    def ended(self, key: str) -> Ended | None:
        """None while it runs."""
        return self._ended(self._do("ended", key=key))

    def finish(self, key: str, limit_s: float) -> Ended:
        """The guest waits for it, for some seconds at a time."""
        limit = time.monotonic() + limit_s
        while True:
            left_s = max(0.0, limit - time.monotonic())
            ended = self._ended(self._do("wait", key=key, limit_s=min(_SLICE_S, left_s)))
            if ended is not None:
                return ended
            if time.monotonic() >= limit:
                self._do("overdue", key=key, limit_s=limit_s)

    def stop(self, key: str) -> Ended:
        """End it."""
        ended = self._ended(self._do("stop", key=key))
        if ended is None:
            raise AssertionError("a stopped program has ended")
        return ended

    def nudge(self, key: str, signal_number: int) -> None:
        """Send it a signal."""
        self._do("nudge", key=key, signal_number=int(signal_number))

    def look(self, macs_or_names: Sequence[str]) -> Look:
        """As the guest read them, at an instant of our clock."""
        look = Look.of(self._do("look", macs_or_names=list(macs_or_names)))
        return replace(look, at_s=look.at_s + self.connection.offset_s)

    def command(self, words: Sequence[str], limit_s: float = 10.0) -> str:
        """Run it and return its output."""
        if limit_s <= 2 * _SLICE_S:
            return str(self._do("command", words=[str(word) for word in words], limit_s=limit_s))
        key = f"command {' '.join(str(word) for word in words)}"
        self.start(key, words)
        ended = self.finish(key, limit_s)
        if ended.status != 0:
            raise programs.failed([str(word) for word in words], ended.status, ended.stdout, ended.stderr)
        return ended.stdout

    def arrange(self, nic: Mapping[str, Any]) -> str:
        """Set a NIC up."""
        return str(self._do("arrange", nic=dict(nic)))

    def describe(self, mac_or_name: str) -> dict[str, Any]:
        """What was negotiated of a NIC, and how it is set."""
        return dict(self._do("describe", mac_or_name=mac_or_name))

    def send(self, **what: Any) -> str:
        """Have the guest's kernel make packets until ``hush``."""
        return str(self._do("send", **what))

    def hush(self) -> str:
        """No more packets; what pktgen says of them."""
        return str(self._do("hush"))

    def _do(self, method: str, **arguments: Any) -> Any:
        return self.connection.call("station", method=method, arguments=arguments)

    def _ended(self, raw: Mapping[str, Any] | None) -> Ended | None:
        if raw is None:
            return None
        offset_s = self.connection.offset_s
        ended_s = raw["ended_s"]
        return Ended(
            status=raw["status"],
            stdout=raw["stdout"],
            stderr=raw["stderr"],
            started_s=raw["started_s"] + offset_s,
            ended_s=None if ended_s is None else ended_s + offset_s,
        )
