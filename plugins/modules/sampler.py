#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample interfaces, threads and cgroups at a fixed pace."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sampler
short_description: Sample interfaces, threads and cgroups at a fixed pace
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Reads the counters of network interfaces (bytes, packets, errors, drops), what waits in their queueing disciplines,
    the CPU time of threads, and C(cpu.stat) of cgroups, all at one pace on the monotonic clock, into one file.
  - The file has JSON lines. The first one is an object that names the columns, each as kind, object and counter. Each
    line after it is one sample, a list of the microseconds since the start, the microseconds by which the sample came
    late, and for each column the difference to the number before (to 0 in the first sample), or null where it could not
    be read.
  - What goes away meanwhile is null from then on. What is not there at the start is an error that names it.
  - It runs at the lowest real-time priority where that is allowed, so that the load it watches does not delay it.
options:
  seconds:
    description: How long to sample.
    type: float
    required: true
  sample_seconds:
    description: The pace, in seconds.
    type: float
    default: 0.1
  interfaces:
    description: Network interfaces. What a guest sends counts as received on its tap.
    type: list
    elements: str
    default: []
  threads:
    description: Threads, such as vhost workers and vCPUs.
    type: list
    elements: dict
    default: []
    suboptions:
      label:
        description: What it is called in the file.
        type: str
        required: true
      pid:
        description: Its process. A kernel thread is a process of its own.
        type: int
        required: true
      tid:
        description: Its thread id.
        type: int
        required: true
      start:
        description: When it started, in clock ticks after boot, so that no other is taken for it. V(0) if unknown.
        type: int
        default: 0
  cgroups:
    description: Directories of cgroups (of the unified hierarchy), by what they are called in the file.
    type: dict
    default: {}
  name:
    description: The file's name, without its ending.
    type: str
    default: samples
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
    details: Opens all that is to be sampled, and samples nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each call samples.
"""

EXAMPLES = r"""
- name: Watch two taps and a vhost worker for a minute
  virtperf.vhost.sampler:
    run_id: "{{ run_id }}"
    seconds: 60
    interfaces: [tap0, tap1]
    threads:
      - {label: guest1/worker, pid: 4711, tid: 4730}
    cgroups:
      workers: /sys/fs/cgroup/vhost-toplevel/the-vhost-killer
"""

RETURN = r"""
series:
  description: The file on the host.
  returned: success
  type: str
  sample: /var/lib/virtperf/runs/20261120T100000Z-1a2b/samples/samples.jsonl
samples:
  description: Samples taken.
  returned: success, not in check mode
  type: int
  sample: 601
missed:
  description: Samples left out because the one before took too long.
  returned: success, not in check mode
  type: int
  sample: 0
worst_late_ms:
  description: How late the latest sample was, in milliseconds.
  returned: success, not in check mode
  type: float
  sample: 4.876
cpu_share:
  description: What sampling cost, as a share of one CPU.
  returned: success, not in check mode
  type: float
  sample: 0.00475
priority:
  description: The scheduling that was got, V(normal) where real time is not allowed.
  returned: success, not in check mode
  type: str
  sample: fifo 1
"""

import os
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.loop import Sampler
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.priority import urgent
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.sources import open_sources
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Watched

_LONGEST_S = 86400.0
_FASTEST_S = 0.01
_SLOWEST_S = 60.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
THREAD: dict[str, Any] = {
    "label": {"type": "str", "required": True},
    "pid": {"type": "int", "required": True},
    "tid": {"type": "int", "required": True},
    "start": {"type": "int", "default": 0},
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Open everything, then sample."""
    params = module.params
    for name, low, high in (("seconds", 0.0, _LONGEST_S), ("sample_seconds", _FASTEST_S, _SLOWEST_S)):
        if not low <= params[name] <= high:
            raise VirtperfError(f"{name} cannot be {params[name]}", way_out=f"from {low:g} to {high:g}")
    if not _NAME.fullmatch(params["name"]):
        raise VirtperfError(f"a file of samples cannot be named {params['name']!r}", way_out="use letters and digits")
    directory = os.path.join(RecordFile(host, params["run_id"], "sampler").directory, "samples")
    path = os.path.join(directory, f"{params['name']}.jsonl")
    watched = [Watched(**thread) for thread in params["threads"]]
    sources = open_sources(host, params["interfaces"], watched, params["cgroups"])
    if module.check_mode:
        for source in sources.all:
            source.close()
        return {"changed": True, "series": path}
    processes.name_myself("sampler")
    myself = processes.identify(host, os.getpid())
    Journal(host, params["run_id"]).append("process", name="sampler", **myself.as_dict())
    host.private_directory(directory)
    with urgent() as priority, Sampler(sources.all, path, params["sample_seconds"]) as sampler:
        sampler.run_until(sampler.start_s + params["seconds"])
        pace = sampler.pace()
    return {"changed": True, "series": path, "priority": priority, **pace.as_dict()}


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "seconds": {"type": "float", "required": True},
            "sample_seconds": {"type": "float", "default": 0.1},
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "threads": {"type": "list", "elements": "dict", "default": [], "options": THREAD},
            "cgroups": {"type": "dict", "default": {}},
            "name": {"type": "str", "default": "samples"},
            **RUN_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
