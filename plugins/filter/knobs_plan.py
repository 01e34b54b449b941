# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study knobs, planned."""

from __future__ import annotations

DOCUMENTATION = r"""
name: knobs_plan
short_description: Plan the study C(knobs)
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Turns the variables of the role C(knobs) into boots of two guests and trials. A level of a knob is a network device
    of a running guest, so that it can be compared with the baseline in turn.
  - Fails before anything is started on unknown variables, on knobs, levels and workloads that do not exist, and on
    knobs that cannot be combined, and says what is allowed.
  - A level that this QEMU or kernel has no longer is left out, and told in C(lines) and C(definition).
positional: _input, host
options:
  _input:
    description: All variables whose names begin with C(knobs_).
    type: dict
    required: true
  host:
    description: What M(virtperf.vhost.vhost_info) returned for the host.
    type: dict
    required: true
"""

EXAMPLES = r"""
boots: "{{ (knobs_variables | virtperf.vhost.knobs_plan(info.vhost_info)).boots }}"
"""

RETURN = r"""
_value:
  description:
    - Each of C(boots) has C(arms) (complete sets of levels, with the interface of each), C(taps) (for the role
      P(virtperf.vhost.guests#role)), C(links) and C(addresses) (for M(virtperf.vhost.lab_network)), C(modules) (for
      M(virtperf.vhost.kernel_module)), C(settings) (for M(virtperf.vhost.kernel_setting)) and C(trials), which
      P(virtperf.vhost.knobs_remaining#filter) puts in order.
    - C(workloads) are for M(virtperf.vhost.knobs_run), C(definition) is for P(virtperf.vhost.knobs_definition#filter),
      C(needs) for P(virtperf.vhost.study_needs#filter), C(lines) are the plan in plain words, C(seconds) is an
      estimate of the time it takes.
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import plan as planning
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError


def knobs_plan(variables: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """The plan for one hypervisor."""
    try:
        return planning.plan(variables, host)
    except PlanError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"knobs_plan": knobs_plan}
