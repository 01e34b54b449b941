# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets restore see that a run of this controller is dead, even on a host that cannot see this machine's processes."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.virtperf.vhost.plugins.plugin_utils.holder import controller, ended_here


class ActionModule(ActionBase):
    """Runs the module; when it leaves a host to a run of a process of this machine that is gone, runs it by force."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One module call, or two."""
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "controller": controller(task_vars)}
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        if result.get("failed") and ended_here(result.get("holder")):
            result = self._execute_module(module_args={**arguments, "force": True}, task_vars=task_vars)
        return result
