# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host CPUs for VMs, proposed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pin_layout
short_description: Propose host CPUs for the threads of VMs
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Gives each vCPU a host CPU of its own. Those of a VM are on one NUMA node, isolated where there are enough isolated
    CPUs, and one thread of each core before second threads.
  - Some CPUs are kept for the host. QEMU's other threads run there.
  - Fails when there are not enough CPUs, and says how many there are.
positional: _input, host
options:
  _input:
    description:
      - The VMs.
      - Each has C(vcpus), how many it has, and C(qmp) or C(domain) (and C(name)) as in M(virtperf.vhost.vcpu_pin).
      - C(vhost_cpus) is how many CPUs its vhost workers get for themselves; by default they run where the host does.
      - C(numa_node) is where its CPUs have to be, if that is known.
    type: list
    elements: dict
    required: true
  host:
    description: What M(virtperf.vhost.vhost_info) returned for the host.
    type: dict
    required: true
  housekeeping:
    description:
      - The CPUs to keep for the host. By default the first one that is not isolated.
    type: list
    elements: int
"""

EXAMPLES = r"""
# vms for M(virtperf.vhost.vcpu_pin)
vms: "{{ [{'name': 'guest1', 'qmp': '/run/virtperf/qemu/guest1/qmp.sock', 'vcpus': 4, 'vhost_cpus': 1}]
  | virtperf.vhost.pin_layout(info.vhost_info, housekeeping=[0, 1]) }}"
"""

RETURN = r"""
_value:
  description: The option C(vms) of M(virtperf.vhost.vcpu_pin).
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.plugin_utils.pin_layout import LayoutError, propose


def pin_layout(
    vms: Sequence[Mapping[str, Any]], host: Mapping[str, Any], housekeeping: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """The layout for one host."""
    try:
        return propose(vms, host, housekeeping)
    except LayoutError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"pin_layout": pin_layout}
