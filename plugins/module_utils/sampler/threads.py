# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU time of single threads: vhost workers, vCPUs, QEMU's main thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import stat_fields
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.files import close_all, read_again
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Column, Reading

COUNTERS = ("run_ns", "wait_ns")


@dataclass(frozen=True)
class Watched:
    """A thread: what it is called in the samples, and where it is.

    A kernel thread is a process of one thread. ``start`` (field 22 of its stat, in ticks since boot; 0: not known)
    guards against another thread of the same number.
    """

    label: str
    pid: int
    tid: int
    start: int = 0


class Threads:
    """Columns ("thread", <label>, "run_ns"), ("thread", <label>, "wait_ns").

    ``run_ns`` is time on a CPU, ``wait_ns`` time in which it could have run and did not. The files are held open: they
    speak of this thread for as long as it lives, and of no other after. The kernel brings them up to date when the
    thread stops running, and at its ticks (every second only on a CPU of nohz_full).
    """

    def __init__(self, host: Host, watched: Sequence[Watched]) -> None:
        self.columns: list[Column] = [("thread", thread.label, counter) for thread in watched for counter in COUNTERS]
        self._labels = [thread.label for thread in watched]
        self._ended: set[int] = set()
        self._open: list[int] = []
        try:
            for thread in watched:
                self._open.append(_open(host, thread))
        except VirtperfError:
            self.close()
            raise

    def read(self) -> list[Reading]:
        """Sums since each thread began; None for those that have ended."""
        readings: list[Reading] = []
        for place, descriptor in enumerate(self._open):
            run_ns, wait_ns = parse(read_again(descriptor))
            if run_ns is None:
                self._ended.add(place)
            readings += (run_ns, wait_ns)
        return readings

    def ended(self) -> list[str]:
        """The labels of those that had ended when they were read last."""
        return [self._labels[place] for place in sorted(self._ended)]

    def close(self) -> None:
        """Let go of the files."""
        close_all(self._open)


def parse(text: bytes) -> tuple[Reading, Reading]:
    """``run_ns`` and ``wait_ns`` of a schedstat file (Documentation/scheduler/sched-stats.rst)."""
    fields = text.split()
    return (int(fields[0]), int(fields[1])) if len(fields) >= 2 else (None, None)


def _open(host: Host, thread: Watched) -> int:
    base = f"{host.proc}/{thread.pid}/task/{thread.tid}"
    try:
        descriptor = os.open(f"{base}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if os.path.isdir(base):
            raise VirtperfError(
                f"the kernel does not tell the CPU time of thread {thread.tid}",
                found=str(error),
                way_out="a kernel with CONFIG_SCHED_INFO, as distributions build theirs",
            ) from error
        raise VirtperfError(
            f"{thread.label} is not there: process {thread.pid} has no thread {thread.tid}",
            found=str(error),
            way_out="see whether the VM still runs, and look its threads up again",
        ) from error
    if thread.start:
        # After the file is open: from here on it is this thread or none.
        started = _start(host, base)
        if started != thread.start:
            os.close(descriptor)
            raise VirtperfError(
                f"{thread.label} has ended: thread {thread.tid} of process {thread.pid} is another one now",
                found=f"started {started} ticks after boot, not {thread.start}",
                way_out="look the VM's threads up again",
            )
    return descriptor


def _start(host: Host, base: str) -> int:
    try:
        return int(stat_fields(host.read(f"{base}/stat"))[19])
    except (OSError, ValueError, IndexError):
        return 0
