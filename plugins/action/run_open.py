# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a run on the controller: its results directory, made or taken up again, before any host is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.run_id import check_run_id
from ansible_collections.virtperf.vhost.plugins.plugin_utils.opening import open_run
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir, new_run_id

ARGUMENTS: dict[str, dict[str, Any]] = {
    "run_id": {"type": "str", "default": ""},
    "results_dir": {"type": "path", "default": "results"},
    "definition": {"type": "dict", "required": True},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "min_free_mib": {"type": "float", "default": 64},
}


class ActionModule(ActionBase):
    """Does its work on the controller; whatever host the task is for is not even connected to."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The directory's name, and what an earlier attempt left in it."""
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(ARGUMENTS)
        try:
            run_id = check_run_id(arguments["run_id"]) if arguments["run_id"] else new_run_id()
            run = RunDir(Path(arguments["results_dir"]).absolute() / run_id)
            opened = open_run(
                run,
                arguments["definition"],
                arguments["hosts"],
                arguments["min_free_mib"],
                dry=self._task.check_mode,
            )
        except VirtperfError as error:
            raise AnsibleActionFail(str(error), result=error.facts) from None
        except OSError as error:
            raise AnsibleActionFail(f"cannot read {error.filename}: {error.strerror}") from None
        return {
            "changed": opened.changed,
            "run_id": run_id,
            "run_dir": str(run.path),
            "resumed": opened.resumed,
            "done": opened.done,
            "notes": opened.notes,
        }
