#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: which host CPUs the threads of VMs run on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vcpu_pin
short_description: Pin the threads of VMs to host CPUs
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Pins each vCPU of a running VM to host CPUs of its own, which C(numactl) and C(taskset) cannot, and its I/O threads,
    vhost workers and emulator threads as well. It can also set their scheduling policy.
  - Which thread is which is asked of QEMU, over QMP or through libvirt, and never guessed from names.
  - Nothing is touched before the whole request has been checked, among others for CPUs that do not exist, are offline,
    or are outside of a thread's cpuset.
  - What is there already is found by the real affinity of each thread, and each change is read back.
  - Every change is noted in the host's journal before it is made. When one fails, all are put back.
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - For libvirt domains, libvirt's Python modules. Debian has them as C(python3-libvirt), for
    C(ansible_python_interpreter=/usr/bin/python3).
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: A table of the threads that change, with their role, before and after.
  idempotent:
    support: full
    details:
      - A VM that has started new threads since is changed again where those need it.
options:
  vms:
    description:
      - The VMs. What is not listed, of them and of their threads, is left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What to call it in messages and results. Its domain or socket if not given.
        type: str
      qmp:
        description:
          - The path of its QMP socket. One of this and O(vms[].domain) is required.
          - QEMU serves one client at a time on it.
        type: path
      domain:
        description: The name or UUID of a libvirt domain.
        type: str
      vcpus:
        description: The vCPUs to pin.
        type: list
        elements: dict
        suboptions:
          vcpu:
            description: Its number, from 0.
            type: int
            required: true
          cpus:
            description: The host CPUs it may run on, such as V(3) or V(2-3,8). Left as they are if not given.
            type: str
          policy:
            description: Its scheduling policy. Left as it is if not given.
            type: str
            choices: [other, batch, idle, fifo, rr]
          priority:
            description: Its priority from 1 to 99, required with and only with the policies V(fifo) and V(rr).
            type: int
      iothreads:
        description: The I/O threads to pin.
        type: list
        elements: dict
        suboptions:
          id:
            description: Its id, such as V(iothread1). All that have no entry of their own, if not given.
            type: str
          cpus:
            description: As for O(vms[].vcpus[].cpus).
            type: str
          policy:
            description: As for O(vms[].vcpus[].policy).
            type: str
            choices: [other, batch, idle, fifo, rr]
          priority:
            description: As for O(vms[].vcpus[].priority).
            type: int
      emulator:
        description: All threads of QEMU that are neither vCPU, I/O thread nor vhost worker.
        type: dict
        suboptions:
          cpus:
            description: As for O(vms[].vcpus[].cpus).
            type: str
          policy:
            description: As for O(vms[].vcpus[].policy).
            type: str
            choices: [other, batch, idle, fifo, rr]
          priority:
            description: As for O(vms[].vcpus[].priority).
            type: int
      vhost:
        description:
          - The workers that serve its vhost devices, be they threads of QEMU or of the kernel.
          - Workers of new queues appear late. Run the task again to have those too.
        type: dict
        suboptions:
          cpus:
            description: As for O(vms[].vcpus[].cpus).
            type: str
          policy:
            description: As for O(vms[].vcpus[].policy).
            type: str
            choices: [other, batch, idle, fifo, rr]
          priority:
            description: As for O(vms[].vcpus[].priority).
            type: int
  libvirt_uri:
    description: The libvirt connection that O(vms[].domain) is looked up in.
    type: str
    default: qemu:///system
  on_shared_siblings:
    description:
      - What to do when two vCPUs are pinned to the same core, to one CPU of it or to hyperthreads that share it.
    type: str
    choices: [allow, warn, fail]
    default: warn
  on_remote_memory:
    description:
      - What to do when a vCPU is pinned to CPUs of another NUMA node than the VM's memory.
      - Where the memory is, is what it is bound to, or else where a tenth or more of the process's pages are.
    type: str
    choices: [allow, warn, fail]
    default: warn
  on_isolated_range:
    description:
      - What to do when a thread is given several CPUs with isolated ones (C(isolcpus)) among them. The scheduler does
        not balance on isolated CPUs, so that all threads of a VM can land on one of them.
      - The policies V(fifo) and V(rr) are balanced there too, and not affected.
    type: str
    choices: [allow, warn, fail]
    default: fail
notes:
  - Pins last as long as the VM.
  - vCPUs and I/O threads of libvirt domains are pinned through libvirt, so that its cgroups and C(virsh vcpupin) agree.
    So are emulator threads, unless there are vhost workers, which libvirt keeps in the same cgroup.
  - libvirt marks a domain as tainted by a custom monitor command when it is asked for thread ids.
seealso:
  - plugin: virtperf.vhost.pin_layout
    plugin_type: filter
    description: Proposes a layout.
"""

EXAMPLES = r"""
- name: Pin each vCPU to a CPU of its own, and the rest of QEMU beside them
  virtperf.vhost.vcpu_pin:
    vms:
      - name: guest1
        qmp: /run/virtperf/qemu/guest1/qmp.sock
        vcpus:
          - {vcpu: 0, cpus: "2"}
          - {vcpu: 1, cpus: "3"}
        emulator: {cpus: "0-1"}
        vhost: {cpus: "4", policy: fifo, priority: 1}
  become: true

- name: Look at the host
  virtperf.vhost.vhost_info:
  register: host

- name: Pin two libvirt domains as proposed, and take no compromise
  virtperf.vhost.vcpu_pin:
    vms: "{{ [{'domain': 'guest1', 'vcpus': 2}, {'domain': 'guest2', 'vcpus': 2}]
      | virtperf.vhost.pin_layout(host.vhost_info) }}"
    on_shared_siblings: fail
    on_remote_memory: fail
  become: true
  vars:
    ansible_python_interpreter: /usr/bin/python3
"""

RETURN = r"""
vms:
  description: One entry for each of O(vms), in that order, to be kept in a record.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: As in O(vms).
      returned: success
      type: str
      sample: guest1
    pid:
      description: The process that runs it.
      returned: success
      type: int
      sample: 4711
    memory_nodes:
      description: The NUMA nodes that its memory is on. Empty where the kernel does not tell.
      returned: success
      type: list
      elements: int
      sample: [0]
    threads:
      description: All of its threads as they are afterwards, read back; in check mode as they would be.
      returned: success
      type: list
      elements: dict
      contains:
        tid:
          description: The thread's id.
          returned: success
          type: int
          sample: 4715
        role:
          description: What it is for, V(vcpu), V(iothread), V(vhost) or V(emulator).
          returned: success
          type: str
          sample: vcpu
        id:
          description: The vCPU's number or the I/O thread's id; empty for others.
          returned: success
          type: str
          sample: "0"
        comm:
          description: Its name, for people.
          returned: success
          type: str
          sample: CPU 0/KVM
        cpus:
          description: The CPUs it may run on.
          returned: success
          type: str
          sample: "2"
        policy:
          description: Its scheduling policy; a number for one that cannot be asked for here.
          returned: success
          type: str
          sample: other
        priority:
          description: Its real-time priority, V(0) if it has none.
          returned: success
          type: int
          sample: 0
        changed:
          description: Whether it was changed.
          returned: success
          type: bool
          sample: true
actions:
  description: What was changed, in plain words; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample: ["guest1: vCPU 0, thread 4715: from 0-7 to 2"]
vcpus:
  description: How many vCPUs the VM has.
  returned: when a vCPU is asked for that it lacks
  type: int
  sample: 2
iothreads:
  description: The I/O threads that the VM has.
  returned: when one is asked for that it lacks
  type: list
  elements: str
  sample: [iothread1]
online:
  description: The CPUs that are online.
  returned: when a CPU is asked for that is not
  type: list
  elements: int
  sample: [0, 1, 2, 3]
cpuset:
  description: The CPUs that the thread's cpuset has.
  returned: when a CPU is asked for that it leaves out
  type: list
  elements: int
  sample: [0, 1]
file:
  description: The file that could not be used.
  returned: when a file could not be used
  type: str
  sample: /var/lib/virtperf/journal.jsonl
errno:
  description: The number of the operating system's error.
  returned: when a file could not be used
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
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.checks import ANSWERS, Policy
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.pinner import LIBVIRT_URI, ensure
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import parse
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import POLICIES

THREAD_ARGUMENTS: dict[str, dict[str, Any]] = {
    "cpus": {"type": "str"},
    "policy": {"type": "str", "choices": list(POLICIES)},
    "priority": {"type": "int"},
}
VM_ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "qmp": {"type": "path"},
    "domain": {"type": "str"},
    "vcpus": {
        "type": "list",
        "elements": "dict",
        "options": {"vcpu": {"type": "int", "required": True}, **THREAD_ARGUMENTS},
    },
    "iothreads": {"type": "list", "elements": "dict", "options": {"id": {"type": "str"}, **THREAD_ARGUMENTS}},
    "emulator": {"type": "dict", "options": THREAD_ARGUMENTS},
    "vhost": {"type": "dict", "options": THREAD_ARGUMENTS},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "vms": {"type": "list", "elements": "dict", "required": True, "options": VM_ARGUMENTS},
    "libvirt_uri": {"type": "str", "default": LIBVIRT_URI},
    "on_shared_siblings": {"type": "str", "choices": list(ANSWERS), "default": "warn"},
    "on_remote_memory": {"type": "str", "choices": list(ANSWERS), "default": "warn"},
    "on_isolated_range": {"type": "str", "choices": list(ANSWERS), "default": "fail"},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    return ensure(
        host,
        parse(given["vms"]),
        Policy(given["on_shared_siblings"], given["on_remote_memory"], given["on_isolated_range"]),
        libvirt_uri=given["libvirt_uri"],
        run_id=given["run_id"],
        check_mode=module.check_mode,
    )


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
