# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action report: arguments in, table and verdict on completeness out."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.virtperf.vhost.plugins.action.report import ARGUMENTS, ActionModule
from ansible_collections.virtperf.vhost.plugins.modules import report as documented
from ansible_collections.virtperf.vhost.plugins.plugin_utils import figures
from ansible_collections.virtperf.vhost.plugins.plugin_utils.opening import open_run
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """A run of one cell that lacks two of three trials."""
    monkeypatch.setattr(figures, "plotly_script", lambda: "/* plotly.js */")
    run = RunDir(tmp_path / make.RUN_ID)
    open_run(run, {"reflect": make.definition([make.cell()])}, ["localhost"], 1)
    make.write_records(run.hosts / "localhost" / "reflect.jsonl", [make.record(), make.invalid("died", trial=2)])
    return run


def report(run: RunDir, check_mode: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
    """The action's result."""
    task = MagicMock(
        args={"run_id": run.run_id, "results_dir": str(run.path.parent)} | arguments,
        check_mode=check_mode,
        diff=diff,
        async_val=0,
    )
    action = ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    return action.run(task_vars={})


def test_what_comes_back(run: RunDir) -> None:
    result = report(run, failures=["localhost: measure: died"])
    assert (result["changed"], result["complete"]) == (True, False)
    assert result["incomplete_cells"] == [
        {
            "host": "localhost",
            "study": "reflect",
            "cell": make.cell(),
            "valid": 1,
            "wanted": 3,
            "reasons": ["trial 2: died", "1 of 3 trials not measured"],
        }
    ]
    assert result["table_lines"] == result["table"].splitlines() == run.table.read_text().splitlines()
    assert result["table_lines"][0] == "FAILED  localhost: measure: died"
    assert {name for name, path in result["paths"].items() if Path(path).exists()} == {
        "run_dir",
        "trials",
        "manifest",
        "table",
        "report",
    }
    assert "diff" not in result


def test_again_nothing_changes(run: RunDir) -> None:
    report(run)
    assert not report(run)["changed"]


def test_check_mode_and_diff(run: RunDir) -> None:
    result = report(run, check_mode=True, diff=True)
    assert result["changed"]
    assert not run.table.exists()
    assert result["diff"]["before"] == ""
    assert result["diff"]["after"] == result["table"]


def test_without_plotly_the_table_is_shown_all_the_same(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise figures.PlotlyError("plotly is missing", way_out="pip install plotly")

    monkeypatch.setattr(figures, "load_plotly", absent)
    with pytest.raises(AnsibleActionFail, match="pip install plotly") as caught:
        report(run)
    assert "Mpps" in caught.value.result["table"]
    assert caught.value.result["complete"] is False


def test_a_broken_record_is_named(run: RunDir) -> None:
    make.write_records(run.hosts / "localhost" / "reflect.jsonl", [make.record(trial=0)])
    with pytest.raises(AnsibleActionFail, match=r"reflect\.jsonl, line 1, field trial"):
        report(run)


def test_no_such_run(run: RunDir) -> None:
    with pytest.raises(AnsibleActionFail, match="there is no run nothing"):
        report(run, run_id="nothing")
    with pytest.raises(AnsibleActionFail, match="run_id cannot be used"):
        report(run, run_id="../up")


def test_the_documentation_is_that_of_the_arguments() -> None:
    assert documented_options(documented.DOCUMENTATION) == ARGUMENTS


def test_the_reference_on_request(run: RunDir) -> None:
    assert "theirs:" not in report(run)["table"]
    assert "theirs:" in report(run, reference="yes")["table"]
