# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings both ends of a launch up, on this machine or with a guest between, and ends what nobody can trust any more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect import negotiated
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.end import End
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.guest import GuestSide
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import Launch
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.testpmd_end import TestpmdEnd
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.window import Ends


class Launcher:
    """Starts what a launch asks for and is not yet running so."""

    def __init__(self, host: Host, run_id: str, guest: GuestSide, *, allow_overlap: bool = False) -> None:
        self.host = host
        self.guest = guest
        self.allow_overlap = allow_overlap
        self.starts = 0
        self._journal = Journal(host, run_id)
        self._names: set[str] = set()

    def expect(self, launches: Iterable[Launch]) -> None:
        """Learn the names of all testpmds, so that those of one launch do not keep CPUs and memory from another."""
        for launch in launches:
            self._names.add(launch.vswitch.name)
            if launch.guest is None:
                self._names.add(launch.far_end.name)

    def bring_up(self, launch: Launch) -> tuple[Ends, dict[str, Any]]:
        """Both ends, idle but for who reflects, and what they negotiated."""
        # A vswitch that polls would keep a CPU from the guest that boots.
        reflects_now = launch.vswitch_reflects and launch.guest is None
        here = [replace(launch.vswitch, forwarding=reflects_now)]
        if launch.guest is None:
            here.append(replace(launch.far_end.testpmd(), forwarding=not launch.vswitch_reflects))
        manager.apply(
            self.host,
            self._journal,
            manager.plan_stopped(self.host, sorted(self._names - {definition.name for definition in here})),
        )
        plan = manager.plan_started(self.host, here)
        if launch.guest is None or plan.starts:
            # It holds CPUs and memory; and a vswitch that starts anew finds its driver's rings half used.
            self.guest.remove()
        manager.check(self.host, here, plan, allow_overlap=self.allow_overlap)
        manager.apply(self.host, self._journal, plan)
        far_end: End
        if launch.guest is None:
            far_end, started = TestpmdEnd(self.host, here[-1]), bool(plan.starts)
        else:
            far_end, started = self.guest.bring_up(launch, launch.guest), True
            Instance(self.host, launch.vswitch.name).reconfigure(
                replace(launch.vswitch, forwarding=launch.vswitch_reflects)
            )
        self.starts += started
        ends = Ends(TestpmdEnd(self.host, launch.vswitch), far_end, launch.vswitch_reflects)
        return ends, {**negotiated.observe(ends), **(self.guest.facts() if launch.guest else {})}

    def end(self, launch: Launch) -> None:
        """After a failure nobody knows what state they are in, nor whether they hang: the next launch is a new one."""
        # Who survives even that makes the next launch fail, which says so.
        with contextlib.suppress(VirtperfError):
            self.guest.remove()
        for name in self._here(launch):
            with contextlib.suppress(VirtperfError):
                Instance(self.host, name).stop()

    def logs_of_the_dead(self, launch: Launch) -> list[tuple[str, str]]:
        """Names and logs of what was started and runs no more; the next launch begins new logs."""
        ends = [Instance(self.host, name) for name in self._here(launch)]
        dead = [(f"testpmd-{end.name}", end.log()) for end in ends if end.identity() and not end.is_running()]
        return dead + (self.guest.logs_of_the_dead() if launch.guest else [])

    def _here(self, launch: Launch) -> list[str]:
        """The testpmds of a launch on this host, who connects first."""
        return [*([] if launch.guest else [launch.far_end.name]), launch.vswitch.name]
