# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes by identity (pid and start time), their threads, CPU time and end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.cpulist import LARGEST
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host


@dataclass(frozen=True)
class Identity:
    """A process that cannot be confused with a later one of the same pid.

    ``start`` is field 22 of /proc/<pid>/stat, in clock ticks since boot; ``boot`` the kernel's boot id.
    """

    pid: int
    start: int
    boot: str

    def as_dict(self) -> dict[str, Any]:
        """For state files and the journal."""
        return {"pid": self.pid, "start": self.start, "boot": self.boot}


@dataclass(frozen=True)
class Thread:
    """A thread of a process: CPUs it may use, and the CPU seconds it used so far."""

    tid: int
    name: str
    cpus: str
    cpu_seconds: float


def boot_id(host: Host) -> str:
    """The kernel's id of this boot."""
    return host.read_or(f"{host.proc}/sys/kernel/random/boot_id")


def allowed_cpus() -> set[int]:
    """The CPUs that our processes may be bound to: all of our cpuset, also those that isolcpus= keeps free of others.

    What we run on now is no answer: everything is started beside isolated CPUs.
    """
    before = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, range(LARGEST + 1))
        found = os.sched_getaffinity(0)
        os.sched_setaffinity(0, before)
        return found
    return before


def stat_fields(text: str) -> list[str]:
    """The fields of a /proc stat line from the third on (state is 0); the name may hold blanks and brackets."""
    return text[text.rindex(")") + 2 :].split()


def identify(host: Host, pid: int) -> Identity:
    """The identity of a running process; VirtperfError when there is none of that pid."""
    try:
        fields = stat_fields(host.read(f"{host.proc}/{pid}/stat"))
    except (OSError, ValueError) as error:
        raise VirtperfError(f"there is no process {pid}", found=str(error)) from error
    return Identity(pid, int(fields[19]), boot_id(host))


def is_running(host: Host, identity: Identity) -> bool:
    """Whether just that process runs; a zombie does not, once its threads have let go of what they shared."""
    if identity.boot != boot_id(host):
        return False
    try:
        fields = stat_fields(host.read(f"{host.proc}/{identity.pid}/stat"))
    except (OSError, ValueError):
        return False
    return int(fields[19]) == identity.start and (fields[0] not in ("Z", "X") or int(fields[17]) > 1)


def threads(host: Host, pid: int) -> list[Thread]:
    """The threads of a process, by tid; those that end while we look are left out."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = []
    base = f"{host.proc}/{pid}/task"
    try:
        tids = sorted(int(name) for name in os.listdir(base))
    except OSError:
        return []
    for tid in tids:
        with contextlib.suppress(OSError, ValueError):
            fields = stat_fields(host.read(f"{base}/{tid}/stat"))
            status = host.read(f"{base}/{tid}/status")
            cpus = next(line for line in status.splitlines() if line.startswith("Cpus_allowed_list:"))
            seconds = (int(fields[11]) + int(fields[12])) / ticks
            # schedstat counts in ns what stat counts in ticks of 10 ms; kernels without it give no file.
            schedstat = host.read_or(f"{base}/{tid}/schedstat")
            if schedstat:
                seconds = int(schedstat.split()[0]) / 1e9
            found.append(Thread(tid, host.read(f"{base}/{tid}/comm"), cpus.split(":")[1].strip(), seconds))
    return found


def name_myself(name: str) -> None:
    """Be called this (15 letters at most) in ps and top, where a module is just another Python."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="utf-8") as comm:
        comm.write(name)


def end(host: Host, identity: Identity, patience_s: float = 5.0) -> str:
    """Terminate, then kill; says which one worked, or "" when the process was gone already."""
    for number, name in ((signal.SIGTERM, "terminated"), (signal.SIGKILL, "killed")):
        if not is_running(host, identity):
            return ""
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)
        if wait_gone(host, identity, patience_s):
            return name
    raise VirtperfError(
        f"process {identity.pid} survives SIGKILL",
        found=f"state {host.read_or(f'{host.proc}/{identity.pid}/stat')}",
        way_out="it is stuck in the kernel (see /proc/<pid>/stack); only a reboot ends it",
    )


def wait_gone(host: Host, identity: Identity, patience_s: float) -> bool:
    """Wait for a process's end; False when it still runs after ``patience_s``."""
    limit = time.monotonic() + patience_s
    while is_running(host, identity):
        reap(identity.pid)
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    reap(identity.pid)
    return True


def reap(pid: int) -> None:
    """Collect a child of ours that ended; others are collected by their own parent."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def undo_process(host: Host, undo: Mapping[str, Any]) -> str:
    """End the process that a journal entry names, if it still runs."""
    how = end(host, Identity(int(undo["pid"]), int(undo["start"]), str(undo["boot"])))
    return f"{how} {undo.get('name', 'process')} (pid {undo['pid']})" if how else ""
