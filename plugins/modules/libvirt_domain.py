#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and remove virtual machines as domains of libvirt's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: libvirt_domain
short_description: Start and remove virtual machines as domains of libvirt's
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Keeps named domains running as their XML says, or ends them. They are transient, nothing of them is ever defined.
  - What only the host knows is added to the XML, see O(domains[].xml).
  - Nothing is touched before the whole request has been checked. A domain of the same name that somebody else made is
    refused.
options:
  state:
    description:
      - V(started) has O(domains) running as asked. Others are left alone.
      - V(absent) ends those named in O(domains), or all that this module started without it, and removes their files
        and overlays. What a guest wrote to its disks is lost. Domains of others are left alone.
    type: str
    choices: [started, absent]
    default: started
  domains:
    description: The domains. Required with O(state=started). Only names matter with O(state=absent).
    type: list
    elements: dict
    suboptions:
      name:
        description: Its name, up to 32 letters, digits, C(-) and C(_).
        type: str
        required: true
      xml:
        description:
          - Its XML. Required with O(state=started). libvirt validates it.
          - Added are its name and UUID, the overlays of O(domains[].disks), and the file for its first serial port,
            which has to be of type V(file) if there is one.
          - Without a C(seclabel) QEMU runs as root and no file changes its owner.
          - Ansible may log it, so that secrets belong in O(domains[].credential_files).
        type: str
        default: ""
      accel:
        description:
          - The accelerator. V(auto) is KVM where a paused VM can be made with it, else emulation (TCG), with a warning.
            The type of the XML counts if not given.
          - A domain that runs keeps the one it was started with.
        type: str
        choices: [auto, kvm, tcg]
      disks:
        description: Disks of the XML that are overlays, made where they are missing.
        type: list
        elements: dict
        default: []
        suboptions:
          target:
            description: The name that the XML has for it, such as V(vda).
            type: str
            required: true
          base:
            description: A qcow2 or raw image, or a block device. It is never written to.
            type: path
            required: true
          min_free:
            description: Space that has to be free where the overlay is made.
            type: str
            default: 512MiB
      overlay_dir:
        description:
          - Where the overlays are made. A directory below C(/var/lib/virtperf/libvirt) if not given.
          - An overlay that is there and fits its base is used again.
        type: path
      credential_files:
        description:
          - Credentials for systemd in the guest that are read from files of the host when the domain starts, names with
            paths. They reach QEMU by files of mode 0600 and are in no XML, command line or log.
        type: dict
        default: {}
  on_change:
    description:
      - What to do with a domain that runs with another definition.
      - V(restart) stops it and starts it anew, V(fail) fails before anything is touched, V(warn) leaves it as it is.
      - RV(restart_needed) names what differs in each case.
    type: str
    choices: [restart, fail, warn]
    default: restart
  ready_when:
    description:
      - When the guests in O(domains) are ready. With O(state=started), the task ends when all of them are, also those
        that were started earlier. They are waited for together.
      - A guest that dies or does not get ready is told with the end of its console, and what this task started is
        stopped.
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
    description: How long ways of stopping a domain are given, in seconds, before libvirt destroys it.
    type: dict
    suboptions:
      powerdown:
        description: ACPI's power button, for the guest to obey. V(0) leaves it out.
        type: float
        default: 30
  libvirt_uri:
    description: The connection to libvirt.
    type: str
    default: qemu:///system
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - libvirt's daemon for QEMU on the host (Debian's libvirt-daemon-system)
  - libvirt's module for the Python that runs the task (Debian's python3-libvirt, for C(/usr/bin/python3))
  - qemu-img (Debian's qemu-utils) for domains with disks
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: virtperf.vhost.qemu_vm
"""

EXAMPLES = r"""
- name: A guest on a tap that is in a bridge already
  virtperf.vhost.libvirt_domain:
    domains:
      - name: guest1
        accel: auto
        xml: |
          <domain type='qemu'>
            <memory unit='GiB'>1</memory>
            <vcpu>2</vcpu>
            <os>
              <type arch='x86_64' machine='q35'>hvm</type>
              <kernel>/var/cache/virtperf/image/vmlinuz</kernel>
              <initrd>/var/cache/virtperf/image/initrd.img</initrd>
              <cmdline>root=/dev/vda rw console=ttyS0 net.ifnames=0</cmdline>
            </os>
            <features><acpi/></features>
            <cpu mode='maximum'/>
            <devices>
              <disk type='file' device='disk'>
                <driver name='qemu' type='qcow2' cache='unsafe'/>
                <target dev='vda' bus='virtio'/>
              </disk>
              <interface type='ethernet'>
                <target dev='tap0' managed='no'/>
                <model type='virtio'/>
                <driver name='vhost'/>
              </interface>
            </devices>
          </domain>
        disks:
          - target: vda
            base: /var/cache/virtperf/image/root.qcow2
    ready_when:
      console: "virtperf: ready"  # what images that M(virtperf.vhost.guest_image) builds say when SSH answers
  vars:
    ansible_python_interpreter: /usr/bin/python3  # the one that has Debian's python3-libvirt

- name: Remove all of them
  virtperf.vhost.libvirt_domain:
    state: absent
    stop_limits: {powerdown: 0}
"""

RETURN = r"""
actions:
  description: What was done (in check mode, would be done), in plain words.
  returned: success
  type: list
  elements: str
  sample: ["stop guest1 (changed: xml: vcpu)", "start guest1 with kvm"]
domains:
  description: The domains that this module started, as they are afterwards. C(definition) tells one XML from another.
  returned: success
  type: list
  elements: dict
  sample:
    - name: guest1
      uuid: 0b7f6f0c-8f3e-4a57-9d0b-2f7f3f8f6c11
      state: running
      pid: 4711
      accel: kvm
      accel_reason: ""
      definition: sha256:1c2f0d1b7a44
      taps:
        - {ifname: tap0, mac: "52:54:00:6a:01:9c", queues: 1}
      overlays: [/var/lib/virtperf/libvirt/guest1/virtperf-guest1-disk0.qcow2]
      serial_log: /run/virtperf/libvirt/guest1/serial.log
      log: /var/log/libvirt/qemu/guest1.log
restart_needed:
  description: What differs in the definition of each domain that ran with another one, by name.
  returned: success, and failure with O(on_change=fail)
  type: dict
  sample: {guest1: ["xml: vcpu"]}
stopped:
  description: Which way of stopping worked, V(powerdown) or V(destroy), by name.
  returned: success, outside check mode
  type: dict
  sample: {guest1: destroy}
log_end:
  description: The end of the logs (libvirt's, the guest's console) of a domain that died or was not ready in time.
  returned: failure, when a domain died or was not ready
  type: str
  sample: "qemu-system-x86_64: Could not set up host forwarding rule 'tcp:127.0.0.1:22-:22'"
not_ready:
  description: The guests that did not get ready in time.
  returned: failure, when there were any
  type: list
  elements: str
  sample: [guest1]
"""

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.daemon import connected
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.definition import parse
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.instance import Instance, names
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.console import Sign
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import ACCELERATORS
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.manager import ON_CHANGE

POWERDOWN_S = 30.0
DISK: dict[str, Any] = {
    "target": {"type": "str", "required": True},
    "base": {"type": "path", "required": True},
    "min_free": {"type": "str", "default": "512MiB"},
}
DOMAIN: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "xml": {"type": "str", "default": ""},
    "accel": {"type": "str", "choices": list(ACCELERATORS)},
    "disks": {"type": "list", "elements": "dict", "default": [], "options": DISK},
    "overlay_dir": {"type": "path"},
    "credential_files": {"type": "dict", "default": {}, "no_log": False},
}
READY_WHEN: dict[str, Any] = {
    "console": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 120},
}
LIMITS: dict[str, Any] = {"powerdown": {"type": "float", "default": POWERDOWN_S}}
ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["started", "absent"], "default": "started"},
    "domains": {"type": "list", "elements": "dict", "options": DOMAIN},
    "on_change": {"type": "str", "choices": list(ON_CHANGE), "default": "restart"},
    "ready_when": {"type": "dict", "options": READY_WHEN},
    "stop_limits": {"type": "dict", "options": LIMITS},
    "libvirt_uri": {"type": "str", "default": "qemu:///system"},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Plan, check, and unless in check mode, apply."""
    given, started = module.params["domains"], module.params["state"] == "started"
    wanted = [parse(host, domain) for domain in given] if started else []
    with contextlib.ExitStack() as stack:
        daemon = None
        # Where nothing runs there may be no libvirt any more.
        if wanted or manager.running(host):
            daemon = stack.enter_context(connected(module.params["libvirt_uri"]))
        before = [Instance(host, name).facts(daemon) for name in names(host)]
        if daemon and started:
            plan = manager.plan_started(host, daemon, wanted, module.params["on_change"])
            manager.check(host, wanted, plan)
        else:
            plan = manager.plan_absent(host, [one["name"] for one in given] if given is not None else None)
        result: dict[str, Any] = {
            "changed": bool(plan),
            "actions": plan.actions(),
            "restart_needed": plan.restart_needed,
            "warnings": plan.warnings,
            "diff": {"before": _lines(before), "after": _lines(_predicted(before, plan))},
        }
        if not module.check_mode:
            when, limits = module.params["ready_when"], module.params["stop_limits"]
            sign = Sign(when["console"], when["timeout"]) if when else None
            powerdown_s = limits["powerdown"] if limits else POWERDOWN_S
            journal = Journal(host, module.params["run_id"])
            result["stopped"] = manager.apply(host, journal, daemon, plan, powerdown_s, sign)
        return {**result, "domains": [Instance(host, name).facts(daemon) for name in names(host)]}


def _predicted(before: list[dict[str, Any]], plan: manager.Plan) -> list[dict[str, Any]]:
    after = {facts["name"]: dict(facts) for facts in before if facts["name"] not in plan.removals}
    for request in plan.starts:
        accel = plan.accelerators.get(request.name)
        facts = {"accel": accel.used if accel else None, "definition": request.digest(), "state": "running"}
        after[request.name] = {"name": request.name, **facts}
    for name in plan.resumes:
        after[name]["state"] = "running"
    return [after[name] for name in sorted(after)]


def _lines(domains: list[dict[str, Any]]) -> str:
    """A diff shows lines: one for each field, without what differs from start to start."""
    return "".join(
        f"{facts['name']}.{key}: {facts[key]}\n" for facts in domains for key in ("state", "accel", "definition")
    )


def main() -> None:
    """The module's entry point."""
    required = [("state", "started", ["domains"])]
    run_module(AnsibleModule(ARGUMENTS, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
