#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what becomes of a stream between two VMs while their vhost workers get less CPU."""

from __future__ import annotations

DOCUMENTATION = r"""
module: throttle_run
short_description: Measure a stream between two VMs while their vhost workers get less CPU
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Takes all trials of the study C(throttle) for one workload and one layout of the workers, in one call on the
    hypervisor. Each trial is a timeline of phases, and each phase gives a record.
  - The limit (C(cpu.max) of cgroups that the workers are in already, see the module C(vhost_cgroup)) changes at each
    phase's first instant, and is read back. Interfaces, queueing disciplines, threads and cgroups are sampled all
    along, see M(virtperf.vhost.sampler).
  - The programs at both ends are started before and ended after. They end as well when this module, or the connection
    to them, is gone. Each line that they print gets the instant at which it came.
  - For each phase a verdict says what limited the stream, with the evidence.
  - Each timeline's records are on disk before the next begins, in C(/var/lib/virtperf/runs/<run_id>/throttle.jsonl),
    its samples beside it in C(samples/).
  - An action plugin of the same name shows a line of progress at least every 5 seconds.
  - The limits that were there are in the host's journal before the first is changed, and are put back at each
    timeline's end. M(virtperf.vhost.restore) does so when this module was killed.
options:
  workload:
    description:
      - What the ends run. The programs' output is read accordingly.
      - V(iperf3) are C(iperf3 --json-stream) at both ends (3.17 or newer), V(vnc) are ends that print a marker in JSON
        for each change made and shown, V(other) is traffic that is only watched.
    type: str
    choices: [iperf3, vnc, other]
    required: true
  layout:
    description: How the vhost workers run, for the records.
    type: str
    choices: [kthread, qemu-thread, libvirt]
    required: true
  phases:
    description: The timeline.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the phase is called in the records.
        type: str
        required: true
      cpu_max:
        description: V(max) or quota and period in microseconds, as C(cpu.max) takes them.
        type: str
        default: max
      seconds:
        description: How long it lasts.
        type: float
        required: true
      ladder_percent:
        description: The step of the ladder of quotas that it is, in percent of a CPU.
        type: float
  trials:
    description: How many timelines to run.
    type: int
    default: 3
  sender:
    description: The end that the stream comes from.
    type: str
    choices: [server, client]
    default: server
  server:
    description: The end that is started first.
    type: dict
    suboptions: &end
      name:
        description: Its name in the inventory.
        type: str
      interfaces:
        description: The taps of its VM on this host.
        type: list
        elements: str
        default: []
      through:
        description:
          - The words of a command that hands its last argument to a shell in that VM, such as C(ssh -F config guest1).
          - Empty if its programs run on this host.
        type: list
        elements: str
        default: []
      command:
        description: The program to run, with its arguments. Empty if somebody else does.
        type: list
        elements: str
        default: []
      ready:
        description: A command that succeeds as soon as the program is ready. Empty not to wait.
        type: list
        elements: str
        default: []
      sockets:
        description: The filter for C(ss) that finds the stream's TCP connections there. Empty to look at none.
        type: list
        elements: str
        default: []
  client:
    description: The other end.
    type: dict
    suboptions: *end
  bridge:
    description: Interfaces between the taps.
    type: list
    elements: str
    default: []
  threads:
    description: The threads that serve both VMs.
    type: list
    elements: dict
    default: []
    suboptions:
      label:
        description: What it is called in samples and verdicts.
        type: str
        required: true
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
  cgroups:
    description: The directories of the workers' cgroups, by what they are called in samples and verdicts.
    type: dict
    default: {}
  sample_seconds:
    description: The pace of samples, in seconds.
    type: float
    default: 0.1
  socket_seconds:
    description: The pace of looks at sockets, in seconds.
    type: float
    default: 1.0
  settle_seconds:
    description:
      - The beginning of each phase that its rates leave out, in seconds. Phases of up to twice that count whole.
    type: float
    default: 2.0
  warmup_seconds:
    description: Traffic before the first phase, in seconds.
    type: float
    default: 2.0
  trace:
    description:
      - Look at the vhost workers with C(bpftrace) all along, and add C(trace) to each record. What it counts is kept
        in the kernel, apart for each phase.
      - Histograms for each worker of the time from a wake-up until it ran (C(wakeup_delay_us)), of the time that it
        was kept from going on (C(held_us)), and of packets and bytes for each run of its handlers
        (C(tx_run_packets), C(tx_run_bytes), C(rx_run_packets), C(rx_run_bytes)) and each wake-up (C(wakeup_packets),
        C(wakeup_bytes)). A bucket is from, to, and how many. Bytes are with virtio-net headers, and C(tx) is what a
        guest sends.
      - Counts of C(vhost_signal) for each worker (C(signals)), and of packets that an interface dropped (C(drops)), by
        the kernel's reason and function. C(FULL_RING) in C(tun_net_xmit) is a tap whose ring is full.
      - What the sender's TCP sent again, by its kernel's own counters (C(retransmits)), of all its connections and at
        the pace of O(socket_seconds). They are read as files, for bpftrace in a guest would cost what is
        measured.
      - What this kernel cannot tell is in C(absent) of the record, with the reason. The verdict's rules are the same
        with a trace; what it shows is added to the evidence.
      - It costs CPU time, most of it with each packet and each switch of threads. C(observed.trace) says that it
        was on; compare rates with each other only where it was the same.
    type: bool
    default: false
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
    details: Checks that all that is to be limited and sampled is there, and measures nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each call measures.
"""

EXAMPLES = r"""
- name: Measure
  virtperf.vhost.throttle_run:
    run_id: "{{ run_id }}"
    workload: iperf3
    layout: qemu-thread
    phases:
      - {name: baseline, seconds: 10}
      - {name: throttled, cpu_max: 1000 1000000, seconds: 10}
      - {name: recovered, cpu_max: max 100000, seconds: 10}
    sender: client
    server:
      name: guest1
      interfaces: [tap0]
      through: [ssh, -F, /run/virtperf/ssh_config, guest1]
      command: [iperf3, --server, --one-off, --json-stream, --interval, "0.5"]
    client:
      name: guest2
      interfaces: [tap1]
      through: [ssh, -F, /run/virtperf/ssh_config, guest2]
      command: [iperf3, --client, 10.0.0.1, --time, "40", --json-stream, --interval, "0.5"]
      sockets: [dport, "=", ":5201"]
    bridge: [br0]
    threads:
      - {label: guest1/worker, role: worker, pid: 4711, tid: 4730}
      - {label: guest2/worker, role: worker, pid: 4811, tid: 4830}
    cgroups:
      guest1: /sys/fs/cgroup/vhost-toplevel/guest1
      guest2: /sys/fs/cgroup/vhost-toplevel/guest2
"""

RETURN = r"""
records:
  description: The file on the host that holds the records.
  returned: success
  type: str
  sample: /var/lib/virtperf/runs/20261120T100000Z-1a2b/throttle.jsonl
trials:
  description: Records written, one a phase.
  returned: success
  type: int
  sample: 27
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
series:
  description: The files on the host that hold the samples, one a timeline.
  returned: success, not in check mode
  type: list
  elements: str
  sample: [/var/lib/virtperf/runs/20261120T100000Z-1a2b/samples/throttle-iperf3-kthread-20261120T100012.jsonl]
pace:
  description: How well the pace of samples was kept, for each timeline.
  returned: success, not in check mode
  type: list
  elements: dict
  sample: [{samples: 901, missed: 0, worst_late_ms: 3.1, cpu_share: 0.0048}]
wall_seconds:
  description: How long it ran, in seconds.
  returned: success, not in check mode
  type: float
  sample: 281.4
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.sources import open_sources
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import trace
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.limiter import CpuMaxFiles
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import (
    ENDS,
    LAYOUTS,
    ROLES,
    WORKLOADS,
    setup,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.study import STUDY, Study

PHASE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "cpu_max": {"type": "str", "default": "max"},
    "seconds": {"type": "float", "required": True},
    "ladder_percent": {"type": "float"},
}
END: dict[str, Any] = {
    "name": {"type": "str"},
    "interfaces": {"type": "list", "elements": "str", "default": []},
    "through": {"type": "list", "elements": "str", "default": []},
    "command": {"type": "list", "elements": "str", "default": []},
    "ready": {"type": "list", "elements": "str", "default": []},
    "sockets": {"type": "list", "elements": "str", "default": []},
}
THREAD: dict[str, Any] = {
    "label": {"type": "str", "required": True},
    "role": {"type": "str", "choices": list(ROLES), "required": True},
    "pid": {"type": "int", "required": True},
    "tid": {"type": "int", "required": True},
    "start": {"type": "int", "default": 0},
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Check everything, then run the timelines."""
    started_s = time.monotonic()
    params = module.params
    made = setup(params)
    records = RecordFile(host, params["run_id"], STUDY).path
    # What is missing is found before anything is started or changed; each timeline opens its own.
    for source in open_sources(host, made.interfaces, made.threads, made.cgroups).all:
        source.close()
    if made.trace:
        trace.prepare(host, made)
    if module.check_mode:
        return {"changed": True, "records": records, "trials": 0, "invalid": 0, "reasons": []}
    processes.name_myself("throttle_run")
    myself = processes.identify(host, os.getpid())
    journal = Journal(host, params["run_id"])
    journal.append("process", name="throttle_run", **myself.as_dict())
    limiter = CpuMaxFiles(host, journal, made.cgroups)
    summary = Study(host, params["run_id"], params["host"], made, limiter).run()
    return {
        "changed": True,
        "records": records,
        "trials": summary.trials,
        "invalid": summary.invalid,
        "reasons": summary.reasons,
        "series": summary.series,
        "pace": [pace.as_dict() for pace in summary.paces],
        "wall_seconds": round(time.monotonic() - started_s, 3),
    }


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "workload": {"type": "str", "choices": list(WORKLOADS), "required": True},
            "layout": {"type": "str", "choices": list(LAYOUTS), "required": True},
            "phases": {"type": "list", "elements": "dict", "required": True, "options": PHASE},
            "trials": {"type": "int", "default": 3},
            "sender": {"type": "str", "choices": list(ENDS), "default": "server"},
            "server": {"type": "dict", "options": END},
            "client": {"type": "dict", "options": END},
            "bridge": {"type": "list", "elements": "str", "default": []},
            "threads": {"type": "list", "elements": "dict", "default": [], "options": THREAD},
            "cgroups": {"type": "dict", "default": {}},
            "sample_seconds": {"type": "float", "default": 0.1},
            "socket_seconds": {"type": "float", "default": 1.0},
            "settle_seconds": {"type": "float", "default": 2.0},
            "warmup_seconds": {"type": "float", "default": 2.0},
            "trace": {"type": "bool", "default": False},
            "host": {"type": "str", "default": "localhost"},
            **RUN_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
