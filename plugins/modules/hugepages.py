#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: pools of hugepages and mounts of hugetlbfs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hugepages
short_description: Reserve hugepages and mount hugetlbfs
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Sets how many hugepages the kernel keeps, for each size and, where it matters, for each NUMA node, and mounts
    hugetlbfs for the processes that use them as files.
  - The kernel grants less than it was asked for without an error when memory is short or fragmented. This module
    reads back what was granted; when that is not enough it fails, says what there is and what to do, and puts
    everything back as it was.
  - Every change is noted in the host's journal before it is made, so that it can be undone later, by another process
    too.
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
    details:
      - How much of free but fragmented memory the kernel will grant is known only when it is asked. Check mode finds
        out whether there is enough memory at all.
      - Check mode works without root, as far as the mount points may be looked into.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Full, except with O(pools[].count_means=free), where a second run that finds pages in use which were free
        before adds that many again. Run it before what it is for is started.
options:
  pools:
    description:
      - The pools to set. What is not listed is left alone.
      - A size can be listed once for the whole host, or once for each of some nodes.
      - They are changed together. When one of them cannot be had, all are put back.
    type: list
    elements: dict
    default: []
    suboptions:
      size:
        description:
          - The size of the pages, such as V(2MiB), V(2M), V(2048kB) or V(1GiB). All units are powers of 1024.
        type: str
        required: true
      node:
        description:
          - The NUMA node that the pages shall lie on.
          - When it is left out, the kernel spreads them over all nodes.
        type: int
      count:
        description: How many pages there shall be.
        type: int
        required: true
      policy:
        description:
          - With V(at_least), a pool that has more is left alone.
          - With V(exact), it is made smaller as well, but never smaller than the number of pages in use.
        type: str
        choices: [at_least, exact]
        default: at_least
      count_means:
        description:
          - With V(total), O(pools[].count) is the number of pages that the pool keeps, whoever uses them.
          - With V(free), it is the number of pages that are left for the next asker, whatever others use.
        type: str
        choices: [total, free]
        default: total
  mounts:
    description:
      - Where hugetlbfs shall be mounted, with mode V(0700) and for root.
      - A hugetlbfs with pages of the right size that is mounted there already is left alone, whoever mounted it.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - The absolute path of an empty directory, or of one to be made with mode V(0700), together with the
            directories above it that are missing.
        type: path
        required: true
      size:
        description: The size of the pages, as in O(pools[].size).
        type: str
        required: true
  compact:
    description: Whether to have the kernel compact memory before asking again when it granted too little.
    type: bool
    default: true
  drop_caches:
    description:
      - Whether to write back and drop the kernel's caches before asking again. It helps against fragmentation, and
        slows down whatever used the caches.
      - With it, the number of pages is tried even if the kernel takes the memory for unavailable, as it does with the
        cache of ZFS.
    type: bool
    default: false
  retries:
    description: How often to ask again when the kernel granted too little.
    type: int
    default: 3
  retry_pause_ms:
    description: How many milliseconds to wait before each retry.
    type: int
    default: 200
seealso:
  - module: virtperf.vhost.vhost_info
    description: Tells which sizes, nodes and pools a host has.
notes:
  - The change lasts until the next boot. To have pages of 1GiB for sure, reserve them with C(hugepagesz=1G
    hugepages=N) on the kernel's command line.
"""

EXAMPLES = r"""
- name: Have 512 pages of 2 MiB free for a run, whatever others use, and a place to find them
  virtperf.vhost.hugepages:
    pools:
      - size: 2MiB
        count: 512
        count_means: free
    mounts:
      - path: /run/virtperf/hugepages
        size: 2MiB
  become: true

- name: Have exactly so many pages on each node, and try hard for them
  virtperf.vhost.hugepages:
    pools:
      - {size: 1GiB, node: 0, count: 8, policy: exact}
      - {size: 1GiB, node: 1, count: 4, policy: exact}
    retries: 10
    retry_pause_ms: 500
    drop_caches: true
  become: true
"""

RETURN = r"""
pools:
  description: One entry for each of O(pools), in that order.
  returned: success
  type: list
  elements: dict
  contains:
    size:
      description: The size of the pages.
      returned: success
      type: str
      sample: 2MiB
    node:
      description: The node asked for, or V(null) for the whole host.
      returned: success
      type: int
      sample: 0
    policy:
      description: As asked for.
      returned: success
      type: str
      sample: at_least
    count_means:
      description: As asked for; what RV(pools[].requested) and RV(pools[].effective) count.
      returned: success
      type: str
      sample: free
    requested:
      description: The number asked for.
      returned: success
      type: int
      sample: 512
    effective:
      description: The number there is now, read back; in check mode the number there would be.
      returned: success
      type: int
      sample: 512
    changed:
      description: Whether this pool was changed.
      returned: success
      type: bool
      sample: true
    before:
      description:
        - The kernel's numbers before.
        - V(total) pages include V(surplus) ones, which go away when their user ends. V(free) ones include V(reserved)
          ones, which are promised to somebody.
      returned: success
      type: dict
      sample: {total: 128, free: 0, reserved: 0, surplus: 0}
    after:
      description: The kernel's numbers afterwards; in check mode those expected.
      returned: success
      type: dict
      sample: {total: 640, free: 512, reserved: 0, surplus: 0}
mounts:
  description: One entry for each of O(mounts), in that order.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The path, without symbolic links.
      returned: success
      type: str
      sample: /run/virtperf/hugepages
    size:
      description: The size of the pages.
      returned: success
      type: str
      sample: 2MiB
    changed:
      description: Whether it was mounted now; V(false) when it had been mounted already.
      returned: success
      type: bool
      sample: true
actions:
  description: What was changed, in plain words and in the order it was done; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample:
    - "hugepages of 2MiB: from 128 to 640"
    - mount hugetlbfs with pages of 2MiB at /run/virtperf/hugepages, making the directory /run/virtperf/hugepages
granted:
  description: How many pages the pool that failed had after the kernel had been asked, before it was put back.
  returned: when there were too few pages to be had
  type: int
  sample: 301
was:
  description: How many pages that pool had before, and has again.
  returned: when there were too few pages to be had
  type: int
  sample: 128
most:
  description: The largest O(pools[].count) that looks possible.
  returned: when there were too few pages to be had
  type: int
  sample: 301
requested:
  description: How many pages that pool was to have.
  returned: when a pool could not be changed
  type: int
  sample: 512
size:
  description: The size of its pages.
  returned: when a pool could not be changed
  type: str
  sample: 2MiB
node:
  description: Its node, V(null) for the whole host.
  returned: when a pool could not be changed
  type: int
  sample: 0
total:
  description: How many pages it had when it failed, before it was put back.
  returned: when a pool could not be changed
  type: int
  sample: 301
free:
  description: How many of these were free.
  returned: when a pool could not be changed
  type: int
  sample: 173
reserved:
  description: How many of the free ones were promised to somebody.
  returned: when a pool could not be changed
  type: int
  sample: 0
surplus:
  description: How many of all were above what had been asked for, and go away when their user ends.
  returned: when a pool could not be changed
  type: int
  sample: 0
in_use:
  description: How many of them were somebody's, in use or promised.
  returned: when a pool could not be changed
  type: int
  sample: 128
memory:
  description: The memory of the host, or of the node asked for, in kB; V(available_kb) of a node is an estimate.
  returned: when there were too few pages to be had
  type: dict
  sample: {total_kb: 24684092, free_kb: 1012044, available_kb: 1885736}
free_blocks:
  description:
    - How many pieces of memory of that size, or larger, lie free in one piece.
    - V(null) for sizes the kernel does not keep count of.
  returned: when there were too few pages to be had
  type: int
  sample: 12
sizes:
  description: The sizes that the kernel has.
  returned: when a size is asked for that it lacks
  type: list
  elements: str
  sample: [2MiB, 1GiB]
nodes:
  description: The NUMA nodes that the host has.
  returned: when a node is asked for that it lacks
  type: list
  elements: int
  sample: [0, 1]
holders:
  description: The processes that have hugepages mapped, of whatever size.
  returned: when pages in use would have to go
  type: list
  elements: dict
  sample: [{pid: 4711, name: qemu-system-x86, size_kb: 4194304}]
count:
  description: The number asked for.
  returned: when it cannot be a number of pages
  type: int
  sample: -1
mount:
  description: The path that hugetlbfs could not be mounted at.
  returned: when hugetlbfs could not be mounted
  type: str
  sample: /run/virtperf/hugepages
file:
  description: The file that could not be used.
  returned: when a file could not be used
  type: str
  sample: /var/lib/virtperf/journal.jsonl
errno:
  description: The number of the operating system's error.
  returned: when the system refused a mount, or a file could not be used
  type: int
  sample: 13
left_changed:
  description: What could not be put back after a failure; the journal still has it.
  returned: when something had been changed before the failure
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.hugepages import MEANINGS, POLICIES, Patience, ensure
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module

POOL_ARGUMENTS: dict[str, dict[str, Any]] = {
    "size": {"type": "str", "required": True},
    "node": {"type": "int"},
    "count": {"type": "int", "required": True},
    "policy": {"type": "str", "choices": list(POLICIES), "default": POLICIES[0]},
    "count_means": {"type": "str", "choices": list(MEANINGS), "default": MEANINGS[0]},
}
MOUNT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "size": {"type": "str", "required": True},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "pools": {"type": "list", "elements": "dict", "default": [], "options": POOL_ARGUMENTS},
    "mounts": {"type": "list", "elements": "dict", "default": [], "options": MOUNT_ARGUMENTS},
    "compact": {"type": "bool", "default": True},
    "drop_caches": {"type": "bool", "default": False},
    "retries": {"type": "int", "default": 3},
    "retry_pause_ms": {"type": "int", "default": 200},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    return ensure(
        host,
        given["pools"],
        given["mounts"],
        patience=Patience(given["compact"], given["drop_caches"], given["retries"], given["retry_pause_ms"]),
        run_id=given["run_id"],
        check_mode=module.check_mode,
    )


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
