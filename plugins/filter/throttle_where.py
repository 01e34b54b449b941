# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a timeline runs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throttle_where
short_description: The VMs that a timeline of the study C(throttle) runs on
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Completes a timeline of a plan by the taps, threads and cgroups of the two VMs, and the way into them.
  - Fails when a VM does not run, has no vhost worker or one of another layout, or is reached over the network that is
    throttled.
positional: _input, vms, groups, variables, keys
options:
  _input:
    description: A timeline of a plan, see P(virtperf.vhost.throttle_plan#filter).
    type: dict
    required: true
  vms:
    description: The VMs that run, as M(virtperf.vhost.vhost_info) returns them.
    type: list
    elements: dict
    required: true
  groups:
    description: The cgroups with the workers, as M(virtperf.vhost.vhost_cgroup) returns them.
    type: list
    elements: dict
    required: true
  variables:
    description: The variables of the guests by name, C(hostvars).
    type: dict
    required: true
  keys:
    description: The result of M(virtperf.vhost.guest_keys).
    type: dict
    required: true
"""

EXAMPLES = r"""
run: "{{ timeline | virtperf.vhost.throttle_where(now.vhost_info.vms, workers.groups, hostvars, keys) }}"
"""

RETURN = r"""
_value:
  description: The timeline, with all arguments of M(virtperf.vhost.throttle_run) that depend on the VMs.
  type: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.where import place


def throttle_where(
    timeline: Mapping[str, Any],
    vms: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, str],
) -> dict[str, Any]:
    """The timeline, ready to run."""
    try:
        return place(timeline, vms, groups, variables, keys)
    except VirtperfError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"throttle_where": throttle_where}
