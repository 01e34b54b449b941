# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each thread: the plan that check mode shows, --diff prints and apply makes true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import cpulist
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import Guest, GuestThread
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import (
    EMULATOR,
    IOTHREAD,
    VCPU,
    VHOST,
    VmRequest,
    Wish,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Scheduler, Setting


@dataclass(frozen=True)
class Change:
    """A thread as it is and as it shall be; both are the same for a thread that is left alone.

    ``through_libvirt`` threads have a cgroup of their own, which libvirt sets before their affinity is.
    """

    vm: str
    thread: GuestThread
    before: Setting
    after: Setting
    asked_cpus: tuple[int, ...] | None = None
    through_libvirt: bool = False

    @property
    def changed(self) -> bool:
        """Whether there is something to do."""
        return self.before != self.after

    def facts(self) -> dict[str, Any]:
        """For the result and the record."""
        return {
            "tid": self.thread.tid,
            "role": self.thread.role,
            "id": self.thread.which,
            "comm": self.thread.comm,
            "cpus": cpulist.render(self.after.cpus),
            "policy": self.after.policy,
            "priority": self.after.priority,
            "changed": self.changed,
        }


def plan(request: VmRequest, guest: Guest, scheduler: Scheduler, *, libvirt: bool) -> list[Change]:
    """Every thread of the VM with what is wished for it; VirtperfError for a wish that no thread can be found for."""
    for wish in request.wishes:
        _check_there(guest, wish)
    # A cgroup's cpuset binds all in it. libvirt puts vhost workers in that of the emulator, so it is left wide then.
    workers = any(thread.role == VHOST for thread in guest.threads)
    through = {VCPU, IOTHREAD, *(() if workers else (EMULATOR,))} if libvirt else set()
    changes = []
    for thread in guest.threads:
        try:
            now = scheduler.get(thread.tid)
        except ProcessLookupError:
            continue  # it ended since we looked
        wanted = request.wish_for(thread.role, thread.which)
        after = wanted.applied_to(now) if wanted else now
        asked = wanted.cpus if wanted else None
        changes.append(Change(guest.name, thread, now, after, asked, thread.role in through))
    return changes


def _check_there(guest: Guest, wish: Wish) -> None:
    there = guest.named(wish.role)
    if wish.which in there or (not wish.which and (there or wish.role in (EMULATOR, VHOST))):
        return
    if wish.role == VCPU:
        raise VirtperfError(
            f"VM {guest.name} has no vCPU {wish.which}",
            found=f"{len(there)} vCPUs, {cpulist.render(map(int, there))}",
            way_out="leave that entry out, or start the VM with more vCPUs",
            vcpus=len(there),
        )
    raise VirtperfError(
        f"VM {guest.name} has no {wish}",
        found=", ".join(there) or "it was started without any",
        way_out="name one it has, or start it with -object iothread,id=...",
        iothreads=there,
    )


def table(changes: Sequence[Change]) -> str:
    """Who goes where, for a person; empty when nobody moves."""
    rows = [
        (change.vm, str(change.thread.tid), _name(change.thread), str(change.before), str(change.after))
        for change in changes
        if change.changed
    ]
    if not rows:
        return ""
    rows.insert(0, ("vm", "thread", "role", "before", "after"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def _name(thread: GuestThread) -> str:
    return str(thread) if thread.which else f"{thread} ({thread.comm})"


def actions(changes: Sequence[Change]) -> list[str]:
    """The same in sentences."""
    return [
        f"{change.vm}: {_name(change.thread)}, thread {change.thread.tid}: from {change.before} to {change.after}"
        for change in changes
        if change.changed
    ]
