# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of records out of many, without losing or doubling any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils.merge import merge_records
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import RecordError
from ansible_collections.virtperf.vhost.plugins.plugin_utils.run_dir import RunDir
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """An empty run."""
    run = RunDir(tmp_path / make.RUN_ID)
    run.create()
    return run


def test_hosts_one_after_the_other(run: RunDir) -> None:
    for host in ("b", "a"):
        make.write_records(run.hosts / host / "reflect.jsonl", [make.record(host=host, trial=n) for n in (1, 2)])
    lines, records = merge_records(run, [])
    assert [(record.line, record.host, record.trial) for record in records] == [
        (1, "a", 1),
        (2, "a", 2),
        (3, "b", 1),
        (4, "b", 2),
    ]
    assert [json.loads(line) for line in lines] == [record.raw for record in records]


def test_lines_are_taken_over_as_they_are(run: RunDir) -> None:
    text = json.dumps(make.record(), sort_keys=True, separators=(",", ":"))
    path = run.hosts / "a" / "reflect.jsonl"
    path.parent.mkdir()
    path.write_text(text + "\n")
    assert merge_records(run, [])[0] == [text]


def test_a_trial_that_is_there_twice_is_taken_once(run: RunDir) -> None:
    twice = [make.record(), make.record(), make.record(started_at="2026-11-20T11:00:00Z")]
    make.write_records(run.hosts / "a" / "reflect.jsonl", twice)
    assert len(merge_records(run, [])[0]) == 2


def test_lines_keep_their_numbers_when_more_come(run: RunDir) -> None:
    make.write_records(run.hosts / "b" / "reflect.jsonl", [make.record(host="b")])
    lines, _records = merge_records(run, [])
    run.trials.write_text("".join(f"{line}\n" for line in lines))
    make.write_records(run.hosts / "a" / "reflect.jsonl", [make.record(host="a")])
    _lines, records = merge_records(run, [])
    assert [(record.line, record.host) for record in records] == [(1, "b"), (2, "a")]


def test_what_is_in_trials_only_is_kept(run: RunDir) -> None:
    make.write_records(run.trials, [make.record()])
    assert len(merge_records(run, [])[1]) == 1


def test_invalid_records_are_kept_beside_valid_ones(run: RunDir) -> None:
    records = [make.invalid(), make.record(started_at="2026-11-20T11:00:00Z")]
    make.write_records(run.hosts / "a" / "reflect.jsonl", records)
    assert [record.valid for record in merge_records(run, [])[1]] == [False, True]


def test_a_stranger_s_record_is_refused(run: RunDir) -> None:
    make.write_records(run.hosts / "a" / "reflect.jsonl", [make.record(run_id="other")])
    with pytest.raises(RecordError, match="line 1 belongs to another run"):
        merge_records(run, [])


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.booleans()), max_size=12))
def test_merging_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, trials: list[tuple[str, int, bool]]
) -> None:
    run = RunDir(tmp_path_factory.mktemp("merge") / make.RUN_ID)
    run.create()
    for host in {host for host, _trial, _valid in trials}:
        mine = [(make.record if valid else make.invalid)(host=host, trial=n) for h, n, valid in trials if h == host]
        make.write_records(run.hosts / host / "reflect.jsonl", mine)
    lines, records = merge_records(run, [])
    assert len({record.identity for record in records}) == len(records) == len({trial[:2] for trial in trials})
    run.trials.write_text("".join(f"{line}\n" for line in lines))
    assert merge_records(run, [])[0] == lines
