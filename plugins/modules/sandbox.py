#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a hypervisor in a VM of this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox
short_description: Have a hypervisor in a VM of this host
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Keeps one VM that is a hypervisor, with KVM, vhost-net, cgroup v2 and libvirt, so that studies of hypervisors run on
    a host that is none. Its guests are started from the same image, which it has as a second, read-only disk.
  - It is reached by SSH, at a port of 127.0.0.1 that was free when it was started, and by nothing else.
  - It outlives runs. Its files are in C(/run/virtperf-sandbox) and C(/var/lib/virtperf-sandbox), with a journal of its
    own. Restoring the host after a run leaves it alone, only O(state=absent) ends it.
  - One that does not run as asked, or does not answer, is started anew from its image. What was in it is lost.
options:
  state:
    description: V(present) has it running and answering, V(absent) has nothing left of it.
    type: str
    choices: [present, absent]
    default: present
  image:
    description:
      - An image of the profile V(hypervisor), as RV(virtperf.vhost.guest_image#module:image) tells it. C(path),
        C(kernel), C(initrd) and C(command_line) are looked at.
    type: dict
  vcpus:
    description: Its virtual CPUs, 2 or more. The first is its own; guests run on the others, unless they are put there.
    type: int
    default: 3
  memory:
    description: Its memory, such as V(4GiB).
    type: str
    default: 4GiB
  accel:
    description:
      - V(auto) is KVM where guests can have guests with it, else emulation (TCG) of a CPU with AMD-V, with a warning.
    type: str
    choices: [auto, kvm, tcg]
    default: auto
  authorized_keys:
    description: Public keys that let root in.
    type: list
    elements: str
    default: []
  ready_timeout:
    description: Seconds in which it has to say on its console that it is ready.
    type: float
    default: 120
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - QEMU 10 on the host (Debian's qemu-system-x86), and qemu-img (qemu-utils)
  - ssh and ssh-keygen (Debian's openssh-client)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have an image of a hypervisor
  virtperf.vhost.guest_image:
    profile: hypervisor
  register: had

- name: Have it running
  virtperf.vhost.sandbox:
    image: "{{ had.image }}"
    authorized_keys:
      - "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"

- name: Have nothing left of it
  virtperf.vhost.sandbox:
    state: absent
"""

RETURN = r"""
actions:
  description: What was done (in check mode, would be done), in plain words.
  returned: success
  type: list
  elements: str
  sample: ["remove the sandbox (changed: memory)", "start the sandbox with tcg"]
sandbox:
  description:
    - How it is reached, and its VM as RV(virtperf.vhost.qemu_vm#module:vms) tells it.
    - Empty in check mode when it would be started.
  returned: success and O(state=present)
  type: dict
  sample:
    name: sandbox
    address: 127.0.0.1
    port: 40123
    user: root
    host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC6t
    vm: {name: sandbox, state: running, accel: tcg}
seconds:
  description: How long it took to have it answer.
  returned: success and O(state=present)
  type: float
  sample: 11.2
log_end:
  description: The end of the logs (QEMU's own, its console) when it died or was not ready in time.
  returned: failure, when it died or was not ready
  type: str
  sample: "qemu-system-x86_64: cannot set up guest memory 'mem0'"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import ACCELERATORS
from ansible_collections.virtperf.vhost.plugins.module_utils.sandbox import manager, place


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Have it, or have nothing of it."""
    own = place.apart(host)
    if module.params["state"] == "absent":
        return manager.remove(own, check_mode=module.check_mode)
    result = manager.ensure(own, module.params, check_mode=module.check_mode)
    warning = result.pop("warning")
    if warning:
        module.warn(warning)
    return result


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "image": {"type": "dict"},
            "vcpus": {"type": "int", "default": 3},
            "memory": {"type": "str", "default": "4GiB"},
            "accel": {"type": "str", "choices": list(ACCELERATORS), "default": "auto"},
            "authorized_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "ready_timeout": {"type": "float", "default": 120},
            **RUN_ARGUMENTS,
        },
        required_if=[("state", "present", ["image"])],
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
