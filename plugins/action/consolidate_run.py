# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the module of the same name in the background and shows a line of progress while it runs."""

from __future__ import annotations

import math

from ansible_collections.virtperf.vhost.plugins.plugin_utils.background import FollowedAction

# Of a trial, beside its programs: the policy, the barrier, what they print.
_BETWEEN_S = 2.0
# The guests' agents and servers start slowly where everything is emulated.
_STARTS_S = 60.0


class ActionModule(FollowedAction):
    """Ansible's entry point."""

    module = "consolidate_run"

    def expected_s(self) -> float:
        """Its trials, and what comes before them."""
        arguments = self._task.args
        parts = (("warmup_seconds", 0.5), ("window_seconds", 2.0), ("late_seconds", 0.5))
        a_trial_s = math.ceil(sum(float(arguments.get(name, default)) for name, default in parts)) + _BETWEEN_S
        return len(arguments["trials"]) * a_trial_s + _STARTS_S
