# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hugepages for DPDK processes: whether a pool has what they will take of it."""

from __future__ import annotations

import os

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host


def check(host: Host, huge_dir: str, node: int, needed_mib: int, released_bytes: int, who: str) -> None:
    """See that a NUMA node's pool behind a hugetlbfs mount has so much, with what is released before it is needed."""
    try:
        page_kib = os.statvfs(huge_dir).f_bsize // 1024
    except OSError as error:
        raise VirtperfError(
            f"{huge_dir} cannot be used for hugepages", found=str(error.strerror), way_out="mount hugetlbfs there first"
        ) from error
    pool = f"{host.sys}/devices/system/node/node{node}/hugepages/hugepages-{page_kib}kB"
    free = host.read_or(f"{pool}/free_hugepages")
    if not free:
        raise VirtperfError(
            f"{huge_dir} is not a hugetlbfs mount, or there is no NUMA node {node}",
            found=f"{page_kib} KiB pages, and no {pool}",
            way_out="mount hugetlbfs there, or choose another node",
        )
    free_mib = int(free) * page_kib // 1024
    if needed_mib > free_mib + (released_bytes >> 20):
        raise VirtperfError(
            f"{needed_mib} MiB of hugepages on NUMA node {node} are needed ({who})",
            found=f"{free_mib} MiB free in pages of {page_kib} KiB",
            way_out="grow the pool with virtperf.vhost.hugepages, or give memory_mib a lower value",
        )
