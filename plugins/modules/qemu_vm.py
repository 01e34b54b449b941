#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, pause, stop and remove QEMU virtual machines."""

from __future__ import annotations

DOCUMENTATION = r"""
module: qemu_vm
short_description: Start, pause, stop and remove QEMU virtual machines
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Keeps named QEMU processes running as defined, or ends them.
  - A VM is ready when QMP answers and each of its vhost-user ports is connected with the queues asked for. Its virtual
    CPUs stand still until then. Its guest takes longer, see O(ready_when).
  - Nothing is touched before the whole request has been checked, among others for hugepages that are not free,
    vhost-user sockets that nobody serves, disk images that are not there, and space for their overlays.
  - Any change of a definition needs a new process, see O(on_change).
options:
  state:
    description:
      - V(started) has O(vms) running as defined, V(paused) the same with their virtual CPUs stopped. Others are left
        alone.
      - V(stopped) has those named in O(vms), or all without it, ended. Their files and overlays stay.
      - V(absent) removes these, too. What a guest wrote to its disks is lost.
    type: str
    choices: [started, paused, stopped, absent]
    default: started
  vms:
    description: The VMs. Required with O(state=started) and O(state=paused). Only names matter with other states.
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name, up to 32 letters, digits, C(-) and C(_).
        type: str
        required: true
      accel:
        description:
          - The accelerator. V(auto) is KVM where the CPU supports it and a paused VM can be made with it, else
            emulation (TCG), with a warning.
          - A VM that runs keeps the one it was started with.
        type: str
        choices: [auto, kvm, tcg]
        default: auto
      machine:
        description:
          - What QEMU's C(-machine) takes. Ports and disks have fixed PCI slots on the root bus, up to 22 together.
        type: str
        default: q35
      cpu:
        description: The CPU model and its flags. V(host) with KVM and V(max) with TCG if not given.
        type: str
        default: ""
      vcpus:
        description: Virtual CPUs, as cores of one socket.
        type: int
        default: 1
      memory:
        description: Its memory. Required with O(state=started) and O(state=paused).
        type: dict
        suboptions:
          size:
            description: How much, such as V(512MiB) or V(2GiB).
            type: str
            required: true
          huge_path:
            description: The hugetlbfs mount, or a directory in it, that it comes from. Ordinary memory if not given.
            type: path
            default: ""
          share:
            description: Let other processes map it. Needed with vhost-user ports.
            type: bool
            default: false
          prealloc:
            description: Take all of it at the start. True with O(vms[].memory.huge_path), false without, if not given.
            type: bool
          nodes:
            description: NUMA nodes of the host that it comes from.
            type: list
            elements: int
            default: []
          policy:
            description: How these nodes are used.
            type: str
            choices: [bind, preferred, interleave]
            default: bind
      disks:
        description: Its disks, up to 8, in the order in which the guest sees them (C(vda), C(vdb), ...).
        type: list
        elements: dict
        default: []
        suboptions:
          base:
            description: A qcow2 or raw image, or a block device. It is never written to.
            type: path
            required: true
          readonly:
            description: Give the guest the base itself, read-only, instead of an overlay that takes its writes.
            type: bool
            default: false
          cache:
            description: QEMU's cache mode. V(unsafe) ignores flushes, for guests that are thrown away.
            type: str
            choices: [writeback, none, unsafe]
            default: writeback
          min_free:
            description: Space that has to be free where the overlay is made.
            type: str
            default: 512MiB
      overlay_dir:
        description:
          - Where the overlays of its disks are made. A directory below C(/var/lib/virtperf/qemu) if not given.
          - An overlay that is there and fits its base is used again.
        type: path
        default: ""
      vhost_user:
        description: vhost-user ports.
        type: list
        elements: dict
        default: []
        suboptions:
          socket:
            description: The path of the unix socket.
            type: path
            required: true
          queues:
            description: Queue pairs. C(mq=on) (with more than one) and C(vectors) follow from it.
            type: int
            default: 1
          role:
            description: Whether QEMU connects to the socket (V(client)) or listens on it (V(server)).
            type: str
            choices: [client, server]
            default: client
          reconnect:
            description: Seconds after which a client whose connection has ended connects again. V(0) is never.
            type: int
            default: 1
          rx_queue_size:
            description: Descriptors of a receive ring, V(256), V(512) or V(1024). QEMU's own default if not given.
            type: int
          tx_queue_size:
            description: Descriptors of a transmit ring, as O(vms[].vhost_user[].rx_queue_size).
            type: int
          mac:
            description: The MAC address. Derived from the names of VM and port if not given, the same every time.
            type: str
            default: ""
          virtio:
            description: More properties of C(virtio-net-pci), such as C(packed) or C(mrg_rxbuf), checked against QEMU.
            type: dict
            default: {}
      taps:
        description: Tap ports.
        type: list
        elements: dict
        default: []
        suboptions:
          ifname:
            description: The tap interface. If there is none of that name, QEMU makes it, and it goes with QEMU.
            type: str
            required: true
          queues:
            description: Queue pairs. An interface that is there already must have been made for as many.
            type: int
            default: 1
          vhost:
            description: Let the kernel's vhost-net serve it.
            type: bool
            default: true
          macvtap:
            description:
              - The interface is a macvtap. It has to be there already and to have the guest's MAC address, see
                O(virtperf.vhost.lab_network#module:bridges[].taps[].kind). QEMU gets a descriptor of its device for
                each of its queues.
            type: bool
            default: false
          poll_us:
            description:
              - For how many microseconds vhost's worker polls for more packets before it sleeps, V(0) for not at all.
                QEMU's own default (V(0)) if not given.
              - Not with O(vms[].taps[].vhost=false).
            type: int
          sndbuf:
            description:
              - How many bytes of the guest's packets may be on their way from the interface, V(0) for any number.
              - QEMU's own default (V(0)) if not given.
            type: int
          vectors:
            description:
              - MSI-X vectors of the guest's device. V(0) has it interrupt as before MSI, all queues by one line.
              - If not given, there is one for each ring, one for the control queue and one for the configuration.
            type: int
          rx_queue_size:
            description: As O(vms[].vhost_user[].rx_queue_size).
            type: int
          tx_queue_size:
            description: As O(vms[].vhost_user[].rx_queue_size). QEMU takes no more than 256 with a tap.
            type: int
          mac:
            description: As O(vms[].vhost_user[].mac).
            type: str
            default: ""
          virtio:
            description: As O(vms[].vhost_user[].virtio).
            type: dict
            default: {}
      user_net:
        description: A port on QEMU's own network, for SSH. It needs no privileges and no bridge. None if not given.
        type: dict
        suboptions:
          forwards:
            description: TCP ports of the host's loopback that lead to the guest.
            type: list
            elements: dict
            default: []
            suboptions:
              host_port:
                description: The port on 127.0.0.1 of the host.
                type: int
                required: true
              guest_port:
                description: The port of the guest.
                type: int
                default: 22
          mac:
            description: As O(vms[].vhost_user[].mac).
            type: str
            default: ""
      kernel:
        description: A kernel to boot directly.
        type: path
        default: ""
      initrd:
        description: Its initrd.
        type: path
        default: ""
      append:
        description: Its command line.
        type: str
        default: ""
      credentials:
        description:
          - Credentials for systemd in the guest (such as C(ssh.authorized_keys.root)), names with texts.
          - They reach QEMU by files of mode 0600. Ansible may log arguments of modules, so give secrets in
            O(vms[].credential_files).
        type: dict
        default: {}
      credential_files:
        description: Credentials that are read from files of the host when the VM starts, names with paths.
        type: dict
        default: {}
      cloud_init:
        description:
          - What cloud-init in the guest is told, for images that take no credentials. The guest finds it on a disk that
            is read-only (NoCloud). Nobody can log in with a password.
        type: dict
        suboptions:
          hostname:
            description: The guest's name for itself.
            type: str
            required: true
          user:
            description: The user to log in as. One other than V(root) may use sudo.
            type: str
            default: root
          authorized_keys:
            description: Public SSH keys that let this user in.
            type: list
            elements: str
            default: []
          host_key_file:
            description:
              - The guest's private SSH host key (ed25519), a file of the host. The public one is beside it in C(.pub).
              - cloud-init makes keys if not given.
            type: path
            default: ""
          network_config:
            description: cloud-init's network configuration, version 1 or 2. Its own default (DHCP) if not given.
            type: dict
            default: {}
          ready:
            description: What the guest says on its console when cloud-init is done, for O(ready_when).
            type: str
            default: ""
      arguments:
        description: More arguments for QEMU, last on its command line.
        type: list
        elements: str
        default: []
  on_change:
    description:
      - What to do with a VM that runs with another definition.
      - V(restart) stops it and starts it anew, V(fail) fails before anything is touched, V(warn) leaves it as it is.
      - RV(restart_needed) names what differs in each case.
    type: str
    choices: [restart, fail, warn]
    default: restart
  ready_timeout:
    description: Seconds in which a VM has to be ready.
    type: float
    default: 30
  ready_when:
    description:
      - When the guests in O(vms) are ready. With O(state=started), the task ends when all of them are, also those that
        were started earlier. They are waited for together.
      - A guest that does not get ready is told with the end of its console, and what this task started is stopped.
      - Guests are not waited for if not given.
    type: dict
    suboptions:
      console:
        description: What a guest says on its console (its first serial port) when it is ready.
        type: str
        required: true
      timeout:
        description: Seconds in which it has to say so.
        type: float
        default: 120
  stop_limits:
    description: How long each way of stopping a VM is given, in seconds. They are tried in this order.
    type: dict
    suboptions:
      powerdown:
        description: ACPI's power button, for the guest to obey. V(0) leaves it out.
        type: float
        default: 30
      quit:
        description: QMP's C(quit). V(0) leaves it out.
        type: float
        default: 5
      kill:
        description: SIGKILL.
        type: float
        default: 5
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - QEMU on the host (Debian's qemu-system-x86), with vhost-user ports and no KVM newer than 7.2
  - qemu-img (Debian's qemu-utils) for VMs with disks
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: A guest with a vhost-user port, reached by SSH on port 2222 of the loopback
  virtperf.vhost.qemu_vm:
    vms:
      - name: guest1
        vcpus: 2
        memory: {size: 1GiB, huge_path: /run/virtperf/hugepages, share: true}
        kernel: /var/cache/virtperf/image/vmlinuz
        initrd: /var/cache/virtperf/image/initrd.img
        append: root=/dev/vda rw console=ttyS0 net.ifnames=0
        disks:
          - base: /var/cache/virtperf/image/root.qcow2
            cache: unsafe
        user_net:
          forwards: [{host_port: 2222}]
        vhost_user:
          - socket: /run/virtperf/vswitch.sock
            queues: 2
            rx_queue_size: 1024
            tx_queue_size: 1024
        credentials:
          ssh.authorized_keys.root: "{{ lookup('ansible.builtin.file', 'lab.pub') }}"
    ready_when:
      console: "virtperf: ready"  # what images that M(virtperf.vhost.guest_image) builds say when SSH answers

- name: Hold it still
  virtperf.vhost.qemu_vm:
    state: paused
    vms: "{{ lab_vms }}"

- name: Remove all of them
  virtperf.vhost.qemu_vm:
    state: absent
    stop_limits: {powerdown: 0}
"""

RETURN = r"""
actions:
  description: What was done (in check mode, would be done), in plain words.
  returned: success
  type: list
  elements: str
  sample: ["stop guest1 (changed: vcpus)", "start guest1 with kvm"]
vms:
  description: The VMs as they are afterwards. Credentials are shown by their digests.
  returned: success
  type: list
  elements: dict
  sample:
    - name: guest1
      state: running
      pid: 4711
      accel: tcg
      accel_reason: "error: failed to set MSR 0x10a to 0xc000069"
      qemu_version: 10.0.2
      command: [/usr/bin/qemu-system-x86_64, -name, "guest=guest1,debug-threads=on"]
      definition: {vcpus: 2}
      ports:
        - id: vu0
          kind: vhost-user
          socket: /run/virtperf/vswitch.sock
          queues: 2
          connected: true
          mac: 52:54:00:6a:01:9c
          pci: 0000:00:11.0
      overlays: [/var/lib/virtperf/qemu/guest1/virtperf-guest1-disk0.qcow2]
      qmp: /run/virtperf/qemu/guest1/qmp.sock
      serial_log: /run/virtperf/qemu/guest1/serial.log
      log: /run/virtperf/qemu/guest1/qemu.log
restart_needed:
  description: What differs in the definition of each VM that ran with another one, by name.
  returned: success, and failure with O(on_change=fail)
  type: dict
  sample: {guest1: [vcpus]}
stopped:
  description: Which way of stopping worked, V(powerdown), V(quit) or V(kill), by name.
  returned: success, outside check mode
  type: dict
  sample: {guest1: powerdown}
log_end:
  description: The end of the logs (QEMU's own, the guest's console) of a VM that died or was not ready in time.
  returned: failure, when a VM died or was not ready
  type: str
  sample: "qemu-system-x86_64: -nonsense: invalid option"
not_ready:
  description: The guests that did not get ready in time.
  returned: failure, when there were any
  type: list
  elements: str
  sample: [guest1]
sockets:
  description: The vhost-user sockets that had nobody at their other end.
  returned: failure, when there were any
  type: list
  elements: str
  sample: [/run/virtperf/vswitch.sock]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.console import Sign
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import (
    ACCELERATORS,
    CACHES,
    POLICIES,
    ROLES,
    parse,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance, Limits, names

DEVICE: dict[str, Any] = {
    "queues": {"type": "int", "default": 1},
    "rx_queue_size": {"type": "int"},
    "tx_queue_size": {"type": "int"},
    "mac": {"type": "str", "default": ""},
    "virtio": {"type": "dict", "default": {}},
}
MEMORY: dict[str, Any] = {
    "size": {"type": "str", "required": True},
    "huge_path": {"type": "path", "default": ""},
    "share": {"type": "bool", "default": False},
    "prealloc": {"type": "bool"},
    "nodes": {"type": "list", "elements": "int", "default": []},
    "policy": {"type": "str", "choices": list(POLICIES), "default": "bind"},
}
DISK: dict[str, Any] = {
    "base": {"type": "path", "required": True},
    "readonly": {"type": "bool", "default": False},
    "cache": {"type": "str", "choices": list(CACHES), "default": "writeback"},
    "min_free": {"type": "str", "default": "512MiB"},
}
VHOST_USER: dict[str, Any] = {
    "socket": {"type": "path", "required": True},
    "role": {"type": "str", "choices": list(ROLES), "default": "client"},
    "reconnect": {"type": "int", "default": 1},
    **DEVICE,
}
TAP: dict[str, Any] = {
    "ifname": {"type": "str", "required": True},
    "vhost": {"type": "bool", "default": True},
    "macvtap": {"type": "bool", "default": False},
    "poll_us": {"type": "int"},
    "sndbuf": {"type": "int"},
    "vectors": {"type": "int"},
    **DEVICE,
}
FORWARD: dict[str, Any] = {
    "host_port": {"type": "int", "required": True},
    "guest_port": {"type": "int", "default": 22},
}
USER_NET: dict[str, Any] = {
    "forwards": {"type": "list", "elements": "dict", "default": [], "options": FORWARD},
    "mac": {"type": "str", "default": ""},
}
CLOUD_INIT: dict[str, Any] = {
    "hostname": {"type": "str", "required": True},
    "user": {"type": "str", "default": "root"},
    "authorized_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "host_key_file": {"type": "path", "default": ""},
    "network_config": {"type": "dict", "default": {}},
    "ready": {"type": "str", "default": ""},
}
VM: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "accel": {"type": "str", "choices": list(ACCELERATORS), "default": "auto"},
    "machine": {"type": "str", "default": "q35"},
    "cpu": {"type": "str", "default": ""},
    "vcpus": {"type": "int", "default": 1},
    "memory": {"type": "dict", "options": MEMORY},
    "disks": {"type": "list", "elements": "dict", "default": [], "options": DISK},
    "overlay_dir": {"type": "path", "default": ""},
    "vhost_user": {"type": "list", "elements": "dict", "default": [], "options": VHOST_USER},
    "taps": {"type": "list", "elements": "dict", "default": [], "options": TAP},
    "user_net": {"type": "dict", "options": USER_NET},
    "kernel": {"type": "path", "default": ""},
    "initrd": {"type": "path", "default": ""},
    "append": {"type": "str", "default": ""},
    "credentials": {"type": "dict", "default": {}, "no_log": False},
    "credential_files": {"type": "dict", "default": {}, "no_log": False},
    "cloud_init": {"type": "dict", "options": CLOUD_INIT},
    "arguments": {"type": "list", "elements": "str", "default": []},
}
READY_WHEN: dict[str, Any] = {
    "console": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 120},
}
LIMITS: dict[str, Any] = {
    "powerdown": {"type": "float", "default": 30},
    "quit": {"type": "float", "default": 5},
    "kill": {"type": "float", "default": 5},
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Plan, check, and unless in check mode, apply."""
    given, state = module.params["vms"], module.params["state"]
    before = [Instance(host, name).facts() for name in names(host)]
    if state in ("started", "paused"):
        wanted = [parse(vm) for vm in given]
        plan = manager.plan_present(host, wanted, paused=state == "paused", on_change=module.params["on_change"])
        manager.check(host, wanted, plan)
    else:
        plan_gone = manager.plan_stopped if state == "stopped" else manager.plan_absent
        plan = plan_gone(host, [vm["name"] for vm in given] if given is not None else None)
    for warning in plan.warnings:
        module.warn(warning)
    result: dict[str, Any] = {
        "changed": bool(plan),
        "actions": plan.actions(),
        "restart_needed": plan.restart_needed,
        "diff": {"before": _lines(before), "after": _lines(_predicted(before, plan))},
    }
    if not module.check_mode:
        journal = Journal(host, module.params["run_id"])
        ready_s, when = module.params["ready_timeout"], module.params["ready_when"]
        sign = Sign(when["console"], when["timeout"]) if when else None
        result["stopped"] = manager.apply(host, journal, plan, _limits(module.params["stop_limits"]), ready_s, sign)
    return {**result, "vms": [Instance(host, name).facts() for name in names(host)]}


def _limits(given: dict[str, float] | None) -> Limits:
    return Limits(given["powerdown"], given["quit"], given["kill"]) if given else Limits()


def _predicted(before: list[dict[str, Any]], plan: manager.Plan) -> list[dict[str, Any]]:
    after = {facts["name"]: dict(facts) for facts in before if facts["name"] not in plan.removals}
    for name in plan.stops:
        if name in after:
            after[name]["state"] = "stopped"
    for definition in plan.starts:
        accel = plan.accelerators[definition.name].used
        after[definition.name] = {"name": definition.name, "accel": accel, "definition": definition.public()}
        after[definition.name]["state"] = "paused"
    for name in plan.pauses:
        after[name]["state"] = "paused"
    for name in plan.resumes:
        after[name]["state"] = "running"
    return [after[name] for name in sorted(after)]


def _lines(vms: list[dict[str, Any]]) -> str:
    """A diff shows lines: one for each field, without what differs from start to start."""
    return "".join(
        f"{facts['name']}.{key}: {value}\n"
        for facts in vms
        for key, value in {"state": facts["state"], "accelerator": facts["accel"], **facts["definition"]}.items()
    )


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "paused", "stopped", "absent"], "default": "started"},
            "vms": {"type": "list", "elements": "dict", "options": VM},
            "on_change": {"type": "str", "choices": list(manager.ON_CHANGE), "default": "restart"},
            "ready_timeout": {"type": "float", "default": 30},
            "ready_when": {"type": "dict", "options": READY_WHEN},
            "stop_limits": {"type": "dict", "options": LIMITS},
            **RUN_ARGUMENTS,
        },
        required_if=[("state", "started", ["vms"]), ("state", "paused", ["vms"])],
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
