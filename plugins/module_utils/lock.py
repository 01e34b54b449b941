# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on a host: a lock file that names the run which holds it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, write_atomically

# A run from another controller counts as alive for so long after its last sign; modules give a sign at each call and
# the one that measures several a minute.
LEASE_S = 900.0


# The argument that action plugins fill in: the process that asks.
CONTROLLER_ARGUMENTS: dict[str, Any] = {
    "controller": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "pid": {"type": "int", "required": True},
            "start": {"type": "int", "required": True},
            "boot": {"type": "str", "required": True},
            "host": {"type": "str", "default": ""},
        },
    },
}


@dataclass(frozen=True)
class Holder:
    """Who holds the lock: the run, and the controller's process (on the machine with boot id ``boot``).

    ``host_boot`` is the boot id of the held host itself, filled in when the lock is taken. ``host`` is what the run
    calls the host: a machine that stands in an inventory under two names is one machine.
    """

    run_id: str
    controller: str
    pid: int
    start: int
    boot: str
    since: str
    host_boot: str = ""
    host: str = ""

    @property
    def identity(self) -> processes.Identity:
        """The controller's process."""
        return processes.Identity(self.pid, self.start, self.boot)

    def __str__(self) -> str:
        name = f" (which calls it {self.host})" if self.host else ""
        return f"run {self.run_id}{name}, started {self.since} by process {self.pid} on {self.controller}"


class RunLock:
    """The host's lock, ``<state>/lock.json``. Its modification time is the run's last sign of life."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.path = os.path.join(host.state, "lock.json")

    def holder(self) -> Holder | None:
        """Who holds it; None when it is free."""
        try:
            return Holder(**json.loads(self.host.read(self.path)))
        except (OSError, ValueError, TypeError):
            return None

    def is_same(self, holder: Holder, asker: Holder) -> bool:
        """Whether both are the same run of the same process, with the same host in mind."""
        return (holder.run_id, holder.identity, holder.host) == (asker.run_id, asker.identity, asker.host)

    def is_alive(self, holder: Holder) -> bool:
        """Whether the holder still runs: seen if its controller is this machine, else judged by its last sign."""
        boot = processes.boot_id(self.host)
        if holder.host_boot not in ("", boot):
            return False  # the host was booted since: nothing of that run goes on here
        if holder.boot == boot:
            return processes.is_running(self.host, holder.identity)
        return self.silence_s() < LEASE_S

    def silence_s(self) -> float:
        """Seconds since the last sign of life."""
        try:
            return max(0.0, time.time() - os.stat(self.path).st_mtime)
        except OSError:
            return float("inf")

    def take(self, asker: Holder) -> None:
        """Take a free lock; VirtperfError names the run that holds it."""
        self.host.private_directory(self.host.state)
        lease = f"{self.path}.{os.getpid()}"
        write_atomically(lease, json.dumps(asdict(replace(asker, host_boot=processes.boot_id(self.host)))))
        try:
            os.link(lease, self.path)  # whole from its first moment on, and only one can make it
        except FileExistsError as error:
            holder = self.holder()
            if holder is not None:
                raise held_error(holder, self.silence_s()) from error
            os.replace(lease, self.path)  # what was there names nobody
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(lease)

    def check_not_held_by_another(self, run_id: str) -> None:
        """VirtperfError when a living run of another name holds the host; a sign of life when it is our own."""
        holder = self.holder()
        if holder is not None and holder.run_id == run_id:
            self.sign()
        elif holder is not None and self.is_alive(holder):
            raise held_error(holder, self.silence_s())

    def sign(self) -> None:
        """Give a sign of life."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path)

    def release(self, whose: Holder | None = None) -> None:
        """Free it; given a holder, only if it is still that one's."""
        now = self.holder()
        if whose is None or (now is not None and self.is_same(now, whose)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)


def asking(params: Mapping[str, Any]) -> Holder:
    """Who a module's arguments say is asking: the run and its controller's process."""
    controller = params["controller"]
    return Holder(
        run_id=params["run_id"],
        controller=controller["name"],
        pid=controller["pid"],
        start=controller["start"],
        boot=controller["boot"],
        host=controller.get("host", ""),
        since=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def held_error(holder: Holder, silence_s: float) -> VirtperfError:
    """The refusal of a second run."""
    return VirtperfError(
        "another run holds this host",
        found=f"{holder}, last sign {silence_s:.0f} s ago",
        way_out="wait for its end, or stop it; when it is dead for certain, run the restore stage with"
        " -e restore_force=true",
        holder=asdict(holder),
    )
