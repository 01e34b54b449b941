#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: what a measurement on this host depends on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vhost_info
short_description: Tell what a measurement on a host depends on
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Looks at the host's CPUs, NUMA nodes, hugepages, kernel and programs, at its VMs with their taps and vhost workers,
    and at what it can do for vhost, within milliseconds, and changes nothing.
  - What the host does not have, or does not let be read, is V(null), or an empty list where there would be several.
  - C(dpdk-testpmd) is not started to find out its version, because that would already set up memory and devices.
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: Changes nothing.
  idempotent:
    support: full
options:
  run_id:
    description:
      - The run that asks, to tell in RV(vhost_info.run_lock) whether it is the one that holds the host.
  probe_kvm:
    description:
      - Whether to find out if KVM works, by starting a paused VM with it. That takes about a tenth of a second, and
        seconds on an emulated machine. That C(/dev/kvm) exists says little.
    type: bool
    default: false
seealso:
  - module: virtperf.vhost.hugepages
  - module: virtperf.vhost.vhost_cgroup
notes:
  - Root is not needed. Without it the lock of a run, the taps of VMs and tracepoints cannot be read, and
    RV(vhost_info.unreadable) says so.
  - Which worker serves which tap follows from the order in which QEMU starts them. Where taps were plugged in later,
    that may be left open, V(null).
"""

EXAMPLES = r"""
- name: Look at the host
  virtperf.vhost.vhost_info:
  register: host

- name: Stop where the kernel has no 1 GiB pages
  ansible.builtin.assert:
    that: "'1GiB' in host.vhost_info.hugepages.sizes"

- name: Stop where VMs would be emulated
  virtperf.vhost.vhost_info:
    probe_kvm: true
  register: host
  failed_when: not host.vhost_info.kvm.usable
"""

RETURN = r"""
vhost_info:
  description: The facts, by subject.
  returned: success
  type: dict
  contains:
    cpus:
      description: The CPUs.
      returned: success
      type: dict
      contains:
        model:
          description: The model's name, V(null) on machines that do not tell one.
          returned: success
          type: str
          sample: AMD EPYC 9554 64-Core Processor
        present:
          description: The CPUs that are plugged in.
          returned: success
          type: list
          elements: int
          sample: [0, 1, 2, 3]
        online:
          description: The CPUs that the kernel uses.
          returned: success
          type: list
          elements: int
          sample: [0, 1, 2, 3]
        allowed:
          description: The CPUs that this task may use.
          returned: success
          type: list
          elements: int
          sample: [0, 1, 2, 3]
        isolated:
          description: The CPUs that the scheduler leaves alone (C(isolcpus)).
          returned: success
          type: list
          elements: int
          sample: [2, 3]
        nohz_full:
          description: The CPUs without a timer tick while one task runs (C(nohz_full)).
          returned: success
          type: list
          elements: int
          sample: [2, 3]
        node_of:
          description: The NUMA node of each CPU. Keys are strings.
          returned: success
          type: dict
          sample: {"0": 0, "1": 0, "2": 0, "3": 0}
        siblings_of:
          description: The CPUs that share a core with each online CPU, itself among them. Keys are strings.
          returned: success
          type: dict
          sample: {"0": [0, 2], "1": [1, 3], "2": [0, 2], "3": [1, 3]}
        sockets:
          description: The number of packages.
          returned: success
          type: int
          sample: 1
        smt:
          description: Whether cores run several threads.
          returned: success
          type: bool
          sample: true
        frequency_driver:
          description: The driver that sets the frequency, V(null) where there is none, as in most virtual machines.
          returned: success
          type: str
          sample: amd-pstate-epp
        governors:
          description: The frequency governors in use, each once.
          returned: success
          type: list
          elements: str
          sample: [performance]
        virtual:
          description: Whether the CPUs are those of a virtual machine; V(null) where CPUs do not tell.
          returned: success
          type: bool
          sample: false
    numa_nodes:
      description: The NUMA nodes; none on a kernel without NUMA.
      returned: success
      type: list
      elements: dict
      contains:
        node:
          description: Its number.
          returned: success
          type: int
          sample: 0
        cpus:
          description: Its CPUs.
          returned: success
          type: list
          elements: int
          sample: [0, 1, 2, 3]
        memory:
          description: Its memory in kB. What is available is an estimate, free memory and caches.
          returned: success
          type: dict
          sample: {total_kb: 131841284, free_kb: 120345672, available_kb: 124884244}
    memory:
      description: The host's memory in kB.
      returned: success
      type: dict
      sample: {total_kb: 131841284, free_kb: 120345672, available_kb: 126884244}
    hugepages:
      description: The host's hugepages.
      returned: success
      type: dict
      contains:
        sizes:
          description: The sizes that the kernel has.
          returned: success
          type: list
          elements: str
          sample: [2MiB, 1GiB]
        default_size:
          description: The size of a mount or mapping that does not name one.
          returned: success
          type: str
          sample: 2MiB
        pools:
          description:
            - The pool of each size, for the whole host (V(node) is V(null)) and for each node.
            - V(total) includes V(surplus), V(free) includes V(reserved), which the kernel does not count by nodes.
          returned: success
          type: list
          elements: dict
          sample:
            - {size: 2MiB, node: null, total: 1024, free: 896, reserved: 0, surplus: 0}
            - {size: 2MiB, node: 0, total: 1024, free: 896, reserved: null, surplus: 0}
        mounts:
          description: Where hugetlbfs is mounted, with pages of which size, and whether this collection did it.
          returned: success
          type: list
          elements: dict
          sample:
            - {path: /dev/hugepages, size: 2MiB, ours: false}
    kernel:
      description: The kernel, and the command line it was booted with.
      returned: success
      type: dict
      sample:
        release: 6.1.0-40-amd64
        version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.153-1"
        machine: x86_64
        cmdline: BOOT_IMAGE=/vmlinuz-6.1.0-40-amd64 root=/dev/sda1 ro isolcpus=2,3
    virtualization:
      description:
        - What the firmware calls the machine, and whether the kernel offers the devices of KVM and vhost-net.
        - That a device exists does not mean that it works.
      returned: success
      type: dict
      sample: {vendor: Supermicro, product: AS-1115CS-TNR, kvm_device: true, vhost_net_device: true}
    kvm:
      description:
        - Whether KVM works, and if not the reason. V(null) where it was not tried (O(probe_kvm)).
      returned: success
      type: dict
      sample: {usable: true, reason: null}
    vhost:
      description:
        - The kernel's modules, each V(loaded), V(loadable) or V(missing), and parameters of C(vhost), V(null) where
          that is not loaded or has none.
        - V(fork_from_owner_default) makes the workers of new devices threads of QEMU, and no kernel threads.
          V(net_parameters) are the names of the parameters of C(vhost_net), V(null) where nobody can tell.
      returned: success
      type: dict
      sample:
        net: loaded
        vsock: loadable
        fork_from_owner_default: true
        max_mem_regions: 64
        net_parameters: [experimental_zcopytx]
    busy_poll:
      description: How long sockets busy-poll, in µs. V(null) on a kernel that does not.
      returned: success
      type: dict
      sample: {busy_poll_us: 0, busy_read_us: 0}
    tracing:
      description:
        - Which of the tracepoints are there that show kicks and interrupts, V(null) where they may not be read, and
          whether there are kprobes and type information of the kernel.
      returned: success
      type: dict
      sample: {tracepoints: ["kvm:kvm_exit", "kvm:kvm_mmio"], kprobes: true, btf: true}
    cgroup:
      description:
        - Where the controllers are. V(version) is V(unified), V(hybrid), V(v1) or V(none), V(mount) where version 2 is
          mounted, V(available) what it has, V(enabled) what its root has enabled, V(v1) where version 1 has others, and
          V(disabled) what the kernel was booted without.
      returned: success
      type: dict
      sample:
        version: unified
        mount: /sys/fs/cgroup
        available: [cpuset, cpu, io, memory, pids]
        enabled: [cpu, memory, pids]
        v1: {}
        disabled: []
    vms:
      description: The VMs that run here, each a QEMU process, whoever started it.
      returned: success
      type: list
      elements: dict
      contains:
        name:
          description: Its name, as this collection, libvirt or QEMU has it.
          returned: success
          type: str
          sample: guest1
        uuid:
          description: Its UUID, if it was given one.
          returned: success
          type: str
          sample: null
        pid:
          description: The process that runs it.
          returned: success
          type: int
          sample: 4711
        manager:
          description: Who started it, V(virtperf) (this collection), V(libvirt) or V(other).
          returned: success
          type: str
          sample: virtperf
        taps:
          description: Its taps, with their queues and the workers that serve them. Empty where they may not be read.
          returned: success
          type: list
          elements: dict
          sample:
            - {interface: tap0, queues: 1, workers: [4715]}
        workers:
          description:
            - The vhost workers, in the order in which they were started. V(layout) is V(kthread), V(qemu-thread), or
              V(libvirt) for a thread of QEMU that libvirt keeps; V(device) V(net), V(vsock) or V(scsi); V(cgroup) that
              of version 2; V(cpu) where it ran last, and V(cpus) where it may.
          returned: success
          type: list
          elements: dict
          sample:
            - tid: 4715
              comm: vhost-4711
              layout: qemu-thread
              device: net
              interface: tap0
              cgroup: /user.slice/user-0.slice/session-3.scope
              cpu: 1
              cpus: 0-3
        threads:
          description:
            - The threads that its traffic runs on. V(role) is V(worker), V(vcpu) or V(emulator) (QEMU's main thread),
              V(number) counts those of a role, V(pid) is the process it belongs to, V(start) when it was started, in
              clock ticks after boot.
            - No V(vcpu) is told of a QEMU without C(debug-threads=on).
          returned: success
          type: list
          elements: dict
          sample:
            - {role: worker, number: 0, pid: 4711, tid: 4715, start: 123456}
            - {role: vcpu, number: 0, pid: 4711, tid: 4713, start: 123450}
    testpmd:
      description:
        - DPDK's testpmd in the search path, and its version.
        - V(version_from) says what tells the version. V(package) is the distribution's package, V(pkg-config) the files
          for compilers beside it, V(library) the ABI of the library beside it, which tells the release only.
      returned: success
      type: dict
      sample: {path: /usr/bin/dpdk-testpmd, version: 22.11.11, version_from: package}
    dpdk:
      description: The version of DPDK, that of testpmd.
      returned: success
      type: dict
      sample: {version: 22.11.11}
    qemu:
      description: The QEMU for guests of the host's own kind.
      returned: success
      type: dict
      sample: {path: /usr/bin/qemu-system-x86_64, version: 7.2.19}
    libvirt:
      description: libvirt's daemon, and the version of its library.
      returned: success
      type: dict
      sample: {path: /usr/sbin/libvirtd, version: 9.0.0}
    python:
      description: The Python that runs the modules.
      returned: success
      type: dict
      sample: {path: /usr/bin/python3, version: 3.11.2}
    load:
      description: Runnable processes, averaged over 1, 5 and 15 minutes.
      returned: success
      type: list
      elements: float
      sample: [0.12, 0.2, 0.08]
    run_lock:
      description:
        - Who holds the host, V(null) when nobody does or when it cannot be read.
        - V(ours) is whether the holder is O(run_id).
      returned: success
      type: dict
      sample: {run_id: 20261120T100000Z-1a2b, controller: desk, pid: 4711, since: "2026-11-20T10:00:00Z", ours: true}
    unreadable:
      description: The files that could not be read for lack of permission.
      returned: success
      type: list
      elements: str
      sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.facts import gather
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module

ARGUMENTS: dict[str, dict[str, Any]] = {"probe_kvm": {"type": "bool", "default": False}, **RUN_ARGUMENTS}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    return {"changed": False, "vhost_info": gather(host, given["run_id"], probe_kvm=given["probe_kvm"])}


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work, root=False)


if __name__ == "__main__":
    main()
