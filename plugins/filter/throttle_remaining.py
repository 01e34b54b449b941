# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a resumed run still has to measure."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throttle_remaining
short_description: What a resumed run of C(throttle) still has to measure
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Leaves out of the timelines of a plan those that an earlier attempt at the same run has valid records of, and the
    trials of the others that it has.
positional: _input, done, host
options:
  _input:
    description: The timelines of a plan, see P(virtperf.vhost.throttle_plan#filter).
    type: list
    elements: dict
    required: true
  done:
    description: The valid trials there are, as M(virtperf.vhost.run_open) returns them.
    type: list
    elements: dict
    required: true
  host:
    description: The host's name in the inventory.
    type: str
    required: true
"""

EXAMPLES = r"""
timelines: "{{ plan.timelines | virtperf.vhost.throttle_remaining(opened.done, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The timelines without what is done.
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.plan import remaining


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"throttle_remaining": remaining}
