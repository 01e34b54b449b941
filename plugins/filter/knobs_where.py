# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a boot runs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: knobs_where
short_description: The VMs that a boot of the study C(knobs) runs on
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Completes a boot of a plan by the VMs and threads of the two guests, and the way into them.
  - Fails when a VM does not run, was started without the interfaces of the boot, or is reached over the network that is
    measured.
positional: _input, vms, variables, keys
options:
  _input:
    description: A boot, see P(virtperf.vhost.knobs_remaining#filter).
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
run: "{{ boot | virtperf.vhost.knobs_where(now.vhost_info.vms, hostvars, keys) }}"
"""

RETURN = r"""
_value:
  description: The boot, with all arguments of M(virtperf.vhost.knobs_run) that depend on the VMs.
  type: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.where import place


def knobs_where(
    boot: Mapping[str, Any],
    vms: Sequence[Mapping[str, Any]],
    variables: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, str],
) -> dict[str, Any]:
    """The boot, ready to run."""
    try:
        return place(boot, vms, variables, keys)
    except VirtperfError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"knobs_where": knobs_where}
