#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make and remove the SSH keys of a lab's guests."""

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_keys
short_description: Make and remove the SSH keys of a lab's guests
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Keeps a lab's keys on its hypervisor, in C(/var/lib/virtperf/labs/<lab>). These are a host key for each guest and
    one with which the hypervisor itself gets into them, all of them ed25519 and made by C(ssh-keygen).
  - Private keys stay where they are made. Only public ones are returned.
options:
  state:
    description:
      - V(present) makes the keys that are missing. A key that is there stays as it is, also those of other guests.
      - V(absent) removes those of O(guests), or without it all of the lab's.
    type: str
    choices: [present, absent]
    default: present
  lab:
    description: The lab's name, up to 63 letters, digits and C(-).
    type: str
    required: true
  guests:
    description: The guests by name. Required with O(state=present).
    type: list
    elements: str
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - ssh-keygen on the host (Debian's openssh-client)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Have the keys of two guests
  virtperf.vhost.guest_keys:
    lab: blue
    guests: [web, load]
  register: keys

- name: Remove all of the lab's
  virtperf.vhost.guest_keys:
    lab: blue
    state: absent
"""

RETURN = r"""
actions:
  description: What was done (in check mode, would be done), in plain words.
  returned: success
  type: list
  elements: str
  sample: [make /var/lib/virtperf/labs/blue/host_web]
public_key:
  description: The hypervisor's own public key. Empty when there is none, in check mode and with O(state=absent).
  returned: success
  type: str
  sample: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC6t virtperf blue id_ed25519
host_keys:
  description: The public host keys of all guests of the lab that have one, by name.
  returned: success
  type: dict
  sample: {web: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq1}
host_key_files:
  description: Where the private ones are, by name.
  returned: success
  type: dict
  sample: {web: /var/lib/virtperf/labs/blue/host_web}
identity:
  description: The hypervisor's own private key, a file.
  returned: success
  type: str
  sample: /var/lib/virtperf/labs/blue/id_ed25519
known_hosts:
  description: The file with the guests' host keys, one line each that begins with the guest's name.
  returned: success
  type: str
  sample: /var/lib/virtperf/labs/blue/known_hosts
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.keys import Keys
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Make or remove them; in check mode, say which."""
    keys = Keys(host, module.params["lab"], module.params["run_id"])
    guests, present = module.params["guests"], module.params["state"] == "present"
    before = keys.removable()
    changing = keys.missing(guests) if present else keys.removable(guests)
    after = sorted({*before, *changing} if present else {*before} - {*changing})
    if not module.check_mode:
        if present:
            keys.ensure(guests)
        else:
            keys.remove(guests)
    there = keys.guests()
    return {
        "changed": bool(changing),
        "actions": [f"{'make' if present else 'remove'} {path}" for path in changing],
        "diff": {"before": _lines(before), "after": _lines(after)},
        "public_key": keys.public_key() if keys.identity_path in keys.removable() else "",
        "host_keys": {guest: keys.host_public_key(guest) for guest in there},
        "host_key_files": {guest: keys.host_key_path(guest) for guest in there},
        "identity": keys.identity_path,
        "known_hosts": keys.known_hosts_path,
    }


def _lines(paths: list[str]) -> str:
    return "".join(f"{path}\n" for path in paths)


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "lab": {"type": "str", "required": True},
            "guests": {"type": "list", "elements": "str"},
            **RUN_ARGUMENTS,
        },
        required_if=[("state", "present", ["guests"])],
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
