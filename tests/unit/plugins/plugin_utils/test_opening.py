# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is opened once, and taken up again only if it is the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.opening import Opened, open_run
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir, RunDirError
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make

STUDIES = {"reflect": make.definition([make.cell()])}


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run that is not there yet."""
    return RunDir(tmp_path / "results" / make.RUN_ID)


def opened(run: RunDir, studies: Any = None, hosts: tuple[str, ...] = ("localhost",), **arguments: Any) -> Opened:
    """Open it with little need for space."""
    return open_run(run, STUDIES if studies is None else studies, hosts, 1, **arguments)


def test_a_new_run(run: RunDir) -> None:
    result = opened(run)
    assert (result.changed, result.resumed, result.done) == (True, False, [])
    manifest = json.loads(run.manifest.read_text())
    assert manifest["studies"] == STUDIES
    assert manifest["hosts"] == ["localhost"]
    assert sorted(os.listdir(run.path)) == ["hosts", "manifest.json", "samples"]


def test_check_mode_writes_nothing(run: RunDir) -> None:
    assert opened(run, dry=True).changed
    assert not run.path.parent.exists()
    opened(run)
    before = run.manifest.read_text()
    again = opened(run, hosts=("localhost", "new"), dry=True)
    assert (again.changed, again.resumed) == (True, True)
    assert run.manifest.read_text() == before


def test_the_same_again_is_resumed_and_tells_what_is_done(run: RunDir) -> None:
    opened(run)
    make.write_records(run.trials, [make.record(trial=1), make.invalid(trial=2)])
    later = "2026-11-20T11:00:00Z"
    make.write_records(
        run.hosts / "localhost" / "reflect.jsonl",
        [make.record(trial=1), make.record(trial=2, started_at=later), make.invalid(of=make.cell(queues=2))],
    )
    result = opened(run)
    assert (result.changed, result.resumed) == (False, True)
    assert result.done == [
        {"host": "localhost", "study": "reflect", "cell": make.cell(), "valid_trials": 2, "trials": [1, 2]}
    ]


def test_a_torn_line_is_told(run: RunDir) -> None:
    opened(run)
    make.write_records(run.hosts / "localhost" / "reflect.jsonl", [make.record()])
    with (run.hosts / "localhost" / "reflect.jsonl").open("a") as file:
        file.write('{"schema":')
    assert len(opened(run).notes) == 1


def test_another_definition_is_refused_and_leaves_the_run_alone(run: RunDir) -> None:
    opened(run)
    before = run.manifest.read_text()
    with pytest.raises(RunDirError) as caught:
        opened(run, {"reflect": STUDIES["reflect"] | {"trials": 5, "burst": 64}})
    message = str(caught.value)
    assert "reflect.trials: 3 -> 5" in message
    assert "reflect.burst: (nothing) -> 64" in message
    assert "another run_id" in message
    assert caught.value.facts["differences"] == ["reflect.trials: 3 -> 5", "reflect.burst: (nothing) -> 64"]
    assert run.manifest.read_text() == before


def test_new_hosts_are_added(run: RunDir) -> None:
    opened(run, hosts=("a", "b"))
    assert opened(run, hosts=("b", "c")).changed
    assert json.loads(run.manifest.read_text())["hosts"] == ["a", "b", "c"]


def test_a_strangers_directory_is_left_alone(run: RunDir) -> None:
    run.path.mkdir(parents=True)
    (run.path / "thesis.txt").touch()
    with pytest.raises(RunDirError, match=r"no manifest\.json"):
        opened(run)
    assert os.listdir(run.path) == ["thesis.txt"]


def test_too_little_space_is_found_before_anything_is_made(run: RunDir) -> None:
    with pytest.raises(RunDirError, match="too little space"):
        open_run(run, STUDIES, ["localhost"], 1e12)
    assert not run.path.parent.exists()


def test_what_was_made_is_removed_when_the_manifest_cannot_be_written(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: RunDir, *_arguments: object, before: bool) -> None:
        raise RunDirError(f"no, {before}")

    monkeypatch.setattr(RunDir, "write", fail)
    with pytest.raises(RunDirError, match="no, True"):
        opened(run)
    assert not run.path.exists()


@pytest.mark.parametrize(
    ("studies", "hosts", "words"),
    [
        ({}, ("a",), "nothing to measure"),
        (STUDIES, (), "nothing to measure"),
        ({"reflect": 1}, ("a",), "reflect is no dictionary"),
        ({"reflect": {"trials": 1}}, ("a",), "reflect.cells is no list"),
        ({"reflect": make.definition(trials=0)}, ("a",), "reflect.trials is 0"),
        ({"reflect": make.definition([{"driver": "x"}])}, ("a",), "cell.queues must be"),
        ({"reflect": make.definition(skipped=[{"reason": "r"}])}, ("a",), "cell must be an object"),
        ({"unknown": make.definition()}, ("a",), "study must be one of reflect"),
        ({"reflect": make.definition(burst={1, 2})}, ("a",), "what JSON cannot"),
    ],
)
def test_definitions_that_cannot_be_used(run: RunDir, studies: Any, hosts: tuple[str, ...], words: str) -> None:
    with pytest.raises(RunDirError, match=words):
        opened(run, studies, hosts)
    assert not run.path.exists()
