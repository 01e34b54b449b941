# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt's daemon: the domains that it runs, and those that it is asked to run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import document
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.domain import opened, told

_POLL_S = 0.05
# virDomainState.
_STATES = ("nostate", "running", "running", "paused", "shutdown", "shutoff", "crashed", "pmsuspended")
RUNNING, PAUSED = "running", "paused"


class Live:
    """A domain that libvirt knows."""

    def __init__(self, domain: Any, api: Any) -> None:
        self._domain = domain
        self._api = api
        self.name = str(domain.name())
        self.uuid = str(domain.UUIDString())
        self.active = bool(domain.isActive())

    def status(self) -> str:
        """A word for its state."""
        with told(self._api, f"domain {self.name}: its state"):
            number = int(self._domain.state()[0])
        return _STATES[number] if number < len(_STATES) else str(number)

    def taps(self) -> list[dict[str, object]]:
        """Its taps, as libvirt has them."""
        with told(self._api, f"domain {self.name}: its XML"):
            return document.taps(self._domain.XMLDesc())

    def resume(self) -> None:
        """Have its virtual CPUs run on."""
        with told(self._api, f"libvirt does not resume domain {self.name}"):
            self._domain.resume()

    def shut_down(self) -> None:
        """Press its power button; one that stands still never sees it."""
        with contextlib.suppress(self._api.libvirtError):
            self._domain.shutdown()

    def destroy(self) -> None:
        """End its process."""
        with told(self._api, f"libvirt does not end domain {self.name}", "see libvirt's log (journalctl -u libvirtd)"):
            self._domain.destroy()


class Daemon:
    """A connection to it."""

    def __init__(self, connection: Any, api: Any, uri: str) -> None:
        self._connection = connection
        self._api = api
        self.uri = uri

    def find(self, name: str) -> Live | None:
        """The domain of that name or UUID, running or only defined."""
        with told(self._api, "libvirt does not list its domains"):
            for domain in self._connection.listAllDomains():
                # One that ends meanwhile is none.
                with contextlib.suppress(self._api.libvirtError):
                    if name in (domain.name(), domain.UUIDString()):
                        return Live(domain, self._api)
        return None

    def security_models(self) -> list[str]:
        """The security drivers in use."""
        with told(self._api, "libvirt does not tell what this host can do"):
            return document.security_models(self._connection.getCapabilities())

    def create(self, name: str, xml: str) -> Live:
        """Start a domain that is gone when it ends: nothing of it is ever defined."""
        # Validated: what libvirt does not know, it would leave out without a word.
        with told(self._api, f"libvirt does not start domain {name}", "mend what it names"):
            return Live(self._connection.createXML(xml, self._api.VIR_DOMAIN_START_VALIDATE), self._api)

    def end(self, uuid: str, powerdown_s: float) -> str:
        """Power a domain down, or else destroy it; returns which one worked, "" when it did not run."""
        live = self._active(uuid)
        if live is None:
            return ""
        if powerdown_s and live.status() == RUNNING:
            live.shut_down()
            limit = time.monotonic() + powerdown_s
            while time.monotonic() < limit:
                if self._active(uuid) is None:
                    return "powerdown"
                time.sleep(_POLL_S)
        try:
            live.destroy()
        except VirtperfError:
            # It may have ended by itself in between.
            if self._active(uuid) is not None:
                raise
        return "destroy"

    def _active(self, uuid: str) -> Live | None:
        live = self.find(uuid)
        return live if live and live.active else None


@contextlib.contextmanager
def connected(uri: str) -> Iterator[Daemon]:
    """A connection; VirtperfError says what is missing."""
    with opened(uri) as (connection, api, _qemu_api):
        yield Daemon(connection, api, uri)
