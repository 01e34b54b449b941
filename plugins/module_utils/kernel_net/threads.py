# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's threads that belong to one CPU each, such as kpktgend_<n> and ksoftirqd/<n>."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Thread, stat_fields, threads

# The parent of all threads of the kernel: nobody else can have it, whatever he calls himself.
_KTHREADD = "2"


def of_cpus(host: Host, prefix: str, cpus: Sequence[int]) -> list[Thread]:
    """The threads of these CPUs, in their order; the kernel tells of them by their names only."""
    wanted = [f"{prefix}{cpu}" for cpu in cpus]
    found: list[Thread] = []
    for pid in host.process_ids():
        if host.read_or(f"{host.proc}/{pid}/comm") in wanted:
            stat = host.read_or(f"{host.proc}/{pid}/stat")
            if stat and stat_fields(stat)[1] == _KTHREADD:
                found += threads(host, pid)
    return sorted(found, key=lambda thread: wanted.index(thread.name))
