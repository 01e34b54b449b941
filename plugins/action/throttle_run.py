# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the module of the same name in the background and shows a line of progress while it runs."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.background import FollowedAction

# Programs at both ends start slowly in emulated guests: the module itself waits up to a minute for each.
_STARTS_S = 120.0


class ActionModule(FollowedAction):
    """Ansible's entry point."""

    module = "throttle_run"

    def expected_s(self) -> float:
        """Its timelines, one a trial."""
        arguments = self._task.args
        phases_s = sum(float(phase["seconds"]) for phase in arguments["phases"])
        a_trial_s = float(arguments.get("warmup_seconds", 2.0)) + phases_s + _STARTS_S
        return int(arguments.get("trials", 3)) * a_trial_s
