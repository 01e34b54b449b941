# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the module of the same name in the background and shows a line of progress while it runs."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.background import FollowedAction

# Measured in emulated guests: an agent started and a device looked at, programs started and ended for a trial.
_STARTS_S = 30.0
_AN_ARM_S = 3.0
_A_TRIAL_S = 2.0


class ActionModule(FollowedAction):
    """Ansible's entry point."""

    module = "knobs_run"

    def expected_s(self) -> float:
        """Its trials, and what is set up before them."""
        arguments = self._task.args
        a_trial_s = (
            float(arguments.get("window_seconds", 2.0)) + float(arguments.get("warmup_seconds", 0.5)) + _A_TRIAL_S
        )
        return _STARTS_S + len(arguments["arms"]) * _AN_ARM_S + len(arguments["trials"]) * a_trial_s
