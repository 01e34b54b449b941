# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the controller's key for a lab's guests, and the file with their host keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.plugin_utils import lab_access

ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "lab": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "ssh_key": {"type": "path", "required": True, "no_log": False},
    "known_hosts": {"type": "path", "required": True},
    "host_keys": {"type": "dict", "default": {}, "no_log": False},
    "guests": {"type": "list", "elements": "str", "default": []},
    "run_id": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Does its work on the controller; whatever host the task is for is not even connected to."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The public key, and what was changed."""
        super().run(tmp, task_vars)
        _result, asked = self.validate_argument_spec(ARGUMENTS)
        files = lab_access.Files(Path(asked["directory"]), Path(asked["ssh_key"]), Path(asked["known_hosts"]))
        try:
            if self._task.check_mode:
                return self._result(files, self._plan(files, asked))
            with lab_access.locked(files.directory):
                change = self._plan(files, asked)
                lab_access.apply(files, asked["lab"], change)
            return self._result(files, change)
        except VirtperfError as error:
            raise AnsibleActionFail(str(error), result=error.facts) from None
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename}: {error.strerror}") from None

    @staticmethod
    def _plan(files: lab_access.Files, asked: dict[str, Any]) -> lab_access.Change:
        if asked["state"] == "absent":
            return lab_access.plan_absent(files, asked["guests"])
        return lab_access.plan_present(files, asked["host_keys"], asked["guests"])

    def _result(self, files: lab_access.Files, change: lab_access.Change) -> dict[str, Any]:
        result: dict[str, Any] = {
            "changed": bool(change.actions),
            "actions": change.actions,
            "public_key": lab_access.public_key(files),
        }
        if self._task.diff:
            header = str(files.known_hosts)
            result["diff"] = {"before_header": header, "before": change.text_before or ""}
            result["diff"] |= {"after_header": header, "after": change.text or ""}
        return result
