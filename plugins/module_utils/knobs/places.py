# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places that traffic comes from and goes to, with what the study needs beyond a station."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.connection import Connection
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import Guest
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.remote import RemoteStation, Through
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import Station


class Place(Station, Protocol):
    """A station that can be set up as well, and whose kernel makes packets."""

    def nudge(self, key: str, signal_number: int) -> None:
        """Send a program a signal."""

    def arrange(self, nic: Mapping[str, Any]) -> str:
        """Set a NIC up, see traffic.nic; returns its name."""

    def describe(self, mac_or_name: str) -> dict[str, Any]:
        """What was negotiated of a NIC, and how it is set."""

    def send(self, **what: Any) -> str:
        """Have the kernel make packets, see traffic.packets."""

    def hush(self) -> str:
        """No more of them."""


Connect = Callable[[Guest], AbstractContextManager[Place]]


@contextlib.contextmanager
def connect(guest: Guest) -> Iterator[Place]:
    """Over one connection for all of a boot; what was started there ends with it."""
    with Connection(Through(guest.name, guest.through)) as connection:
        yield RemoteStation(connection)


def is_alive(place: Place) -> bool:
    """Whether it answers at all."""
    try:
        place.command(["true"])
    except VirtperfError as error:
        return "rc" in error.facts or "program" in error.facts
    return True
