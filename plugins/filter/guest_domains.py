# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt domains for VMs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: guest_domains
short_description: What templates of libvirt domains are filled with
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Turns O(_input), VMs as P(virtperf.vhost.guest_vms#filter) makes them, into values in libvirt's words.
  - Disks and ports have the same MAC and PCI addresses in the guest as those that M(virtperf.vhost.qemu_vm) starts.
  - Fails for what such a domain cannot have, vhost-user ports, memory other than its size, cloud-init, macvtaps, and
    of taps C(virtio), C(poll_us), C(sndbuf) and C(vectors).
options:
  _input:
    description: O(virtperf.vhost.qemu_vm#module:vms).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
domains: "{{ lab_guests | virtperf.vhost.guest_vms(hostvars, image=image_ready, settings=settings)
  | virtperf.vhost.guest_domains }}"
"""

RETURN = r"""
_value:
  description:
    - For the template C(name), C(accel), C(machine), C(cpu), C(vcpus), C(memory_kib), C(kernel), C(initrd), C(append),
      C(drives), C(taps), C(user_net), C(strings) and C(arguments).
    - For M(virtperf.vhost.libvirt_domain) C(disks), C(overlay_dir) and C(credential_files).
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils import guest_domains as core


def guest_domains(vms: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A domain for each VM."""
    try:
        return core.guest_domains(vms)
    except VirtperfError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"guest_domains": guest_domains}
