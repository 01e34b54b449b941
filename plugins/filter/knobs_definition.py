# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One definition for all hosts of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: knobs_definition
short_description: One definition of the study C(knobs) for all hosts of a run
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Hosts of a lab may have different knobs and workloads, in their own variables. A cell that a host does not ask for,
    or of which a level is gone there, is listed as skipped on it.
  - Fails when what decides how a trial is taken (the number of pairs, the window) differs from host to host.
positional: _input
options:
  _input:
    description: The C(definition) of each host's plan, see P(virtperf.vhost.knobs_plan#filter), by the host's name.
    type: dict
    required: true
"""

EXAMPLES = r"""
definition: "{{ {'hv-a': plan_a.definition, 'hv-b': plan_b.definition} | virtperf.vhost.knobs_definition }}"
"""

RETURN = r"""
_value:
  description: The definition, for O(virtperf.vhost.run_open#module:definition).
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.merge import merge
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError


def knobs_definition(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The definition of all hosts."""
    try:
        return merge(definitions)
    except PlanError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"knobs_definition": knobs_definition}
