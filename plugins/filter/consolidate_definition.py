# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition for all hosts of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: consolidate_definition
short_description: One definition of the study C(consolidate) for all hosts of a run
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Hosts of a lab may have different numbers of guests, policies and workloads, and other CPUs, in their own variables.
    A cell that a host does not ask for is listed as skipped on it.
  - Fails when what decides how a trial is taken (their number, the windows, the guests' sizes) differs from host to
    host.
positional: _input
options:
  _input:
    description:
      - The C(definition) of each host's plan, see P(virtperf.vhost.consolidate_plan#filter), by the host's name.
    type: dict
    required: true
"""

EXAMPLES = r"""
definition: "{{ {'hv-a': plan_a.definition, 'hv-b': plan_b.definition} | virtperf.vhost.consolidate_definition }}"
"""

RETURN = r"""
_value:
  description: The definition, for O(virtperf.vhost.run_open#module:definition).
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.plugin_utils.definition import merge
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

# A host may have other guests and other CPUs.
OF_A_HOST = ("cells", "guest_counts", "policies", "workloads", "partition")


def consolidate_definition(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The definition of all hosts."""
    try:
        return merge(definitions, "consolidate", OF_A_HOST)
    except PlanError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"consolidate_definition": consolidate_definition}
