# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study throttle, planned."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throttle_plan
short_description: Plan the study C(throttle)
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Turns the variables of the role C(throttle) into timelines and cells.
  - Fails before anything is started on unknown variables and impossible values, such as a quota below the kernel's
    minimum, and says what is allowed.
positional: _input
options:
  _input:
    description: All variables whose names begin with C(throttle_).
    type: dict
    required: true
"""

EXAMPLES = r"""
# timelines for M(virtperf.vhost.throttle_run)
timelines: "{{ (throttle_variables | virtperf.vhost.throttle_plan).timelines }}"
"""

RETURN = r"""
_value:
  description:
    - C(timelines) are arguments of M(virtperf.vhost.throttle_run), one of them for each workload and layout. They lack
      the interfaces, threads and cgroups, and the way into the guests.
    - C(definition) is for M(virtperf.vhost.run_open), C(lines) are the plan in plain words, C(seconds) is an estimate
      of the time it takes.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle import plan as planning
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError


def throttle_plan(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The plan for one hypervisor."""
    try:
        return planning.plan(variables)
    except PlanError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"throttle_plan": throttle_plan}
