# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the module of the same name in the background and shows a line of progress while it runs."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.background import FollowedAction


class ActionModule(FollowedAction):
    """Ansible's entry point."""

    module = "reflect_run"

    def expected_s(self) -> float:
        """Its trials, and the boots of its guests."""
        arguments = self._task.args
        trials = sum(int(cell["trials"]) for launch in arguments["launches"] for cell in launch["cells"])
        a_trial_s = float(arguments.get("trial_seconds", 1.0)) + float(arguments.get("warmup_seconds", 0.2)) + 1.0
        guests = sum(bool(launch.get("guest")) for launch in arguments["launches"])
        a_guest_s = float(arguments.get("guest_ready_seconds", 90.0))
        return trials * a_trial_s + guests * a_guest_s
