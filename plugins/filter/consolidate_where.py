# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the trials run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: consolidate_where
short_description: The VMs that the study C(consolidate) runs on
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Completes the guests of a plan by their VMs and threads, and the way into them.
  - Fails when a VM does not run, has no vhost worker for one of its NICs, or is reached over the network that is
    measured.
positional: _input, vms, variables, keys
options:
  _input:
    description: The C(nics) of a plan, by guest, see P(virtperf.vhost.consolidate_plan#filter).
    type: dict
    required: true
  vms:
    description: The VMs that run, as M(virtperf.vhost.vhost_info) returns them.
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
guests: "{{ plan.nics | virtperf.vhost.consolidate_where(now.vhost_info.vms, hostvars, keys) }}"
"""

RETURN = r"""
_value:
  description: The guests, for O(virtperf.vhost.consolidate_run#module:guests).
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.where import place


def consolidate_where(
    nics: Mapping[str, Mapping[str, Any]],
    vms: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The guests, ready to be measured."""
    try:
        return place(nics, vms, variables, keys)
    except VirtperfError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"consolidate_where": consolidate_where}
