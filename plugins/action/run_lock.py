# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the module of the same name which controller's process asks for the lock."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.virtperf.vhost.plugins.plugin_utils.holder import controller, ended_here


class ActionModule(ActionBase):
    """Runs the module with ``controller`` filled in."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One module call."""
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "controller": controller(task_vars)}
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        if result.get("failed") and ended_here(result.get("holder")):
            # The host cannot see that the holder, a process of this machine, is dead.
            arguments["take_over"] = True
            result = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result
