# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that measures for long runs in the background, and a line of progress is shown meanwhile."""

from __future__ import annotations

import json
import shlex
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.plugin_utils.progress_line import progress_line

# A line at least every 5 s is promised; a look takes a few milliseconds on the host under measurement.
_LOOK_EVERY_S = 4.0
_FIRST_LOOKS_S = 0.5
# How much longer than its own estimate the module may take before it counts as lost.
_SLACK = 3.0
_SLACK_S = 600.0
_SEPARATOR = "--- next ---"
_RECORDS_KEPT = "Its records so far are on the host; the same run_id again takes what is missing"


class FollowedAction(ActionBase):
    """Runs the module of the action's name; what is shown comes from the status file that it keeps on the host."""

    _supports_check_mode = True
    _supports_async = False
    # The module's name, as errors have it.
    module = ""

    def expected_s(self) -> float:
        """How long it should take by its arguments, in seconds."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One module call, however long."""
        super().run(tmp, task_vars)
        if self._task.check_mode:
            checked: dict[str, Any] = self._execute_module(task_vars=task_vars)
            return checked
        # What an earlier call left there would pass for this one's until a slow host has got around to its own.
        self._low_level_execute_command(f"rm -f {shlex.quote(_status_file())}")
        # Async is how Ansible leaves a module running without a connection held open.
        self._task.async_val = int(self._longest_s())
        job: dict[str, Any] = self._execute_module(task_vars=task_vars, wrap_async=True)
        if job.get("failed") or "ansible_job_id" not in job:
            return job
        try:
            return self._follow(job, task_vars)
        finally:
            self._task.async_val = 0

    def _follow(self, job: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        host = str((task_vars or {}).get("inventory_hostname", ""))
        show_host = len((task_vars or {}).get("ansible_play_hosts", [])) > 1
        limit_s = time.monotonic() + self._longest_s()
        status: dict[str, Any] = {}
        shown, shown_s, pause_s = "", 0.0, _FIRST_LOOKS_S
        before, since_s = status, time.monotonic()
        while time.monotonic() < limit_s:
            time.sleep(pause_s)
            status, result, alive = self._look(str(job["results_file"]), int(status.get("pid", 0)))
            # A job's file holds "started" until the module's own result replaces it.
            if result and "started" not in result:
                return self._collect(job, task_vars)
            if not alive:
                raise AnsibleActionFail(
                    f"{self.module} was ended on {host}, its last words were {shown!r}. {_RECORDS_KEPT}"
                )
            if status != before:
                before, since_s = status, time.monotonic()
            line = progress_line(_aged(status, time.monotonic() - since_s)) if status else ""
            if line and (line != shown or time.monotonic() - shown_s >= _LOOK_EVERY_S):
                Display().display(f"{host}: {line}" if show_host else line)
                shown, shown_s = line, time.monotonic()
            pause_s = min(_LOOK_EVERY_S, max(_FIRST_LOOKS_S, float(status.get("left_s", _FIRST_LOOKS_S))))
        raise AnsibleActionFail(
            f"{self.module} on {host} has not ended after {self._longest_s():.0f} s, its last words were {shown!r}."
            f" {_RECORDS_KEPT}"
        )

    def _look(self, results_file: str, pid: int) -> tuple[dict[str, Any], dict[str, Any], bool]:
        """The status file and the job's result, {} for what is not there yet, and whether the process still runs."""
        status_file = shlex.quote(_status_file())
        alive = f"test -d /proc/{pid} && echo alive" if pid else "echo alive"
        # First whether it runs, then its result: the other way round it could end in between.
        looked = self._low_level_execute_command(
            f"{alive}; echo '{_SEPARATOR}'; cat {status_file} 2>/dev/null; echo '{_SEPARATOR}';"
            f" cat {shlex.quote(results_file)} 2>/dev/null"
        )
        runs, status, result = (*str(looked.get("stdout", "")).split(_SEPARATOR), "", "", "")[:3]
        return _json(status), _json(result), "alive" in runs

    def _collect(self, job: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """The module's own result, and its file on the host removed."""
        arguments = {"jid": job["ansible_job_id"], "_async_dir": job["results_file"].rpartition("/")[0]}
        results: list[dict[str, Any]] = []
        for mode in ("status", "cleanup"):
            results.append(
                self._execute_module(
                    module_name="ansible.legacy.async_status",
                    module_args={**arguments, "mode": mode},
                    task_vars=task_vars,
                )
            )
        result = results[0]
        for key in ("ansible_job_id", "started", "finished", "results_file", "stdout", "stdout_lines"):
            result.pop(key, None)
        if not result.get("failed") and "records" not in result:
            raise AnsibleActionFail(f"{self.module} ended without a result: {result}")
        return result

    def _longest_s(self) -> float:
        return _SLACK * self.expected_s() + _SLACK_S


def _status_file() -> str:
    return f"{Host().run}/status.json"


def _aged(status: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The status so many seconds after it was first seen: a phase may be long, and says nothing of itself meanwhile."""
    left_s = status.get("left_s")
    return {**status, "left_s": max(0.0, left_s - seconds)} if isinstance(left_s, (int, float)) else status


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
