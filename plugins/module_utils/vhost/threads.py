# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads of a VM that its network traffic runs on: vhost workers, vCPUs, and QEMU's main thread.

QEMU names the threads of its vCPUs when it was started with ``debug-threads=on``, as this collection and libvirt start
it. Of one that was not, no vCPU can be told from /proc.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.guest import thread_ids
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import stat_fields
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.workers import START, Worker

WORKER, VCPU, EMULATOR = "worker", "vcpu", "emulator"
_VCPU_NAME = re.compile(r"CPU (\d+)/(?:KVM|TCG)", re.ASCII)


def facts(host: Host, pid: int, workers: Sequence[Worker]) -> list[dict[str, Any]]:
    """Each thread with its role and, among those of its role, its number; ``start`` in clock ticks after boot.

    The number of a vCPU is QEMU's, that of a worker its place in the order in which they were started.
    """
    found = [
        {"role": WORKER, "number": number, "pid": worker.group, "tid": worker.tid, "start": worker.start}
        for number, worker in enumerate(workers)
    ]
    for tid in thread_ids(host, pid):
        base = f"{host.proc}/{pid}/task/{tid}"
        vcpu = _VCPU_NAME.fullmatch(host.read_or(f"{base}/comm"))
        if not vcpu and tid != pid:
            continue
        # One that ends while we look is left out.
        with contextlib.suppress(OSError, ValueError, IndexError):
            start = int(stat_fields(host.read(f"{base}/stat"))[START])
            role, number = (VCPU, int(vcpu[1])) if vcpu else (EMULATOR, 0)
            found.append({"role": role, "number": number, "pid": pid, "tid": tid, "start": start})
    roles = (WORKER, VCPU, EMULATOR)
    return sorted(found, key=lambda thread: (roles.index(str(thread["role"])), thread["number"]))
