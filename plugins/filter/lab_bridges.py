# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge for the guests of a lab."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_bridges
short_description: The bridge for the guests of a lab
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Makes O(virtperf.vhost.lab_network#module:bridges) from guests of the inventory plugin
    P(virtperf.vhost.lab#inventory).
  - There is one bridge, with the hypervisor's own address in the lab's network, and all taps of the guests in it. They
    are listed in O(taps), or in the variable C(vm_taps) of each guest, as M(virtperf.vhost.qemu_vm) takes them.
  - A tap with C(macvtap) is a macvtap, with the MAC address that the guest's port has.
positional: _input, hostvars, bridge, address, prefix_length
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
  bridge:
    description: The name of the bridge.
    type: str
    required: true
  address:
    description: The hypervisor's address, C(lab_address). Without it the bridge gets none.
    type: str
    default: ""
  prefix_length:
    description: The length of the lab's network, C(lab_prefix_length). Required with O(address).
    type: int
  mtu:
    description: The largest packet in bytes. What is there is left as it is if it is not given.
    type: int
  taps:
    description: Lists of taps by guest, in place of C(vm_taps) of those guests, as P(virtperf.vhost.guest_vms#filter).
    type: dict
    default: {}
  more_addresses:
    description: More addresses of the hypervisor on the bridge, each with the length of its network.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
bridges: "{{ lab_guests | virtperf.vhost.lab_bridges(hostvars, 'lab0', lab_address, lab_prefix_length) }}"
"""

RETURN = r"""
_value:
  description: The option C(bridges) of M(virtperf.vhost.lab_network).
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils import lab_bridges as core


def lab_bridges(
    guests: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    bridge: str,
    address: str = "",
    prefix_length: int | None = None,
    mtu: int | None = None,
    taps: Mapping[str, Any] | None = None,
    more_addresses: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The bridges of one hypervisor."""
    try:
        return core.lab_bridges(guests, hostvars, bridge, address, prefix_length, mtu, taps, more_addresses)
    except VirtperfError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"lab_bridges": lab_bridges}
