# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending back what comes in: tc's action mirred redirects every packet to the interface that it came from."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.threads import of_cpus
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Thread

_PATIENCE_S = 20


class Mirror:
    """Reflects on ``interfaces``, in the softirqs of ``cpus``."""

    def __init__(self, host: Host, interfaces: Sequence[str], cpus: Sequence[int]) -> None:
        self.host = host
        self.interfaces = tuple(interfaces)
        self.cpus = tuple(cpus)
        self._on: list[str] = []

    def threads(self) -> list[Thread]:
        """What does the softirqs' work once there is much of it."""
        return of_cpus(self.host, "ksoftirqd/", self.cpus)

    def log(self) -> str:
        """What the filters counted."""
        return "\n".join(self._tc("-s", "filter", "show", "dev", name, "ingress") for name in self._on)

    def is_healthy(self) -> bool:
        """The kernel does it by itself."""
        return True

    def command(self) -> str:
        """What it was told, for people to read."""
        return "; ".join(" ".join(["tc", *_filter(name)]) for name in self.interfaces)

    def prepare(self) -> None:
        """Reflect from the beginning, as whoever makes packets expects."""
        self.start()

    def start(self) -> None:
        """From now on."""
        for name in self.interfaces:
            if name not in self._on:
                self._tc("qdisc", "add", "dev", name, "clsact")
                self._on.append(name)
                self._tc(*_filter(name))

    def stop(self) -> None:
        """No more, and no trace of it."""
        while self._on:
            self._tc("qdisc", "del", "dev", self._on[-1], "clsact")
            self._on.pop()

    def remove(self) -> None:
        """Nothing is left after ``stop``."""

    def _tc(self, *words: str) -> str:
        program = shutil.which("tc")
        if program is None:
            raise VirtperfError("tc is not installed", way_out="apt-get install iproute2")
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
        if done.returncode != 0:
            raise VirtperfError(
                f"the kernel cannot send packets back: tc {' '.join(words)} failed",
                found=done.stderr.strip() or f"status {done.returncode}",
                way_out="it takes the modules sch_ingress, cls_matchall and act_mirred; install a kernel that has them",
            )
        return done.stdout


def _filter(name: str) -> tuple[str, ...]:
    action = ("action", "mirred", "egress", "redirect", "dev", name)
    return ("filter", "add", "dev", name, "ingress", "protocol", "all", "matchall", *action)
