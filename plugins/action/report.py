# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports a run on the controller: gathers what came from the hosts and makes table and page of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.run_id import check_run_id
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reporting import Outcome, report_run
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir

ARGUMENTS: dict[str, dict[str, Any]] = {
    "run_id": {"type": "str", "required": True},
    "results_dir": {"type": "path", "default": "results"},
    "facts": {"type": "dict"},
    "failures": {"type": "list", "elements": "str"},
    "reference": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Does its work on the controller; whatever host the task is for is not even connected to."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The table, and whether the run is complete."""
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(ARGUMENTS)
        try:
            run = RunDir(Path(arguments["results_dir"]).absolute() / check_run_id(arguments["run_id"]))
            outcome = report_run(
                run,
                arguments["facts"],
                arguments["failures"],
                reference=arguments["reference"],
                dry=self._task.check_mode,
            )
        except VirtperfError as error:
            raise AnsibleActionFail(str(error), result=error.facts) from None
        except OSError as error:
            raise AnsibleActionFail(f"cannot read {error.filename}: {error.strerror}") from None
        result = _result_of(run, outcome)
        # As it is in the file: a callback would wrap and quote it.
        Display().display(f"\n{outcome.table}\n{run.report}")
        if self._task.diff:
            result["diff"] = {
                "before_header": str(run.table),
                "after_header": str(run.table),
                "before": outcome.table_before,
                "after": outcome.table,
            }
        if outcome.error:
            # Nobody shall lose the sight of an hour's numbers because a disk is full.
            raise AnsibleActionFail(str(outcome.error), result=result | outcome.error.facts) from None
        return result


def _result_of(run: RunDir, outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        "complete": outcome.complete,
        "incomplete_cells": [
            {
                "host": cell.host,
                "study": cell.study,
                "cell": dict(cell.cell),
                "valid": len(cell.counted),
                "wanted": cell.wanted,
                "reasons": cell.reasons,
            }
            for cell in outcome.incomplete
        ],
        "table": outcome.table,
        "table_lines": outcome.table.splitlines(),
        "notes": outcome.notes,
        "paths": {
            "run_dir": str(run.path),
            "trials": str(run.trials),
            "manifest": str(run.manifest),
            "table": str(run.table),
            "report": str(run.report),
        },
    }
