#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what it gains or costs to serve many guests' vhost workers on few I/O cores."""

from __future__ import annotations

DOCUMENTATION = r"""
module: consolidate_run
short_description: Measure many guests at once, with their vhost workers on I/O cores or anywhere
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Takes all trials of the study C(consolidate) in one call on the hypervisor, in the order in which they are listed.
    Each gives a record.
  - In a trial the first guests of O(guests) do the same at the same time. Their programs are told one instant before it
    has come, and each of them starts at it by its own clock, which is known against the hypervisor's. Then comes one
    window that all share. The other guests run and do nothing meanwhile; what CPU time they use all the same is in
    C(observed.idle_guests_cpu).
  - A trial in which a guest starts later than O(late_seconds), a program prints an error or nothing, or ends before the
    window does, a VM ends, or nothing goes over the NIC that is meant, is recorded as not valid with the reason.
  - Between trials the policy changes. The vhost workers are in a cgroup of their own, see the module C(vhost_cgroup),
    and the VMs' other threads are pinned, see the module C(vcpu_pin); all that was there before is in the host's
    journal. A change is then a few writes that are read back, so that policies can be taken in turns.
  - The policy V(baseline) has all threads on all CPUs of O(vm_cpus) and O(io_cpus), V(sidecore) has the workers on
    O(io_cpus) and all others on O(vm_cpus), V(sidecore_poll) is the same over the NICs whose workers poll.
  - C(netperf) runs in the guests against C(netserver) here. C(memcached) and C(nginx) run in the guests, and
    C(memcaslap) of libmemcached and C(ab) here ask them.
  - C(memcaslap) tells of latencies no more than powers of two. So a small program of this collection asks beside it,
    one request at a time, and the latencies of that workload are those that it sees under the other's load. Each
    C(memcaslap) has one of O(load_cpus), for of several it would take CPU 0.
  - Rates of streams are those of the taps' counters in the window, with all headers. Rates of requests, and latencies,
    are those of the programs over their own run, which is warm-up, window and O(late_seconds) in whole seconds.
  - Records are on disk at once, in C(/var/lib/virtperf/runs/<run_id>/consolidate.jsonl).
  - An action plugin of the same name shows a line of progress at least every 5 seconds.
options:
  guests:
    description: The guests in the order in which they take part.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name in the inventory.
        type: str
        required: true
      vm:
        description: Its VM here, started by M(virtperf.vhost.qemu_vm). O(guests[].name) if not given.
        type: str
      through:
        description:
          - The words of a command that hands its last argument to a shell in it, such as C(ssh -F config guest1).
          - Not by a way that leads over the NICs that are measured.
        type: list
        elements: str
        required: true
      nics:
        description: Its two NICs, of which one is used at a time.
        type: dict
        required: true
        suboptions:
          plain:
            description: The NIC whose worker does not poll.
            type: dict
            required: true
            suboptions: &nic
              tap:
                description: Its tap on this host.
                type: str
                required: true
              mac:
                description: Its MAC address in the guest.
                type: str
                required: true
              address:
                description: The IPv4 address that it is given, in a network of 24 bits.
                type: str
                required: true
          poll:
            description: The NIC whose worker polls for O(poll_us).
            type: dict
            required: true
            suboptions: *nic
      threads:
        description: The threads that serve it, as M(virtperf.vhost.vhost_info) lists them.
        type: list
        elements: dict
        required: true
        suboptions:
          role:
            description: What it does.
            type: str
            choices: [worker, vcpu, emulator]
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
  trials:
    description: The trials in their order.
    type: list
    elements: dict
    required: true
    suboptions:
      policy:
        description: Who runs where.
        type: str
        choices: [baseline, sidecore, sidecore_poll]
        required: true
      guests:
        description: How many of the guests take part.
        type: int
        required: true
      workload:
        description: What they do.
        type: str
        choices: [tcp_stream_64, tcp_stream_16k, tcp_maerts, tcp_rr, udp_rr, memcached, nginx]
        required: true
      trial:
        description: The trial's number in its cell.
        type: int
        required: true
      position:
        description: Its place in the order of all. Its place in the list if not given.
        type: int
  vm_cpus:
    description: The VM cores, such as V(0-2).
    type: str
    required: true
  io_cpus:
    description: The I/O cores, such as V(3). None of them may be a VM core.
    type: str
    required: true
  load_cpus:
    description: The CPUs for what makes and takes the traffic here, and for this module.
    type: str
    required: true
  addresses:
    description: The hypervisor's own addresses in the networks of the NICs.
    type: dict
    required: true
    suboptions:
      plain:
        description: That in the network of the plain NICs.
        type: str
        required: true
      poll:
        description: That in the network of the NICs whose workers poll.
        type: str
        required: true
  window_seconds:
    description: How long the window is, in seconds.
    type: float
    default: 2.0
  warmup_seconds:
    description: Traffic before the window, in seconds.
    type: float
    default: 0.5
  late_seconds:
    description: How long after the others were told to a program may start, in seconds.
    type: float
    default: 0.5
  cgroup:
    description: The cgroup of the workers, see the option O(virtperf.vhost.vhost_cgroup#module:cgroup).
    type: str
    default: vhost-consolidated/workers
  connections:
    description: How many requests of V(memcached) and V(nginx) are under way at a time, for each guest.
    type: int
    default: 4
  poll_us:
    description: For how many microseconds the workers of the poll NICs poll before they sleep, which is checked.
    type: int
    default: 50
  seed:
    description: What the order of trials was drawn with, for the records.
    type: str
    default: ""
  host:
    description: The host's name in the inventory, for the records.
    type: str
    default: localhost
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
    details: Checks the partition, the programs, the guests' taps and threads, and measures nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each call measures.
"""

EXAMPLES = r"""
- name: Measure
  virtperf.vhost.consolidate_run:
    run_id: "{{ run_id }}"
    vm_cpus: 0-2
    io_cpus: "3"
    load_cpus: 0-2
    addresses: {plain: 198.19.1.254, poll: 198.19.2.254}
    guests:
      - name: guest1
        through: [ssh, -F, /run/virtperf/ssh_config, guest1]
        nics:
          plain: {tap: vp-con1, mac: "52:54:00:c5:01:01", address: 198.19.1.1}
          poll: {tap: vp-con1-poll, mac: "52:54:00:c5:02:01", address: 198.19.2.1}
        threads:
          - {role: worker, pid: 4711, tid: 4730}
          - {role: worker, pid: 4711, tid: 4731}
          - {role: vcpu, pid: 4711, tid: 4713}
          - {role: emulator, pid: 4711, tid: 4711}
    trials:
      - {policy: sidecore, guests: 1, workload: tcp_rr, trial: 1}
      - {policy: baseline, guests: 1, workload: tcp_rr, trial: 1}
"""

RETURN = r"""
records:
  description: The file on the host that holds the records.
  returned: success
  type: str
  sample: /var/lib/virtperf/runs/20261120T100000Z-1a2b/consolidate.jsonl
trials:
  description: Records written.
  returned: success
  type: int
  sample: 162
invalid:
  description: Those of them that are not valid.
  returned: success
  type: int
  sample: 0
reasons:
  description: Why, each reason once.
  returned: success
  type: list
  elements: str
  sample: []
switches:
  description: How often the policy was changed.
  returned: success, not in check mode
  type: int
  sample: 108
wall_seconds:
  description: How long it ran, in seconds.
  returned: success, not in check mode
  type: float
  sample: 611.4
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils import processes, topology
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate import places, policies, polling
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import NICS, POLICIES, POLL
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import ROLES, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.study import STUDY, Study, connected
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.switcher import Switcher
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.window import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import WORKLOADS
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile

NIC: dict[str, Any] = {key: {"type": "str", "required": True} for key in ("tap", "mac", "address")}
THREAD: dict[str, Any] = {
    "role": {"type": "str", "choices": list(ROLES), "required": True},
    "pid": {"type": "int", "required": True},
    "tid": {"type": "int", "required": True},
    "start": {"type": "int", "default": 0},
}
GUEST: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "vm": {"type": "str"},
    "through": {"type": "list", "elements": "str", "required": True},
    "nics": {
        "type": "dict",
        "required": True,
        "options": {nic: {"type": "dict", "required": True, "options": NIC} for nic in NICS},
    },
    "threads": {"type": "list", "elements": "dict", "required": True, "options": THREAD},
}
TRIAL: dict[str, Any] = {
    "policy": {"type": "str", "choices": list(POLICIES), "required": True},
    "guests": {"type": "int", "required": True},
    "workload": {"type": "str", "choices": list(WORKLOADS), "required": True},
    "trial": {"type": "int", "required": True},
    "position": {"type": "int"},
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Check everything, then take the trials."""
    started_s = time.monotonic()
    params = module.params
    made = setup(params)
    records = RecordFile(host, params["run_id"], STUDY).path
    # What is missing is found before anything is started or changed.
    policies.check(made.partition, tuple(topology.numbers(host, f"{host.sys}/devices/system/cpu/online")))
    places.check_here(made)
    Counters(host, made.taps, made.threads).close()
    if POLL in made.nics:
        polling.check(host, made.guests, made.poll_us)
    if module.check_mode or not made.trials:
        return {"changed": bool(made.trials), "records": records, "trials": 0, "invalid": 0, "reasons": []}
    processes.name_myself("consolidate_run")
    myself = processes.identify(host, os.getpid())
    Journal(host, params["run_id"]).append("process", name="consolidate_run", **myself.as_dict())
    study = Study(host, params["run_id"], params["host"], made, Switcher(host, params["run_id"], made))
    with connected(host, made) as stations:
        summary = study.run(stations)
    return {
        "changed": True,
        "records": records,
        "trials": summary.trials,
        "invalid": summary.invalid,
        "reasons": summary.reasons,
        "switches": summary.switches,
        "warnings": summary.warnings,
        "wall_seconds": round(time.monotonic() - started_s, 3),
    }


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "guests": {"type": "list", "elements": "dict", "required": True, "options": GUEST},
            "trials": {"type": "list", "elements": "dict", "required": True, "options": TRIAL},
            "vm_cpus": {"type": "str", "required": True},
            "io_cpus": {"type": "str", "required": True},
            "load_cpus": {"type": "str", "required": True},
            "addresses": {
                "type": "dict",
                "required": True,
                "options": {nic: {"type": "str", "required": True} for nic in NICS},
            },
            "window_seconds": {"type": "float", "default": 2.0},
            "warmup_seconds": {"type": "float", "default": 0.5},
            "late_seconds": {"type": "float", "default": 0.5},
            "cgroup": {"type": "str", "default": "vhost-consolidated/workers"},
            "connections": {"type": "int", "default": 4},
            "poll_us": {"type": "int", "default": 50},
            "seed": {"type": "str", "default": ""},
            "host": {"type": "str", "default": "localhost"},
            **RUN_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
