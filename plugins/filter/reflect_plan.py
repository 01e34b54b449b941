# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study reflect, planned."""

from __future__ import annotations

DOCUMENTATION = r"""
name: reflect_plan
short_description: Plan the study C(reflect)
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Turns the variables of the role C(reflect) into launches and cells, ordered so that what is cheap to change varies
    fastest, and that one boot of a guest serves all of its drivers.
  - Fails before anything is started on unknown variables, impossible values, levels that do not go together, and more
    CPUs than the host has, and says what is allowed.
positional: _input, host
options:
  _input:
    description: All variables whose names begin with C(reflect_).
    type: dict
    required: true
  host:
    description: What M(virtperf.vhost.vhost_info) returned for the host.
    type: dict
    required: true
"""

EXAMPLES = r"""
# launches for M(virtperf.vhost.reflect_run)
launches: "{{ reflect_variables | virtperf.vhost.reflect_plan(info.vhost_info) }}"
"""

RETURN = r"""
_value:
  description:
    - C(launches) are for M(virtperf.vhost.reflect_run), C(definition) is for M(virtperf.vhost.run_open).
    - C(needs) is for P(virtperf.vhost.study_needs#filter), C(lines) are the plan in plain words, C(seconds) is an
      estimate of the time it takes.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.description import describe
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.plan import plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError


def reflect_plan(variables: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """The plan for one host."""
    try:
        study = plan(variables, host)
    except PlanError as error:
        raise AnsibleFilterError(str(error)) from error
    return {**study, "lines": describe(study)}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"reflect_plan": reflect_plan}
