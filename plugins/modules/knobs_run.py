#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what virtio-net's, vhost's and the host's settings change, over NICs of one running guest."""

from __future__ import annotations

DOCUMENTATION = r"""
module: knobs_run
short_description: Measure traffic over the NICs of a guest that differ in one setting
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Takes the trials of one boot of the study C(knobs), in the order in which they are given, in one call on the
    hypervisor. The guest under test has a NIC for each arm; an arm is a complete set of settings. A trial sends traffic
    over one of them, and gives a record.
  - At the two edges of a trial's window both guests and the hypervisor are looked at. In the guest under test packets,
    kicks, interrupts of each queue and stops of transmit queues are counted; on the hypervisor drops of taps and
    queueing disciplines, CPU time of threads, and, in the kernel by C(bpftrace), exits of each VM by reason, kicks that
    workers see, and interrupts that are raised.
  - What cannot be counted is left out, and C(counters.absent) of the record says why. All else is counted without it.
  - A trial whose NIC is not what its arm asks for (rings, queues, features, vhost), or whose program failed, is not
    valid, and its record says why. A guest that is gone ends the boot, and each trial that is left says so.
  - Guests are reached over one connection each, which carries an agent in Python. Whatever was started there ends with
    the connection, and what was started here with this module.
  - The NICs of both guests get addresses of 198.18.0.0/15, which is for benchmarks. That stays, for guests of a study
    are thrown away. Settings of the hypervisor are in its journal before the first is changed, and are put back
    after each trial. M(virtperf.vhost.restore) does so when this module was killed.
  - Each record is on disk before the next trial begins, in C(/var/lib/virtperf/runs/<run_id>/knobs.jsonl).
  - An action plugin of the same name shows a line of progress at least every 5 seconds.
options:
  boot:
    description: The number of the boot, for the records.
    type: int
    default: 1
  arms:
    description: The NICs of the guest under test.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What it is called in the records.
        type: str
        required: true
      number:
        description: Its network is C(198.18.<number>.0/24).
        type: int
        required: true
      tap:
        description: Its other end on this host.
        type: str
        required: true
      mac:
        description: Its MAC, by which it is found in the guest.
        type: str
        required: true
      settings:
        description: Levels by knob. What was negotiated is compared with them.
        type: dict
        default: {}
      guest:
        description:
          - What is set in the guest once.
          - C(ethtool) has the groups C(channels), C(rings), C(coalesce) and C(features), each with values by their
            names, as C(ethtool) takes them.
        type: dict
        default: {}
      host:
        description: Files of the kernel's that are set around each of its trials.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: A file below C(/proc/sys) or C(/sys).
            type: str
            required: true
          value:
            description: What it shall say.
            type: str
            required: true
      module:
        description:
          - C(module), C(parameter) and C(value) of a kernel module's parameter that is read when the device starts.
          - If it is not so already, it is set while the guest's driver starts the device anew. Where it is read-only
            the arm is not available.
        type: dict
        default: {}
  trials:
    description: What is measured, in order.
    type: list
    elements: dict
    required: true
    suboptions:
      cell:
        description: C(knob), C(level) and C(workload), for the records.
        type: dict
        required: true
      trial:
        description: The number of its pair.
        type: int
        required: true
      arm:
        description: The name of the arm.
        type: str
        required: true
      position:
        description: Its place in the boot.
        type: int
        required: true
  workloads:
    description:
      - By name, what is sent. C(kind) is C(iperf3), C(netperf) or C(pktgen), C(from) and C(to) are C(dut), C(peer) or
        C(host).
      - C(message_bytes) is what one call writes or asks for, C(test) is netperf's. pktgen sends C(rate_pps) packets a
        second (0 as many as can be) of C(packet_size) bytes, FCS included.
    type: dict
    required: true
  dut:
    description: The guest under test.
    type: dict
    required: true
    suboptions: &guest
      name:
        description: Its name in the inventory.
        type: str
        required: true
      through:
        description:
          - The words of a command that hands its last argument to a shell in the guest, as in
            C(ssh -F config guest1).
        type: list
        elements: str
        required: true
      vm:
        description: The name of its VM in O(vms).
        type: str
      address:
        description: An address of the NIC that is meant, where there is no O(peer.mac).
        type: str
      mac:
        description: The MAC of the NIC that is meant. Those of the guest under test are in O(arms).
        type: str
      tap:
        description: The other end of that NIC on this host, whose drops are counted.
        type: str
  peer:
    description: The guest at the other end. It needs one NIC, which gets an address for each arm.
    type: dict
    suboptions: *guest
  window_seconds:
    description: How long a trial counts, in seconds.
    type: float
    default: 2.0
  warmup_seconds:
    description: Traffic before that, in seconds.
    type: float
    default: 0.5
  counters:
    description:
      - Whether C(bpftrace) counts the exits of both VMs, by reason. Guests count kicks and interrupts themselves.
    type: bool
    default: true
  second_sources:
    description:
      - Whether it counts the hypervisor's side of the same kicks and interrupts beside that (C(mmio), C(msi),
        C(injected), C(kicks) in the record). Nothing is counted where O(counters=false).
    type: bool
    default: false
  threads:
    description: The threads that serve both VMs.
    type: list
    elements: dict
    default: []
    suboptions:
      label:
        description: What it is called in verdicts.
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
      interface:
        description: The tap that a worker serves, where that is known.
        type: str
  vms:
    description: The VMs of both guests.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      pid:
        description: Its process.
        type: int
        required: true
  bridge:
    description: The bridge between the taps, which has an address in the network of each arm.
    type: str
    required: true
  seed:
    description: What the order of the trials was made with, for the records.
    type: int
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
    details: Checks the arguments and that the threads are there, and measures nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each call measures.
"""

EXAMPLES = r"""
- name: Measure
  virtperf.vhost.knobs_run:
    run_id: "{{ run_id }}"
    arms:
      - {name: baseline, number: 1, tap: vpk1, mac: "52:54:00:6b:01:01", settings: {event_idx: "on"}}
      - {name: event_idx=off, number: 2, tap: vpk2, mac: "52:54:00:6b:01:02", settings: {event_idx: "off"}}
    trials:
      - cell: {knob: event_idx, level: "off", workload: tcp_out_64k}
        trial: 1
        arm: event_idx=off
        position: 1
      - cell: {knob: event_idx, level: "on", workload: tcp_out_64k}
        trial: 1
        arm: baseline
        position: 2
    workloads:
      tcp_out_64k: {kind: iperf3, from: dut, to: peer, message_bytes: 65536}
    dut:
      name: guest1
      through: [ssh, -F, /run/virtperf/ssh_config, guest1]
    peer:
      name: guest2
      through: [ssh, -F, /run/virtperf/ssh_config, guest2]
      mac: "52:54:00:6b:01:00"
      tap: vpk-peer
    threads:
      - {label: dut/vcpu0, role: vcpu, pid: 4711, tid: 4720}
      - {label: dut/worker0, role: worker, pid: 4711, tid: 4730, interface: vpk1}
      - {label: peer/vcpu0, role: vcpu, pid: 4811, tid: 4820}
    vms:
      - {name: guest1, pid: 4711}
      - {name: guest2, pid: 4811}
    bridge: vpbr0
"""

RETURN = r"""
records:
  description: The file on the host that holds the records.
  returned: success
  type: str
  sample: /var/lib/virtperf/runs/20261120T100000Z-1a2b/knobs.jsonl
trials:
  description: Records written, one a trial.
  returned: success
  type: int
  sample: 120
invalid:
  description: Those of them that are not valid.
  returned: success
  type: int
  sample: 2
reasons:
  description: Why, each reason once.
  returned: success
  type: list
  elements: str
  sample: ["tx_queue_size=1024: its tx ring has 256 descriptors where 1024 were asked for"]
absent:
  description: What could not be counted on the hypervisor, with the reason.
  returned: success, not in check mode
  type: dict
  sample: {exits: "not available: no program bpftrace"}
wall_seconds:
  description: How long it ran, in seconds.
  returned: success, not in check mode
  type: float
  sample: 391.2
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import ROLES, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.study import STUDY, Study
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.records import RecordFile
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Threads

SETTING: dict[str, Any] = {
    "path": {"type": "str", "required": True},
    "value": {"type": "str", "required": True},
}
ARM: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "number": {"type": "int", "required": True},
    "tap": {"type": "str", "required": True},
    "mac": {"type": "str", "required": True},
    "settings": {"type": "dict", "default": {}},
    "guest": {"type": "dict", "default": {}},
    "host": {"type": "list", "elements": "dict", "default": [], "options": SETTING},
    "module": {"type": "dict", "default": {}},
}
TRIAL: dict[str, Any] = {
    "cell": {"type": "dict", "required": True},
    "trial": {"type": "int", "required": True},
    "arm": {"type": "str", "required": True},
    "position": {"type": "int", "required": True},
}
GUEST: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "through": {"type": "list", "elements": "str", "required": True},
    "vm": {"type": "str"},
    "address": {"type": "str"},
    "mac": {"type": "str"},
    "tap": {"type": "str"},
}
THREAD: dict[str, Any] = {
    "label": {"type": "str", "required": True},
    "role": {"type": "str", "choices": list(ROLES), "required": True},
    "pid": {"type": "int", "required": True},
    "tid": {"type": "int", "required": True},
    "start": {"type": "int", "default": 0},
    "interface": {"type": "str"},
}
VM: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "pid": {"type": "int", "required": True},
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Check everything, then take the trials."""
    started_s = time.monotonic()
    params = module.params
    made = setup(params)
    records = RecordFile(host, params["run_id"], STUDY).path
    # What is missing is found before anything is started or changed; the study opens its own.
    Threads(host, made.threads).close()
    if module.check_mode:
        return {"changed": True, "records": records, "trials": 0, "invalid": 0, "reasons": []}
    processes.name_myself("knobs_run")
    myself = processes.identify(host, os.getpid())
    Journal(host, params["run_id"]).append("process", name="knobs_run", **myself.as_dict())
    summary = Study(host, params["run_id"], params["host"], made).run()
    return {
        "changed": True,
        "records": records,
        "trials": summary.trials,
        "invalid": summary.invalid,
        "reasons": summary.reasons,
        "absent": summary.absent,
        "wall_seconds": round(time.monotonic() - started_s, 3),
    }


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "boot": {"type": "int", "default": 1},
            "arms": {"type": "list", "elements": "dict", "required": True, "options": ARM},
            "trials": {"type": "list", "elements": "dict", "required": True, "options": TRIAL},
            "workloads": {"type": "dict", "required": True},
            "dut": {"type": "dict", "required": True, "options": GUEST},
            "peer": {"type": "dict", "options": GUEST},
            "window_seconds": {"type": "float", "default": 2.0},
            "warmup_seconds": {"type": "float", "default": 0.5},
            "counters": {"type": "bool", "default": True},
            "second_sources": {"type": "bool", "default": False},
            "threads": {"type": "list", "elements": "dict", "default": [], "options": THREAD},
            "vms": {"type": "list", "elements": "dict", "default": [], "options": VM},
            "bridge": {"type": "str", "required": True},
            "seed": {"type": "int"},
            "host": {"type": "str", "default": "localhost"},
            **RUN_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
