#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: the vhost workers of VMs in a cgroup of their own, with limits."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vhost_cgroup
short_description: Limit the vhost workers of VMs with a cgroup
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Puts the vhost workers of running VMs, all of a VM's or those of one interface, into a cgroup of their own (version
    2), and limits it.
  - How is chosen by looking at each worker. A kernel thread is moved as the process that it is. Of a worker that is a
    thread of QEMU, QEMU is moved to the cgroup above, and the worker to a threaded cgroup there. A worker of a libvirt
    domain is moved beside C(emulator), inside of the cgroup that libvirt made for the domain, and QEMU stays where it
    is.
  - Nothing is touched before the whole request has been checked, and each change is read back.
  - Every change is noted in the host's journal before it is made. When one fails, all are put back.
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
    details:
      - Workers that appeared since, as those of new queues do, are moved as well.
options:
  cgroup:
    description:
      - The cgroup's path from the root of the tree, such as V(vhost) or V(vhost-toplevel/the-vhost-killer). What is
        missing of it is made. Limits are set on the last one.
      - Of libvirt domains its last part alone is used, as the name of a cgroup beside each domain's C(emulator). Each
        of these has the limits for itself.
      - A cgroup that exists is used as it is. One that has processes cannot be made threaded.
    type: str
    default: vhost
  vms:
    description:
      - The VMs whose workers are meant, required with O(state=present).
      - With O(state=absent) all that was put into the cgroup goes back, and this is not looked at.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Its name or UUID, as given to M(virtperf.vhost.qemu_vm), libvirt, or QEMU itself. One of this and
            O(vms[].pid) is required.
        type: str
      pid:
        description: The process that runs it.
        type: int
      interface:
        description:
          - The tap whose workers are meant. All workers of the VM if not given, but for those that are known to serve
            something else than a network, such as vhost-vsock.
        type: str
  cpu_max:
    description:
      - Quota and period in µs, such as V(1000 1000000), or V(max) for no quota. A period that is not given stays.
      - The kernel takes quotas from 1000, and periods from 1000 to 1000000.
      - Left alone if not given, as each of the limits is.
    type: str
  weight:
    description: The share of CPU time beside other cgroups, from 1 to 10000.
    type: int
  cpus:
    description: The CPUs to run on, such as V(2-3). All that the cgroup above has, if empty.
    type: str
  mems:
    description: The memory nodes to allocate from. All that the cgroup above has, if empty.
    type: str
  controllers:
    description:
      - The controllers that the cgroup has besides those that the limits given here need, such as for a limit that is
        set later. V(cpu) if neither names any.
    type: list
    elements: str
    choices: [cpu, cpuset]
  state:
    description:
      - V(present) puts workers into the cgroup. V(absent) puts each back where it was, and then removes what was made,
        the deepest first.
    type: str
    choices: [present, absent]
    default: present
notes:
  - On hosts whose controllers are bound to cgroup version 1 the module fails, and says where they are bound and how to
    boot otherwise.
  - QEMU that is moved leaves the cgroup of its service or session, and with it the limits which that may have.
seealso:
  - module: virtperf.vhost.vhost_info
  - module: virtperf.vhost.vcpu_pin
  - module: virtperf.vhost.restore
"""

EXAMPLES = r"""
- name: Leave the vhost workers of a VM a thousandth of a CPU
  virtperf.vhost.vhost_cgroup:
    cgroup: vhost-toplevel/the-vhost-killer
    vms:
      - name: client
    cpu_max: 1000 1000000
  become: true

- name: Lift the limit
  virtperf.vhost.vhost_cgroup:
    cgroup: vhost-toplevel/the-vhost-killer
    vms:
      - name: client
    cpu_max: max 100000
  become: true

- name: Serve one interface of each of two VMs from a CPU of its own
  virtperf.vhost.vhost_cgroup:
    cgroup: io-core
    vms:
      - {name: guest1, interface: vnet0}
      - {name: guest2, interface: vnet2}
    cpus: "7"
  become: true

- name: Put all back
  virtperf.vhost.vhost_cgroup:
    cgroup: io-core
    state: absent
  become: true
"""

RETURN = r"""
groups:
  description:
    - The cgroups that have the workers, read back; in check mode as they would be.
    - One for all VMs, but one for each libvirt domain.
    - Empty with O(state=absent).
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The cgroup, from the root of the tree.
      returned: success
      type: str
      sample: /vhost-toplevel/the-vhost-killer
    directory:
      description: Its directory.
      returned: success
      type: str
      sample: /sys/fs/cgroup/vhost-toplevel/the-vhost-killer
    type:
      description: V(domain), or V(threaded) where a worker is a thread of QEMU.
      returned: success
      type: str
      sample: threaded
    cpu_max:
      description: Quota and period. V(null) without the controller cpu, as RV(groups[].weight).
      returned: success
      type: str
      sample: 1000 1000000
    weight:
      description: The share of CPU time.
      returned: success
      type: str
      sample: "100"
    cpus:
      description: The CPUs asked for. V(null) without the controller cpuset, as RV(groups[].mems).
      returned: success
      type: str
      sample: "7"
    mems:
      description: The memory nodes asked for.
      returned: success
      type: str
      sample: ""
    cpus_effective:
      description: The CPUs that the kernel grants.
      returned: success
      type: str
      sample: "7"
    mems_effective:
      description: The memory nodes that the kernel grants.
      returned: success
      type: str
      sample: "0"
workers:
  description: The workers asked for; with O(state=absent) those that were put back.
  returned: success
  type: list
  elements: dict
  contains:
    vm:
      description: Its VM.
      returned: success
      type: str
      sample: client
    pid:
      description: The VM's process.
      returned: success
      type: int
      sample: 4711
    tid:
      description: The worker's thread.
      returned: success
      type: int
      sample: 4720
    interface:
      description: The tap that it serves, V(null) where that cannot be told.
      returned: success
      type: str
      sample: tap0
    layout:
      description: What it is, V(kthread), V(qemu-thread), or V(libvirt) for a thread of QEMU that libvirt keeps.
      returned: success
      type: str
      sample: qemu-thread
    cgroup_before:
      description: Where it was.
      returned: success
      type: str
      sample: /user.slice/user-0.slice/session-3.scope
    cgroup:
      description: Where it is, read from the kernel; in check mode where it would be.
      returned: success
      type: str
      sample: /vhost-toplevel/the-vhost-killer
    moved:
      description: Whether it was moved.
      returned: success
      type: bool
      sample: true
actions:
  description: What was changed, in plain words; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample: [make cgroup /vhost, enable cpu below /, move vhost worker 4720 of client (tap0) from / to /vhost]
cgroup:
  description: Which controllers there are, and where, as in RV(virtperf.vhost.vhost_info#module:vhost_info.cgroup).
  returned: when version 2 does not have the controllers
  type: dict
  sample: {version: hybrid, mount: /sys/fs/cgroup/unified, available: [], enabled: [], v1: {cpu: /sys/fs/cgroup/cpu}}
ancestor:
  description: The cgroup above that lacks the controllers, or cannot pass them on.
  returned: when controllers cannot be had in the cgroup
  type: str
  sample: /sys/fs/cgroup/machine.slice
controllers:
  description: The controllers that cannot be had.
  returned: when controllers cannot be had in the cgroup
  type: list
  elements: str
  sample: [cpu]
directory:
  description: The cgroup that stands in the way.
  returned: when a cgroup cannot be threaded
  type: str
  sample: /sys/fs/cgroup/vhost
processes:
  description: The processes in it.
  returned: when a cgroup cannot be threaded for the processes in it
  type: list
  elements: int
  sample: [4711]
cpuset:
  description: What the cgroup above has.
  returned: when a CPU or memory node is asked for that it does not have
  type: list
  elements: int
  sample: [0, 1]
interfaces:
  description: The taps that the VM has.
  returned: when an interface is asked for that it lacks
  type: list
  elements: str
  sample: [tap0]
minimum_us:
  description: The smallest quota.
  returned: when the quota is smaller
  type: int
  sample: 1000
tid:
  description: The thread that refuses to move.
  returned: when one does
  type: int
  sample: 4720
file:
  description: The file that could not be used.
  returned: when a file could not be used
  type: str
  sample: /sys/fs/cgroup/cgroup.subtree_control
errno:
  description: The number of the operating system's error.
  returned: when a file could not be used, or a thread refuses to move
  type: int
  sample: 16
left_changed:
  description: What could not be put back after a failure; the journal still has it.
  returned: when something had been changed before the failure
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.hierarchy import CONTROLLERS
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.manager import ensure_absent, ensure_present
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.request import group, parse

VM_ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "pid": {"type": "int"},
    "interface": {"type": "str"},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "cgroup": {"type": "str", "default": "vhost"},
    "vms": {"type": "list", "elements": "dict", "options": VM_ARGUMENTS},
    "cpu_max": {"type": "str"},
    "weight": {"type": "int"},
    "cpus": {"type": "str"},
    "mems": {"type": "str"},
    "controllers": {"type": "list", "elements": "str", "choices": list(CONTROLLERS)},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    if given["state"] == "absent":
        return ensure_absent(host, group(given["cgroup"]), check_mode=module.check_mode)
    return ensure_present(host, parse(given), run_id=given["run_id"], check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
