# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time series on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.series import Series, SeriesWriter, read
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Reading

COLUMNS = [("net", "tap0", "tx_bytes"), ("qdisc", "tap0", "backlog_bytes")]


def write(path: Path, rows: list[list[Reading]]) -> Series:
    with SeriesWriter(str(path), COLUMNS, {"period_s": 0.1}) as writer:
        for number, row in enumerate(rows):
            writer.append(number * 100_000, 7, row)
    return read(str(path))


@given(rows=st.lists(st.tuples(*[st.none() | st.integers(0, 2**63)] * 2).map(list), max_size=30))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[list[Reading]]) -> None:
    series = write(tmp_path_factory.getbasetemp() / "any.jsonl", rows)
    assert [list(row) for row in zip(*series.values, strict=True)] == rows
    assert series.times_s == [number / 10 for number in range(len(rows))]
    assert list(series.late_s) == [7e-6] * len(rows)
    assert series.about == {"schema": 1, "period_s": 0.1}


def test_counters_that_stand_still_take_no_room(tmp_path: Path) -> None:
    write(tmp_path / "s.jsonl", [[10**12, 5]] * 3)
    assert (tmp_path / "s.jsonl").read_text().splitlines()[1:] == [
        "[0,7,1000000000000,5]",
        "[100000,7,0,0]",
        "[200000,7,0,0]",
    ]


def test_what_a_crash_tore_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    write(path, [[1, 2], [3, 4]])
    path.write_text(path.read_text()[:-4])
    assert read(str(path)).values == [[1], [2]]


def test_samples_reach_the_disk_while_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    writer = SeriesWriter(str(path), COLUMNS, {})
    for number in range(10):
        writer.append(number, 0, [number, 0])
    assert len(read(str(path)).times_s) == 10


def test_parts_and_columns(tmp_path: Path) -> None:
    series = write(tmp_path / "s.jsonl", [[number, 0] for number in range(10)])
    part = series.part(0.2, 0.4)
    assert part.times_s == [0.2, 0.3, 0.4]
    assert part.column("net", "tap0", "tx_bytes") == [2, 3, 4]
    assert part.column("net", "tap9", "tx_bytes") == [None] * 3
    assert (series.names("net"), series.names("thread")) == (["tap0"], [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]\n",
        '{"columns": []}\n',
        '{"schema": 2, "columns": []}\n',
        '{"schema": 1, "columns": []}\n[1,2,3]\n',
        "{\n",
    ],
)
def test_what_is_no_series(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.jsonl").write_text(text)
    with pytest.raises(VirtperfError, match="is no time series"):
        read(str(tmp_path / "s.jsonl"))


def test_a_disk_that_takes_no_more_is_told() -> None:
    with pytest.raises(VirtperfError, match="samples cannot be written to /dev/full"):
        SeriesWriter("/dev/full", COLUMNS, {})
    with pytest.raises(VirtperfError, match="cannot be written"):
        SeriesWriter("/nowhere/s.jsonl", COLUMNS, {})
