# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs for the guests of a lab."""

from __future__ import annotations

DOCUMENTATION = r"""
name: guest_vms
short_description: VMs for the guests of a lab
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Makes O(vms) of M(virtperf.vhost.qemu_vm) from guests of the inventory plugin P(virtperf.vhost.lab#inventory).
  - A guest that is reached at a port of 127.0.0.1 (C(ansible_host), C(ansible_port)) gets a port on QEMU's own network,
    with that port forwarded to it. One that is reached at its address needs a tap in the lab's network, in C(vm_taps).
  - The variables C(vm_vcpus), C(vm_memory), C(vm_cpu), C(vm_accel), C(vm_taps) and C(vm_vhost_user) of a guest are what
    the options of the same name of M(virtperf.vhost.qemu_vm) take. The first tap gets C(vm_mac) and C(vm_address).
positional: _input, hostvars
options:
  _input:
    description: The guests by their names in the inventory.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  image:
    description:
      - RV(virtperf.vhost.guest_image#module:image).
      - Without it the VMs have their names alone, which is enough to stop and to remove them.
    type: dict
  keys:
    description: RV(virtperf.vhost.guest_keys#module:host_key_files).
    type: dict
    default: {}
  authorized_keys:
    description: Public keys that let the guests' user in.
    type: list
    elements: str
    default: []
  settings:
    description:
      - C(vcpus), C(memory), C(cpu) and C(accel) of guests that do not have their own.
      - C(init) is how they are told their names, addresses and keys, V(credentials) or V(cloud-init).
      - C(append) is added to the kernel's command line.
      - C(ready) is what cloud-init shall say on the console.
      - Required with O(image).
    type: dict
  taps:
    description:
      - Lists of taps by guest, in place of C(vm_taps) of those guests, and as these are. The guest gets its address in
        the lab's network at the first one.
    type: dict
    default: {}
  sizes:
    description: C(vcpus) and C(memory) by guest, in place of C(vm_vcpus), C(vm_memory) and O(settings).
    type: dict
    default: {}
"""

EXAMPLES = r"""
vms: "{{ lab_guests | virtperf.vhost.guest_vms(hostvars, image=image_ready, keys=keys.host_key_files,
  authorized_keys=[keys.public_key], settings=settings) }}"
"""

RETURN = r"""
_value:
  description: The option C(vms) of M(virtperf.vhost.qemu_vm).
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils import guest_vms as core


def guest_vms(
    guests: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    *,
    image: Mapping[str, Any] | None = None,
    keys: Mapping[str, str] | None = None,
    authorized_keys: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    taps: Mapping[str, Any] | None = None,
    sizes: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The VMs of one hypervisor."""
    try:
        if image is None:
            return [{"name": core.vm_name(guest, hostvars[guest])} for guest in guests]
        return core.guest_vms(guests, hostvars, image, keys or {}, authorized_keys, settings or {}, taps, sizes)
    except VirtperfError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"guest_vms": guest_vms}
