#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: bridges and taps for guests."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_network
short_description: Bridges and taps for guests
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Makes bridges on a hypervisor, with its own addresses on them, and taps and macvtaps in them for the guests.
  - Nothing of it sends by itself. A bridge that is made has neither STP nor multicast snooping, ports forward at once,
    and IPv6 is off on it, unless an address of it is one of IPv6, and on the taps.
  - What is there already is used. What of it differs is changed. Of a bridge that was there before, STP and the
    like are left as they are, with a warning.
  - Nothing is touched before the whole request has been checked. A name that another kind of interface has, an address
    or network that another interface has, and a tap that is in use and would have to be made anew are refused, and so
    is a change of an interface that carries the default route or an SSH connection.
  - Every change is noted in the host's journal before it is made, and read back. When one fails, all are put back.
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - iproute2 4.14 or newer on the host, with Linux 4.17 or newer
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  bridges:
    description: The bridges. What is not listed is left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name, up to 15 letters.
        type: str
        required: true
      address:
        description:
          - The hypervisor's own address on it with the length of its network, such as V(192.0.2.1/24).
          - If it is empty, none is added, and none that is there is removed.
        type: str
        default: ""
      more_addresses:
        description: More of them, each in a network of its own.
        type: list
        elements: str
        default: []
      mtu:
        description:
          - The largest packet in bytes, of the bridge and of all its taps.
          - If it is not given, what is there is left as it is, and what is made has 1500, or what its bridge has.
        type: int
      taps:
        description: The taps in it. Other ports of the bridge are left alone.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Its name, up to 15 letters, or 13 for a macvtap.
            type: str
            required: true
          kind:
            description:
              - V(tap) is a port of the bridge itself.
              - V(macvtap) is a macvtap (mode bridge) on one end of a veth pair, whose other end is in the bridge. The
                pair is made with it and named after it, with C(-l) (below the macvtap) and C(-b) (in the bridge).
              - Of a macvtap, O(bridges[].taps[].queues) is not needed, and O(bridges[].taps[].user) cannot be given.
            type: str
            choices: [tap, macvtap]
            default: tap
          mac:
            description:
              - The MAC address of a macvtap, which has to be that of the guest's device, for nothing else reaches it.
                Not for a tap.
              - If it is not given, what is there is left as it is, and what is made has one of its own.
            type: str
          queues:
            description:
              - How many queue pairs the guest's device shall have. With more than one, the tap is made with
                C(multi_queue), which QEMU wants for them, and for them only.
              - A tap that was made otherwise is made anew, with the MAC address that it had.
            type: int
            default: 1
          user:
            description:
              - Who may open it beside root, by name or uid. If it is not given, what is there is left as it is.
              - A tap of another user is made anew, with the MAC address that it had.
            type: str
          txqueuelen:
            description: How many packets it holds for the guest. If it is not given, what is there is left as it is.
            type: int
  state:
    description:
      - V(present) has all of it.
      - V(absent) takes back what the journal has about the named bridges and taps. What was made is removed, and what
        was changed is changed back. What was there before is kept.
    type: str
    choices: [present, absent]
    default: present
notes:
  - With C(state=absent) a tap that a process has open, or a bridge with ports that are not named, is not removed.
    M(virtperf.vhost.restore) removes them all the same, after it has ended the guests.
  - Interfaces do not outlive a restart of the machine.
seealso:
  - module: virtperf.vhost.qemu_vm
  - plugin: virtperf.vhost.lab_bridges
    plugin_type: filter
    description: Makes O(bridges) from a lab's inventory.
"""

EXAMPLES = r"""
- name: Have a bridge with a tap for each of two guests
  virtperf.vhost.lab_network:
    bridges:
      - name: lab0
        address: 192.0.2.1/24
        taps:
          - {name: tap-server, queues: 2}
          - {name: tap-client, queues: 2}
  become: true

- name: Have a network for each of two devices of a guest, one of them without a tap
  virtperf.vhost.lab_network:
    bridges:
      - name: lab0
        address: 198.18.1.254/24
        more_addresses: [198.18.2.254/24]
        taps:
          - {name: arm1, txqueuelen: 100}
          - {name: arm2, kind: macvtap, mac: "52:54:00:00:00:02"}
  become: true

- name: Have what the guests of the inventory need
  virtperf.vhost.lab_network:
    bridges: "{{ lab_guests | virtperf.vhost.lab_bridges(hostvars, 'lab0', lab_address, lab_prefix_length) }}"
  become: true

- name: Take it back
  virtperf.vhost.lab_network:
    bridges: "{{ lab_guests | virtperf.vhost.lab_bridges(hostvars, 'lab0', lab_address, lab_prefix_length) }}"
    state: absent
  become: true
"""

RETURN = r"""
bridges:
  description: One entry for each of O(bridges), in that order, as the kernel has it afterwards.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      returned: success
      type: str
      sample: lab0
    mac:
      description: Its MAC address. Null in check mode, if it is yet to be made.
      returned: success
      type: str
      sample: 02:5d:97:d3:6a:c3
    mtu:
      description: The largest packet in bytes.
      returned: success
      type: int
      sample: 1500
    addresses:
      description: All addresses that somebody gave it.
      returned: success
      type: list
      elements: str
      sample: [192.0.2.1/24]
    changed:
      description: Whether it was made or changed.
      returned: success
      type: bool
      sample: true
    taps:
      description: One entry for each of O(bridges[].taps), in that order.
      returned: success
      type: list
      elements: dict
      contains:
        name:
          description: Its name.
          returned: success
          type: str
          sample: tap-server
        mac:
          description:
            - Its MAC address, which is not that of the guest, but for a macvtap. Null in check mode, if it is yet to be
              made.
          returned: success
          type: str
          sample: fe:81:fc:be:33:02
        mtu:
          description: The largest packet in bytes.
          returned: success
          type: int
          sample: 1500
        txqueuelen:
          description: How many packets it holds. Null in check mode, if it is yet to be made and it was not asked for.
          returned: success
          type: int
          sample: 1000
        kind:
          description: V(tap) or V(macvtap).
          returned: success
          type: str
          sample: tap
        port:
          description: The interface that is in the bridge, the tap itself, or the other end of the macvtap's veth pair.
          returned: success
          type: str
          sample: tap-server
        multi_queue:
          description: Whether it was made for several queues. A macvtap always is.
          returned: success
          type: bool
          sample: true
        user:
          description: The uid of who may open it beside root, null for nobody.
          returned: success
          type: int
          sample: 64055
        changed:
          description: Whether it was made or changed.
          returned: success
          type: bool
          sample: true
actions:
  description: What was changed, in plain words; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample: ["make bridge lab0 with 192.0.2.1/24", "make tap tap-server with several queues in lab0"]
interface:
  description: The interface that stands in the way.
  returned: when one does
  type: str
  sample: eth0
users:
  description: The processes that have the tap open.
  returned: when a tap is in use
  type: list
  elements: str
  sample: [qemu-system-x86 (pid 4711)]
ports:
  description: The ports of the bridge that are not named.
  returned: when a bridge has such ports and would be removed
  type: list
  elements: str
  sample: [vnet0]
address:
  description: The address that the bridge cannot have.
  returned: when somebody else has it or its network
  type: str
  sample: 192.0.2.1/24
command:
  description: The command that failed.
  returned: when one failed
  type: str
  sample: ip link add name lab0 type bridge
rc:
  description: Its status.
  returned: when a command failed
  type: int
  sample: 2
stderr:
  description: What it said.
  returned: when a command failed
  type: str
  sample: "RTNETLINK answers: Operation not supported"
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
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.links import TAP
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.manager import ensure_absent, ensure_present
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import KINDS
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module

TAP_ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": list(KINDS), "default": TAP},
    "mac": {"type": "str"},
    "queues": {"type": "int", "default": 1},
    "user": {"type": "str"},
    "txqueuelen": {"type": "int"},
}
BRIDGE_ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "default": ""},
    "more_addresses": {"type": "list", "elements": "str", "default": []},
    "mtu": {"type": "int"},
    "taps": {"type": "list", "elements": "dict", "default": [], "options": TAP_ARGUMENTS},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "bridges": {"type": "list", "elements": "dict", "required": True, "options": BRIDGE_ARGUMENTS},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **RUN_ARGUMENTS,
}


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Hand the parameters to the core."""
    given = module.params
    if given["state"] == "absent":
        return ensure_absent(host, given["bridges"], check_mode=module.check_mode)
    return ensure_present(host, given["bridges"], run_id=given["run_id"], check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
