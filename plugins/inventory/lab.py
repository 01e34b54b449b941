# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin: a lab of hypervisors and guests from a short description."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab
short_description: Hypervisors and their guests from a short description
version_added: 0.1.0
author:
  - The virtperf developers (@virtperf)
description:
  - Turns a description of hypervisors, the guests on each and one network into hosts, groups, addresses, MACs and a way
    in by SSH. Nothing is asked of a host for it.
  - The file is called C(lab.yml), or its name ends with C(.lab.yml). C(.yaml) does as well.
  - Groups are C(hypervisors), C(guests), C(servers), C(clients), and C(guests_of_<hypervisor>) with C(_) for what a
    group's name cannot have.
  - Each hypervisor has O(addresses_per_hypervisor) addresses in a row, the first one usable for itself and the others
    for its guests, in the order of the file. Addresses stay the same when guests are added to the end of a list, and
    hypervisors after the last one.
  - Guests have the variables C(vm_name), C(vm_address), C(vm_prefix_length), C(vm_gateway), C(vm_mac), C(vm_roles) and
    C(hypervisor) besides those of the connection. Hypervisors have C(lab_guests) (the names of theirs), C(lab_address)
    and C(lab_prefix_length). All have C(lab_name), C(lab_network), C(lab_ssh_key), C(lab_known_hosts) and
    C(lab_directory), the lab's own directory on the controller.
  - The role P(virtperf.vhost.guests#role) starts the guests.
  - The line of a guest in O(known_hosts) begins with the guest's name, not with its address.
extends_documentation_fragment:
  - ansible.builtin.constructed
requirements:
  - netaddr on the controller
notes:
  - Ansible only warns about a description with mistakes and goes on without its hosts, unless C(any_unparsed_is_failed)
    is set in section C(inventory) of C(ansible.cfg).
options:
  plugin:
    description: Marks a file as one for this plugin.
    type: str
    required: true
    choices: [virtperf.vhost.lab]
  lab:
    description: The lab's name. MACs are derived from it and the guest's name, so that two labs can share a network.
    type: str
    default: lab
  network:
    description: The network of hypervisors and guests, such as V(192.0.2.0/24). It may be one of IPv6.
    type: str
    required: true
  addresses_per_hypervisor:
    description: How many addresses of the network each hypervisor has, two more than it can have guests.
    type: int
    default: 16
  hypervisors:
    description:
      - The hypervisors by name.
      - Keys that begin with C(ansible_), such as C(ansible_host) and C(ansible_user), are variables of the hypervisor,
        and are used on the way to its guests as well. V(port_file) is a file on the controller, relative to the
        description, with the port of a hypervisor that has another one at each start.
      - V(address) is its address in the network, where it shall not be the first of its row. V(variables) are more
        variables of it.
      - V(guest_ssh) says how guests are reached. With V(jump), the default, by SSH over the hypervisor. With
        V(forward), the default on a hypervisor with C(ansible_connection=local), at a port of 127.0.0.1 of the
        hypervisor, which has to forward it to the guest's port 22. With V(direct), at their address.
      - V(guests) is their number, or a list of names or of mappings. A mapping has V(name), V(roles) (V(server),
        V(client)), V(address), V(mac), V(port) (of SSH), V(user), V(python) (the interpreter) and V(variables), all of
        them optional.
    type: dict
    required: true
  guest_defaults:
    description: The V(roles), V(user), V(python) and V(variables) of guests that do not have their own.
    type: dict
    default: {}
  first_ssh_port:
    description: What is added to a guest's number in the network to make the port that is forwarded to it.
    type: int
    default: 2200
  ssh_key:
    description:
      - The private key for the guests, relative to the file.
      - The default is C(~/.local/state/virtperf/labs/<lab>/id_ed25519).
    type: path
  known_hosts:
    description:
      - The file with the guests' host keys, relative to the file. No other is looked at.
      - The default is C(~/.local/state/virtperf/labs/<lab>/known_hosts).
    type: path
  new_host_keys:
    description: What to do about a guest that has no key in O(known_hosts). One with another key is always refused.
    type: str
    choices: [refuse, accept]
    default: refuse
"""

EXAMPLES = r"""
# lab.yml
plugin: virtperf.vhost.lab
lab: blue
network: 192.0.2.0/24
hypervisors:
  hv1:
    ansible_host: hv1.example.net
    ansible_user: root
    guests:
      - {name: web1, roles: [server]}
      - {name: load1, roles: [client], address: 192.0.2.14}
  hv2:
    ansible_host: hv2.example.net
    guests: 2
guest_defaults:
  roles: [client]
  variables:
    vm_vcpus: 2

# A guest on this machine, at port 2202 of 127.0.0.1
# plugin: virtperf.vhost.lab
# network: 198.51.100.0/28
# hypervisors:
#   localhost:
#     ansible_connection: local
#     guests: 1
"""

import os
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable

from ansible_collections.virtperf.vhost.plugins.plugin_utils.lab_plan import LabError, plan

_NAMES = ("lab.yml", "lab.yaml")
# Options of the class Constructable.
_CONSTRUCTED = ("compose", "groups", "keyed_groups", "leading_separator", "strict", "use_extra_vars")


class InventoryModule(BaseInventoryPlugin, Constructable):
    """Ansible's entry point."""

    NAME = "virtperf.vhost.lab"

    def verify_file(self, path: str) -> bool:
        """Whether a file may be one of ours, by its name."""
        name = os.path.basename(path)
        return bool(super().verify_file(path)) and (name in _NAMES or name.endswith(tuple(f".{n}" for n in _NAMES)))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Read a description and add what is in it."""
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        description = {key: value for key, value in config.items() if key not in _CONSTRUCTED}
        try:
            lab = plan(description, os.path.dirname(os.path.abspath(path)))
        except LabError as error:
            raise AnsibleParserError(f"{path}: {error}") from error
        for host, variables in lab.hosts.items():
            self.inventory.add_host(host)
            for name, value in variables.items():
                self.inventory.set_variable(host, name, value)
        for group, hosts in lab.groups.items():
            self.inventory.add_group(group)
            for host in hosts:
                self.inventory.add_child(group, host)
        strict = self.get_option("strict")
        for host in lab.hosts:
            known = self.inventory.get_host(host).get_vars()
            self._set_composite_vars(self.get_option("compose"), known, host, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), known, host, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), known, host, strict=strict)
