#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, reconfigure and stop DPDK's testpmd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: testpmd
short_description: Start, reconfigure and stop DPDK's testpmd
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Keeps named C(dpdk-testpmd) processes running as defined, or stops them.
  - A process is controlled through its own commands on its standard input; it is ready when its telemetry socket
    answers for its ports.
  - Forward mode, burst, packet size and forwarding change in the running process. Any other change launches it anew,
    and with it those that are connected to a vhost-user socket it serves.
  - Nothing is touched before the whole request has been checked, among others for CPUs that may not be used, CPUs
    that two processes would share, socket paths that are taken, and hugepages that are not free.
options:
  state:
    description:
      - V(started) has O(instances) running as defined. Others are left alone.
      - V(stopped) has those named in O(instances), or all without it, ended and their files removed.
    type: str
    choices: [started, stopped]
    default: started
  instances:
    description: The processes. Required with O(state=started).
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name, up to 32 letters, digits, C(-) and C(_).
        type: str
        required: true
      cpus:
        description: Host CPUs of its forwarding cores, one core each. Required with O(state=started).
        type: list
        elements: int
      main_cpu:
        description: Host CPU of its main lcore, which answers and does not forward. The first of O(instances[].cpus)
          if not given.
        type: int
      ports:
        description: Its ports. Required with O(state=started).
        type: list
        elements: dict
        suboptions:
          device:
            description: A virtual device such as C(net_vhost0) or C(net_virtio_user0), or a PCI address.
            type: str
            required: true
          options:
            description: Its device arguments, see DPDK's guide of the driver. No commas, C(=) or blanks in them.
            type: dict
            default: {}
      huge_dir:
        description: The hugetlbfs mount that its memory comes from. Required with O(state=started).
        type: path
      memory_mib:
        description: Hugepage memory, in MiB.
        type: int
        default: 128
      numa_node:
        description: NUMA node of that memory.
        type: int
        default: 0
      queues:
        description: Receive and transmit queues of each port.
        type: int
        default: 1
      descriptors:
        description: Descriptors of each queue, a power of two. V(0) leaves it to the driver.
        type: int
        default: 0
      mbufs:
        description:
          - Packet buffers in its pool, of about 2.3 KiB each.
          - A pool that fits in the last-level cache makes for higher and steadier rates.
        type: int
        default: 8192
      forward_mode:
        description: What it does with packets.
        type: str
        choices: [io, mac, macswap, flowgen, rxonly, txonly, csum, icmpecho, noisy, 5tswap]
        default: io
      burst:
        description: Packets in a burst.
        type: int
        default: 32
      packet_size:
        description: Size of the packets it makes, in bytes with the FCS of 4 bytes (RFC 2544).
        type: int
        default: 64
      forwarding:
        description: Whether its forwarding cores run.
        type: bool
        default: false
      eal_arguments:
        description: More arguments for EAL.
        type: list
        elements: str
        default: []
      arguments:
        description: More arguments for testpmd itself.
        type: list
        elements: str
        default: []
  allow_overlap:
    description: Let two processes forward on the same CPU.
    type: bool
    default: false
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: A vswitch that reflects, and a generator connected to it
  virtperf.vhost.testpmd:
    instances:
      - name: vswitch
        cpus: [2]
        huge_dir: /run/virtperf/hugepages
        ports:
          - device: net_vhost0
            options: {iface: /run/virtperf/vswitch.sock, queues: 1}
        forwarding: true
      - name: generator
        cpus: [3]
        huge_dir: /run/virtperf/hugepages
        ports:
          - device: net_virtio_user0
            options: {path: /run/virtperf/vswitch.sock, queues: 1, queue_size: 256}
        forward_mode: flowgen
        packet_size: 64
        forwarding: true

- name: Stop all of them
  virtperf.vhost.testpmd:
    state: stopped
"""

RETURN = r"""
actions:
  description: What was done (in check mode, would be done), in plain words.
  returned: success
  type: list
  elements: str
  sample: ["start vswitch on CPU 2", "tell generator: stop; set txpkts 128; start"]
instances:
  description: The processes as they are afterwards.
  returned: success
  type: list
  elements: dict
  sample:
    - name: vswitch
      running: true
      pid: 4711
      log: /run/virtperf/testpmd/vswitch/log
      command: [dpdk-testpmd, "--lcores=0@2,1@2"]
      definition: {burst: 32}
log_end:
  description: The end of the log of a process that died.
  returned: failure, when a process died
  type: str
  sample: "EAL: Cannot get hugepage information."
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import FORWARD_MODES, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance, names
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module

INSTANCE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "cpus": {"type": "list", "elements": "int"},
    "main_cpu": {"type": "int"},
    "ports": {
        "type": "list",
        "elements": "dict",
        "options": {"device": {"type": "str", "required": True}, "options": {"type": "dict", "default": {}}},
    },
    "huge_dir": {"type": "path"},
    "memory_mib": {"type": "int", "default": 128},
    "numa_node": {"type": "int", "default": 0},
    "queues": {"type": "int", "default": 1},
    "descriptors": {"type": "int", "default": 0},
    "mbufs": {"type": "int", "default": 8192},
    "forward_mode": {"type": "str", "choices": list(FORWARD_MODES), "default": "io"},
    "burst": {"type": "int", "default": 32},
    "packet_size": {"type": "int", "default": 64},
    "forwarding": {"type": "bool", "default": False},
    "eal_arguments": {"type": "list", "elements": "str", "default": []},
    "arguments": {"type": "list", "elements": "str", "default": []},
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Plan, check, and unless in check mode, apply."""
    given = module.params["instances"]
    before = [Instance(host, name).facts() for name in names(host)]
    if module.params["state"] == "started":
        wanted = [parse(instance) for instance in given]
        plan = manager.plan_started(host, wanted)
        manager.check(host, wanted, plan, allow_overlap=module.params["allow_overlap"])
    else:
        plan = manager.plan_stopped(host, None if given is None else [instance["name"] for instance in given])
    if not module.check_mode:
        manager.apply(host, Journal(host, module.params["run_id"]), plan)
    return {
        "changed": bool(plan),
        "actions": plan.actions(),
        "instances": [Instance(host, name).facts() for name in names(host)],
        "diff": {"before": _lines(before), "after": _lines(_predicted(before, plan))},
    }


def _predicted(before: list[dict[str, Any]], plan: manager.Plan) -> list[dict[str, Any]]:
    changed = {d.name: d for d in [*plan.starts, *(change[0] for change in plan.changes)]}
    kept = [facts for facts in before if facts["name"] not in {*plan.stops, *changed}]
    new = [{"name": d.name, "running": True, "definition": d.as_dict()} for d in changed.values()]
    return sorted([*kept, *new], key=lambda facts: str(facts["name"]))


def _lines(instances: list[dict[str, Any]]) -> str:
    """A diff shows lines: one for each field, without what differs from start to start."""
    return "".join(
        f"{facts['name']}.{key}: {value}\n"
        for facts in instances
        for key, value in {"running": facts["running"], **facts["definition"]}.items()
    )


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "instances": {"type": "list", "elements": "dict", "options": INSTANCE},
            "allow_overlap": {"type": "bool", "default": False},
            **RUN_ARGUMENTS,
        },
        required_if=[("state", "started", ["instances"])],
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
