# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a resumed run still has to measure."""

from __future__ import annotations

DOCUMENTATION = r"""
name: consolidate_remaining
short_description: The trials of C(consolidate) in their order, without those that a resumed run has
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Puts the trials of a plan in random order, with the policies that are compared side by side.
  - Leaves out the trials that an earlier attempt at the same run has valid records of. Where one of the policies that
    stand side by side is missing, all of them are taken again.
positional: _input, done, host, seed
options:
  _input:
    description: The C(trials) of a plan, see P(virtperf.vhost.consolidate_plan#filter).
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
  seed:
    description: A whole number, or any text, such as the run's name. The same seed gives the same order.
    type: raw
    required: true
"""

EXAMPLES = r"""
trials: "{{ plan.trials | virtperf.vhost.consolidate_remaining(opened.done, inventory_hostname, run_id) }}"
"""

RETURN = r"""
_value:
  description: The trials without what is done, for O(virtperf.vhost.consolidate_run#module:trials).
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.schedule import remaining


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"consolidate_remaining": remaining}
