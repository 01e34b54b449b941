# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest, and in what two definitions differ."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils import manifest
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir, RunDirError
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make

ROOT = Path(__file__).resolve().parents[4]


def run_in(tmp_path: Path) -> RunDir:
    """A run's directory without a manifest."""
    run = RunDir(tmp_path / make.RUN_ID)
    run.create()
    return run


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    new = manifest.new_manifest(run.run_id, {"reflect": make.definition()}, ["a", "b"])
    run.write(run.manifest, [manifest.manifest_bytes(new)])
    assert manifest.read_manifest(run) == new
    assert (new["status"], new["hosts"], new["finished_at"]) == ("open", ["a", "b"], None)


def test_a_checkout_has_the_version_of_its_galaxy_yml() -> None:
    assert manifest.tool_version() == yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]


def test_an_installed_collection_has_the_version_of_its_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "9.8.7"}}))
    monkeypatch.setattr(manifest, "_ROOT", tmp_path)
    assert manifest.tool_version.__wrapped__() == "9.8.7"


def test_no_such_run_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="no run at all"):
        manifest.read_manifest(RunDir(tmp_path / "x"))
    run = run_in(tmp_path)
    run.manifest.touch()
    with pytest.raises(RunDirError, match=make.RUN_ID):
        manifest.read_manifest(RunDir(tmp_path / "x"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not a results directory"),
        ("{", "cannot read"),
        ("[]", "schema 1"),
        ('{"schema": 7}', "found: 7"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, content: str | None, words: str) -> None:
    run = run_in(tmp_path)
    if content is not None:
        run.manifest.write_text(content)
    with pytest.raises(RunDirError, match=words):
        manifest.read_manifest(run)


def test_hashes_of_what_came_from_hosts(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    (run.hosts / "a").mkdir()
    (run.hosts / "a" / "reflect.jsonl").write_bytes(b"x")
    run.table.touch()
    assert manifest.hash_files(run) == {"hosts/a/reflect.jsonl": hashlib.sha256(b"x").hexdigest()}


def test_a_definition_is_compared_as_json_has_it() -> None:
    assert manifest.plain({"a": (1, 2), 3: None}) == {"a": [1, 2], "3": None}
    with pytest.raises(TypeError):
        manifest.plain({"a": {1, 2}})
    with pytest.raises(ValueError, match="JSON"):
        manifest.plain({"a": float("nan")})


CELLS = [{"queues": n} for n in range(5)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"r": {"trials": 3}}, {"r": {"trials": 5}}, ["r.trials: 3 -> 5"]),
        ({"r": {"a": 1}}, {"r": {"b": None}}, ["r.a: 1 -> (nothing)", "r.b: (nothing) -> null"]),
        ({"sizes": [64]}, {"sizes": [64, 128]}, ["sizes: [64] -> [64, 128]"]),
        ({"cells": CELLS}, {"cells": CELLS[2:]}, ['cells: 2 gone ({"queues": 0}, ...)']),
        ({"cells": CELLS[:1]}, {"cells": CELLS}, ['cells: 4 new ({"queues": 1}, ...)']),
        ({"cells": CELLS}, {"cells": CELLS[::-1]}, ["cells: in another order"]),
        ({"a": "x" * 100}, {"a": 1}, [f'a: "{"x" * 56}... -> 1']),
    ],
)
def test_differences_are_named(old: Any, new: Any, words: list[str]) -> None:
    assert list(manifest.differences(old, new)) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_there_are_differences_exactly_where_two_things_differ(old: Any, new: Any) -> None:
    assert bool(list(manifest.differences(old, new))) == (old != new)
    assert not list(manifest.differences(old, old))
