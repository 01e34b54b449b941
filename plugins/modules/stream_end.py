#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare a machine to be an end of a stream."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stream_end
short_description: Prepare a machine to be an end of a stream
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Looks whether the programs are there that the server or the client of a workload of the study C(throttle) needs, and
    how old they are. It installs none.
  - For the workload V(vnc) it writes this end's program and the password into C(/run/virtperf/vnc), readable by root
    alone. M(virtperf.vhost.throttle_run) starts the program; it ends with its SSH connection.
  - The server's program shows a window that changes its colour, on a screen of its own (Xvfb) or one that is there, and
    serves it with x11vnc. The client's shows it with TigerVNC's viewer on a screen of its own, in raw encoding, and
    tells which change is to be seen when.
  - The password is kept as VNC programs keep it, and given to them as a file, never on a command line.
options:
  state:
    description:
      - V(present) looks for the programs, and writes the files.
      - V(absent) removes the files.
    type: str
    choices: [present, absent]
    default: present
  end:
    description: Which end it is.
    type: str
    choices: [server, client]
    required: true
  workloads:
    description: What it is to be an end of.
    type: list
    elements: str
    choices: [iperf3, vnc]
    default: [iperf3]
  strict:
    description: Whether it is a failure when a program is missing or too old.
    type: bool
    default: true
  vnc_password:
    description:
      - The VNC password, the same at both ends, 1 to 8 ASCII characters. VNC knows no longer ones.
      - Required with O(state=present) and V(vnc) among O(workloads).
    type: str
extends_documentation_fragment:
  - virtperf.vhost.run
  - virtperf.vhost.run.attributes
requirements:
  - for V(iperf3), iperf3 3.17 or newer, the first with C(--json-stream)
  - for V(vnc) on the server, x11vnc, Xvfb, and tkinter for C(/usr/bin/python3) (Debian's python3-tk)
  - for V(vnc) on the client, TigerVNC's viewer and Xvfb
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The files by name, and not what is in them.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Look what is missing
  virtperf.vhost.stream_end:
    end: client
    workloads: [iperf3, vnc]
    strict: false
    vnc_password: "{{ vnc_password }}"
  register: client_end

- name: Install it
  ansible.builtin.apt:
    name: "{{ client_end.packages }}"
  when: client_end.packages

- name: Clean up
  virtperf.vhost.stream_end:
    end: client
    state: absent
"""

RETURN = r"""
actions:
  description: What was done (in check mode, would be done), in plain words.
  returned: success
  type: list
  elements: str
  sample: [write /run/virtperf/vnc/server, write /run/virtperf/vnc/password]
lacks:
  description: The programs that are missing or too old, each with what is there instead.
  returned: success
  type: list
  elements: str
  sample: ["x11vnc: none", "iperf3: iperf 3.12"]
packages:
  description: The Debian packages that bring them.
  returned: success
  type: list
  elements: str
  sample: [x11vnc, iperf3]
apt:
  description: Whether the machine has C(apt-get), which could install them.
  returned: success
  type: bool
  sample: true
program:
  description: The program of this end for the workload V(vnc), to be run by C(/usr/bin/python3). Empty without it.
  returned: success
  type: str
  sample: /run/virtperf/vnc/server
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.module import RUN_ARGUMENTS, run_module
from ansible_collections.virtperf.vhost.plugins.module_utils.stream_end import programs
from ansible_collections.virtperf.vhost.plugins.module_utils.stream_end.manager import ENDS, StreamEnd


def work(module: AnsibleModule, host: Host) -> dict[str, Any]:
    """Look, and write or remove the files; in check mode, say which."""
    params = module.params
    end = StreamEnd(host, params["end"], params["run_id"])
    if params["state"] == "absent":
        return _absent(module, end)
    wants_vnc = "vnc" in params["workloads"]
    if wants_vnc and params["vnc_password"] is None:
        raise VirtperfError("vnc needs a password", way_out="give vnc_password, the same at both ends")
    wanted = end.wanted(params["vnc_password"]) if wants_vnc else {}
    lacks = programs.lacking(params["end"], params["workloads"])
    if lacks and params["strict"]:
        raise VirtperfError(
            f"{os.uname().nodename} cannot be the {params['end']} of {', '.join(params['workloads'])}",
            found=", ".join(str(lack) for lack in lacks),
            way_out=programs.way_out(lacks),
        )
    before, writing = end.there(), end.differing(wanted)
    if not module.check_mode:
        end.write(wanted)
    return {
        "changed": bool(writing),
        "actions": [f"write {path}" for path in writing],
        "lacks": [str(lack) for lack in lacks],
        "packages": list(dict.fromkeys(lack.package for lack in lacks)),
        "apt": programs.has_apt(),
        "program": end.program if wants_vnc else "",
        "diff": {"before": _lines(before), "after": _lines({*before, *wanted})},
    }


def _absent(module: AnsibleModule, end: StreamEnd) -> dict[str, Any]:
    removing = end.removable()
    if not module.check_mode:
        end.remove()
    return {
        "changed": bool(removing),
        "actions": [f"remove {path}" for path in removing],
        "lacks": [],
        "packages": [],
        "apt": programs.has_apt(),
        "program": "",
        "diff": {"before": _lines(removing), "after": ""},
    }


def _lines(paths: Any) -> str:
    return "".join(f"{path}\n" for path in sorted(paths))


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "end": {"type": "str", "choices": list(ENDS), "required": True},
            "workloads": {
                "type": "list",
                "elements": "str",
                "choices": list(programs.WORKLOADS),
                "default": ["iperf3"],
            },
            "strict": {"type": "bool", "default": True},
            "vnc_password": {"type": "str", "no_log": True},
            **RUN_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_module(module, work)


if __name__ == "__main__":
    main()
