# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place that traffic comes from or goes to: programs in the background, and looks at its interfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import programs
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import Look, Looker
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.programs import Ended, Programs

if TYPE_CHECKING:
    from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.packets import Packets

__all__ = ["METHODS", "Ended", "LocalStation", "Station", "obey"]

# What a station is asked for from afar.
METHODS = frozenset(
    {"start", "ended", "wait", "overdue", "stop", "nudge", "look", "command", "arrange", "describe", "send", "hush"}
)


class Station(Protocol):
    """The hypervisor, or a guest. All instants are on the hypervisor's CLOCK_MONOTONIC."""

    @property
    def name(self) -> str:
        """What people call it."""

    def start(self, key: str, words: Sequence[str], at_s: float | None = None) -> None:
        """A program in the background, now or at an instant; VirtperfError if it cannot be started."""

    def ended(self, key: str) -> Ended | None:
        """None while it runs."""

    def finish(self, key: str, limit_s: float) -> Ended:
        """Wait for its end; VirtperfError with its last words, and it is ended, when it takes longer."""

    def stop(self, key: str) -> Ended:
        """End it: SIGTERM, then SIGKILL."""

    def look(self, macs_or_names: Sequence[str]) -> Look:
        """The counters of these interfaces; VirtperfError where one is not there."""

    def command(self, words: Sequence[str], limit_s: float = 10.0) -> str:
        """Run it and return its output; VirtperfError with cmd, rc and stderr where it fails."""


class LocalStation:
    """This machine; in a guest's agent, that guest."""

    def __init__(self, host: Host, name: str = "hypervisor") -> None:
        self.host = host
        self.name = name
        self._programs = Programs()
        self._looker = Looker(host)
        self._packets: Packets | None = None

    def start(self, key: str, words: Sequence[str], at_s: float | None = None) -> None:
        """Now, or at an instant of this machine's CLOCK_MONOTONIC."""
        self._programs.start(key, words, at_s)

    def ended(self, key: str) -> Ended | None:
        """None while it runs."""
        return self._programs.of(key).ended()

    def wait(self, key: str, limit_s: float) -> Ended | None:
        """Its end; None when it still runs after that time."""
        return self._programs.wait(key, limit_s)

    def finish(self, key: str, limit_s: float) -> Ended:
        """Wait for its end, and end it when it takes longer."""
        ended = self.wait(key, limit_s)
        if ended is None:
            self.overdue(key, limit_s)
            raise AssertionError("unreachable")
        return ended

    def overdue(self, key: str, limit_s: float) -> None:
        """End one that took too long; raises VirtperfError with its last words."""
        raise self._programs.overdue(key, limit_s)

    def stop(self, key: str) -> Ended:
        """End it."""
        return self._programs.stop(key)

    def nudge(self, key: str, signal_number: int) -> None:
        """Send it a signal."""
        self._programs.of(key).signal(signal_number)

    def look(self, macs_or_names: Sequence[str]) -> Look:
        """The counters of these interfaces."""
        return self._looker.look(macs_or_names)

    def command(self, words: Sequence[str], limit_s: float = 10.0) -> str:
        """Run it and return its output."""
        return programs.run(words, limit_s)

    def arrange(self, nic: Mapping[str, Any]) -> str:
        """Set a NIC up as traffic.nic has it; returns its name."""
        from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import nic as nics

        return nics.arrange(self.host, nic)

    def describe(self, mac_or_name: str) -> dict[str, Any]:
        """What was negotiated of a NIC and how it is set; see traffic.nic."""
        from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import nic as nics

        return nics.describe(self.host, mac_or_name)

    def send(self, **what: Any) -> str:
        """Have the kernel make packets until ``hush``; see traffic.packets."""
        from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.packets import Packets

        self.hush()
        packets = Packets(self.host, **what)
        self._packets = packets
        packets.start()
        return packets.command()

    def hush(self) -> str:
        """No more packets; what pktgen says of them."""
        packets, self._packets = self._packets, None
        return packets.stop() if packets is not None else ""

    def close(self) -> None:
        """End everything that was started."""
        try:
            self.hush()
        finally:
            self._programs.close()


def obey(station: LocalStation, method: str, arguments: Mapping[str, Any]) -> Any:
    """Call a method by its name, for the agent of a guest."""
    if method not in METHODS:
        raise VirtperfError(f"a station does not {method!r}", way_out=f"one of {', '.join(sorted(METHODS))}")
    return getattr(station, method)(**arguments)
