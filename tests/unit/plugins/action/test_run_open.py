# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action run_open: arguments in, the run's directory out."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.virtperf.vhost.plugins.action.run_open import ARGUMENTS, ActionModule
from ansible_collections.virtperf.vhost.plugins.modules import run_open as documented
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options

DEFINITION = {"reflect": make.definition([make.cell()])}


def run_open(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    """The action's result."""
    task = MagicMock(
        args={"definition": DEFINITION, "hosts": ["localhost"], "min_free_mib": 1} | arguments,
        check_mode=check_mode,
        async_val=0,
    )
    action = ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    return action.run(task_vars={})


def test_a_new_run_gets_a_name_and_a_directory(tmp_path: Path) -> None:
    result = run_open(results_dir=str(tmp_path / "results"))
    assert result["changed"]
    assert result["run_dir"] == str(tmp_path / "results" / result["run_id"])
    assert (result["resumed"], result["done"], result["notes"]) == (False, [], [])
    assert Path(result["run_dir"], "manifest.json").exists()


def test_a_relative_directory_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_open(run_id="r1")["run_dir"] == str(tmp_path / "results" / "r1")


def test_the_same_run_id_resumes(tmp_path: Path) -> None:
    run_open(run_id="r1", results_dir=str(tmp_path))
    result = run_open(run_id="r1", results_dir=str(tmp_path))
    assert (result["changed"], result["resumed"]) == (False, True)


def test_check_mode_predicts(tmp_path: Path) -> None:
    result = run_open(check_mode=True, run_id="r1", results_dir=str(tmp_path / "results"))
    assert result["changed"]
    assert not (tmp_path / "results").exists()


def test_another_definition_fails_with_the_differences(tmp_path: Path) -> None:
    run_open(run_id="r1", results_dir=str(tmp_path))
    with pytest.raises(AnsibleActionFail, match="trials: 3 -> 4") as caught:
        run_open(
            run_id="r1", results_dir=str(tmp_path), definition={"reflect": make.definition([make.cell()], trials=4)}
        )
    assert caught.value.result["differences"] == ["reflect.trials: 3 -> 4"]


def test_a_full_disk_fails_with_what_is_free(tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="too little space") as caught:
        run_open(results_dir=str(tmp_path), min_free_mib=1e12)
    assert caught.value.result["free_mib"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"run_id": "../x"}, "run_id cannot be used"),
        ({"definition": "x"}, "dictionary requested"),
        ({"hosts": {}}, "hosts"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleActionFail, match=words):
        run_open(results_dir=str(tmp_path), **arguments)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    run_open(run_id="r1", results_dir=str(tmp_path))
    (tmp_path / "r1" / "trials.jsonl").mkdir()
    with pytest.raises(AnsibleActionFail, match=r"cannot read .*trials\.jsonl: Is a directory"):
        run_open(run_id="r1", results_dir=str(tmp_path))


def test_the_documentation_is_that_of_the_arguments() -> None:
    assert documented_options(documented.DOCUMENTATION) == ARGUMENTS
