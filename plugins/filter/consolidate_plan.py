# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study consolidate, planned."""

from __future__ import annotations

DOCUMENTATION = r"""
name: consolidate_plan
short_description: Plan the study C(consolidate)
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Turns the variables of the role C(consolidate) into trials and cells, and the CPUs of a host into VM cores and I/O
    cores.
  - Fails before anything is started on unknown variables and impossible values, such as more guests or CPUs than there
    are, and says what is allowed.
positional: _input, host
options:
  _input:
    description: All variables whose names begin with C(consolidate_).
    type: dict
    required: true
  host:
    description: The host, RV(virtperf.vhost.vhost_info#module:vhost_info).
    type: dict
    required: true
"""

EXAMPLES = r"""
trials: "{{ (consolidate_variables | virtperf.vhost.consolidate_plan(run_host.vhost_info)).trials }}"
"""

RETURN = r"""
_value:
  description:
    - C(trials) are in no order yet, see P(virtperf.vhost.consolidate_remaining#filter). C(run) are the arguments of
      M(virtperf.vhost.consolidate_run) that depend on no VM, C(guests) those that take part, C(taps) what they are
      started with, and C(nics) the same as that module takes it.
    - C(definition) is for M(virtperf.vhost.run_open), C(needs) is what the host has to have, C(lines) are the plan in
      plain words, C(seconds) is an estimate of the time it takes.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate import plan as planning
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError


def consolidate_plan(variables: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """The plan for one hypervisor."""
    try:
        return planning.plan(variables, host)
    except PlanError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"consolidate_plan": consolidate_plan}
