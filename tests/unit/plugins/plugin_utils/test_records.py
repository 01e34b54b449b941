# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading records: what is taken, what is forgiven, and what is refused with file, line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import RecordError, cell_fault, cell_key, read
from ansible_collections.virtperf.vhost.tests.unit import consolidate_factory, knobs_factory
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def read_one(tmp_path: Path, raw: Any) -> Any:
    """The record out of a file with nothing else in it."""
    path = tmp_path / "trials.jsonl"
    path.write_text(raw if isinstance(raw, str) else f"{json.dumps(raw)}\n")
    (record,) = read(path, [])
    return record


def test_a_record_is_read_with_its_line(tmp_path: Path) -> None:
    path = make.write_records(tmp_path / "t.jsonl", [make.record(trial=n) for n in (1, 2)])
    path.write_text(f"\n{path.read_text()}")
    notes: list[str] = []
    records = read(path, notes)
    assert [(record.line, record.trial) for record in records] == [(2, 1), (3, 2)]
    assert not notes
    first = records[0]
    assert (first.host, first.study, first.valid) == ("localhost", "reflect", True)
    assert first.rx_pps == 15.2e6
    assert first.limit == "vswitch-cpu"
    assert first.cpu == {"vswitch": 0.99, "generator": 0.99}
    assert first.metric("no_such") is None


def test_an_invalid_record_may_lack_what_was_not_measured(tmp_path: Path) -> None:
    record = read_one(tmp_path, make.invalid("testpmd died"))
    assert not record.valid
    assert record.reasons == ["testpmd died"]
    assert record.cpu == {}
    assert list(record.samples) == []


def test_the_vswitch_is_the_reflector_where_no_end_is_called_that(tmp_path: Path) -> None:
    near = read_one(tmp_path, make.record())
    assert (near.busy("vswitch"), near.busy("generator")) == (0.97, None)
    far = read_one(tmp_path, make.record(ends=("vswitch", "reflector")))
    assert (far.busy("vswitch"), far.busy("reflector")) == (None, 0.97)


@pytest.mark.parametrize("ends_in_newline", [True, False])
def test_a_line_cut_off_in_the_middle_is_left_out_and_told(tmp_path: Path, ends_in_newline: bool) -> None:
    path = make.write_records(tmp_path / "t.jsonl", [make.record(trial=1), make.record(trial=2)])
    text = path.read_text()
    path.write_text(text[:-200] + ("\n" if ends_in_newline else ""))
    notes: list[str] = []
    assert [record.trial for record in read(path, notes)] == [1]
    (note,) = notes
    assert str(path) in note
    assert "line 2" in note
    assert "left out" in note


def test_what_a_resumed_run_wrote_after_a_torn_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"schema": 1, "run\n{json.dumps(make.record(trial=2))}\n')
    notes: list[str] = []
    assert [record.trial for record in read(path, notes)] == [2]
    assert len(notes) == 1


def test_bytes_of_a_crash_are_a_torn_line(tmp_path: Path) -> None:
    path = make.write_records(tmp_path / "t.jsonl", [make.record()])
    path.write_bytes(path.read_bytes() + b"\0\0\xff\0")
    notes: list[str] = []
    assert len(read(path, notes)) == 1
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"schema": 2}, "schema"),
        ({"run_id": ""}, "run_id"),
        ({"study": "throttled"}, "study"),
        ({"host": None}, "host"),
        ({"cell": []}, "cell"),
        ({"cell": {"driver": "x", "queues": "2", "packet_size": 64}}, "cell.queues"),
        ({"cell": {"driver": "x", "queues": 2}}, "cell.packet_size"),
        ({"trial": 0}, "trial"),
        ({"trial": True}, "trial"),
        ({"started_at": "2026-11-20T10:00:00"}, "started_at"),
        ({"started_at": "yesterdayZ"}, "started_at"),
        ({"valid": 1}, "valid"),
        ({"reasons": "none"}, "reasons"),
        ({"valid": False}, "reasons"),
        ({"duration_s": -1}, "duration_s"),
        ({"metrics": {}}, "metrics.rx_pps"),
        ({"metrics": {"rx_pps": 1, "tx_pps": "fast"}}, "metrics"),
        ({"metrics": {"rx_pps": 10**400}}, "metrics"),
        ({"cpu": None}, "cpu"),
        ({"observed": None}, "observed"),
        ({"verdict": {"limit": "vswitch-cpu"}}, "verdict.evidence"),
        ({"samples": [[0.1]]}, "samples"),
        ({"series": 7}, "series"),
        ({"timeline": {"set_to_s": 1.0}}, "timeline"),
        ({"timeline": []}, "timeline"),
    ],
)
def test_a_broken_field_is_named_with_file_and_line(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    with pytest.raises(RecordError) as caught:
        read_one(tmp_path, make.record() | change)
    assert f"trials.jsonl, line 1, field {field}:" in str(caught.value)
    assert caught.value.facts["field"] == field


def test_a_record_that_is_no_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="line 1"):
        read_one(tmp_path, "[1, 2]\n")


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(tmp_path: Path, number: str) -> None:
    with pytest.raises(RecordError, match="line 1"):
        read_one(tmp_path, json.dumps(make.record()).replace("0.41", number) + "\n")


def test_a_cell_is_the_same_in_whatever_order() -> None:
    assert cell_key({"a": 1, "b": True}) == cell_key({"b": True, "a": 1})
    assert cell_key({"a": 1}) != cell_key({"a": True})


def test_a_wrong_cell_is_told() -> None:
    assert cell_fault("reflect", make.cell()) == ""
    assert "cell.queues" in cell_fault("reflect", make.cell() | {"queues": 0})
    assert "study" in cell_fault("nothing", make.cell())
    assert "cell" in cell_fault("reflect", None)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"links": 2, "generator": "pktgen", "link_speed": 0, "in_order": False}, ""),
        ({"links": 0}, "cell.links must be a whole number from 1 on, not 0"),
        ({"generator": ""}, 'cell.generator must be a string that is not empty, not ""'),
        ({"link_speed": -1}, "cell.link_speed must be a number from 0 on, not -1"),
        ({"mrg_rxbuf": 1}, "cell.mrg_rxbuf must be true or false, not 1"),
    ],
)
def test_factors_that_only_some_cells_have(more: dict[str, Any], fault: str) -> None:
    assert cell_fault("reflect", make.cell("igb_uio", **more)) == fault


@pytest.mark.parametrize(
    ("study", "cell", "fault"),
    [
        ("knobs", knobs_factory.cell(), ""),
        (
            "knobs",
            {"knob": "vhost", "level": "", "workload": "tcp_rr"},
            "cell.level must be a string that is not empty",
        ),
        (
            "knobs",
            {"knob": "queues", "level": 2, "workload": "tcp_rr"},
            "cell.level must be a string that is not empty",
        ),
        ("knobs", {"knob": "vhost", "level": "on"}, "cell.workload must be"),
        ("consolidate", consolidate_factory.cell(), ""),
        ("consolidate", consolidate_factory.cell(guests=0), "cell.guests must be a whole number from 1 on"),
        ("consolidate", {"guests": 1, "workload": "nginx"}, "cell.policy must be"),
    ],
)
def test_cells_of_comparisons(study: str, cell: dict[str, Any], fault: str) -> None:
    found = cell_fault(study, cell)
    assert found.startswith(fault) if fault else found == ""


def test_records_of_comparisons(tmp_path: Path) -> None:
    record = read_one(tmp_path, knobs_factory.record(absent={"exits": "no tracepoint"}))
    assert record.absent == {"exits": "no tracepoint"}
    assert record.metric("received_mbps") is None
    assert read_one(tmp_path, knobs_factory.record(counters=None)).absent == {}
    assert read_one(tmp_path, knobs_factory.invalid()).absent == {}
    assert len(read_one(tmp_path, consolidate_factory.record()).raw["guests"]) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"counters": []}, "counters"),
        ({"counters": {"absent": ["exits"]}}, "counters"),
        ({"counters": {"absent": {"exits": None}}}, "counters"),
        ({"guests": {}}, "guests"),
        ({"guests": [{"mbps": 1.0}]}, "guests"),
        ({"guests": [{"name": "guest1", "mbps": "fast"}]}, "guests"),
    ],
)
def test_broken_fields_of_comparisons(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    with pytest.raises(RecordError, match=f"field {field}: must be"):
        read_one(tmp_path, knobs_factory.record() | change)


def test_names_are_shared_by_all_records(tmp_path: Path) -> None:
    path = make.write_records(tmp_path / "t.jsonl", [knobs_factory.record(trial=n) for n in (1, 2)])
    one, other = (sorted(record.raw["metrics"]) for record in read(path, []))
    assert all(name is same for name, same in zip(one, other, strict=True))
