#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's way into a lab's guests. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_access
short_description: Keep what the controller needs to get into a lab's guests
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Keeps a key of the controller's own for the guests of a lab, made once with C(ssh-keygen), and a C(known_hosts)
    with their host keys. The inventory plugin P(virtperf.vhost.lab#inventory) makes SSH use both, and nothing else.
  - Files in O(directory) are the lab's, and go with its last guest. Elsewhere, a key is made if there is none and
    stays, and no line in C(known_hosts) but the guests' is touched.
  - Runs on the controller, as the user who started it. The host of the task is not connected to.
options:
  state:
    description: V(present) has O(host_keys) known, V(absent) has O(guests) known no more.
    type: str
    choices: [present, absent]
    default: present
  lab:
    description: The lab's name.
    type: str
    required: true
  directory:
    description: The lab's own directory on the controller, C(lab_directory) of the inventory plugin.
    type: path
    required: true
  ssh_key:
    description: The private key.
    type: path
    required: true
  known_hosts:
    description: The file with the guests' host keys.
    type: path
    required: true
  host_keys:
    description: Public host keys by the names of guests, as M(virtperf.vhost.guest_keys) returns them.
    type: dict
    default: {}
  guests:
    description: With O(state=present), all guests of the lab. Of others, no line stays in the lab's own file.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: The difference shown is that of C(known_hosts).
  idempotent:
    support: full
  platform:
    details: Of the controller; nothing is done on the host.
requirements:
  - ssh-keygen on the controller (Debian's openssh-client)
"""

EXAMPLES = r"""
- name: Get into the guests of this hypervisor
  virtperf.vhost.lab_access:
    lab: "{{ lab_name }}"
    directory: "{{ lab_directory }}"
    ssh_key: "{{ lab_ssh_key }}"
    known_hosts: "{{ lab_known_hosts }}"
    host_keys: "{{ keys.host_keys }}"
    guests: "{{ groups['guests'] }}"
"""

RETURN = r"""
actions:
  description: What was done (in check mode, would be done), in plain words.
  returned: success
  type: list
  elements: str
  sample: [make /home/me/.local/state/virtperf/labs/blue/id_ed25519]
public_key:
  description: The public key, a line for C(authorized_keys). Empty when there is none.
  returned: success
  type: str
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC6t virtperf blue controller
"""
