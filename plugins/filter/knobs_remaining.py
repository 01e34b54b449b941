# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a resumed run still has to measure."""

from __future__ import annotations

DOCUMENTATION = r"""
name: knobs_remaining
short_description: The trials of C(knobs) in their order, without those that a resumed run has
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Puts the trials of each boot of a plan in random order. What is compared stands side by side.
  - Leaves out the trials that an earlier attempt at the same run has valid records of, and boots with nothing left.
    A pair of which one half is missing is taken again as a whole.
positional: _input, done, host, seed
options:
  _input:
    description: The boots of a plan, see P(virtperf.vhost.knobs_plan#filter).
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
boots: "{{ plan.boots | virtperf.vhost.knobs_remaining(opened.done, inventory_hostname, run_id) }}"
"""

RETURN = r"""
_value:
  description: The boots without what is done. C(seed) is the number that was used, C(position) of a trial its place.
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.schedule import remaining


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"knobs_remaining": remaining}
