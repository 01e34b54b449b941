# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time series on disk: JSON lines, readable up to its last whole line whatever happened to the one who wrote it.

The first line is an object: ``schema``, ``period_s``, ``started_at`` (UTC), ``columns`` ([kind, object, counter] each),
and what the writer adds. Each line after it is one sample, a list: microseconds since the start, microseconds it came
late, and for each column the difference to the number before it in that column (to 0 for the first), or null where it
could not be read. Differences, because most counters stand still most of the time and a 0 takes two bytes.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.source import Column, Reading

SCHEMA = 1
# Samples that are handed to the kernel at once: what a crash of ours can lose.
_FLUSH_EVERY = 10


class SeriesWriter:
    """Writes a series; a context manager."""

    def __init__(self, path: str, columns: Sequence[Column], about: Mapping[str, Any]) -> None:
        self.path = path
        self._last = [0] * len(columns)
        self._pending = 0
        try:
            self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115
            self._write({"schema": SCHEMA, **about, "columns": [list(column) for column in columns]})
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error

    def append(self, at_us: int, late_us: int, readings: Sequence[Reading]) -> None:
        """Add a sample; VirtperfError when the disk takes no more."""
        row: list[Reading] = [at_us, late_us]
        last = self._last
        for place, reading in enumerate(readings):
            if reading is None:
                row.append(None)
            else:
                row.append(reading - last[place])
                last[place] = reading
        try:
            self._write(row)
            self._pending += 1
            if self._pending >= _FLUSH_EVERY:
                self._file.flush()
                self._pending = 0
        except OSError as error:
            raise self._failure(error) from error

    def _write(self, value: Any) -> None:
        self._file.write(json.dumps(value, separators=(",", ":")) + "\n")

    def _failure(self, error: OSError) -> VirtperfError:
        return VirtperfError(
            f"samples cannot be written to {self.path}",
            found=str(error.strerror),
            way_out="make room there, or name a file that can be written",
        )

    def __enter__(self) -> SeriesWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:
            if error is None:
                raise self._failure(failure) from failure


@dataclass(frozen=True)
class Series:
    """A series in memory: ``values`` holds a list a column, each as long as ``times_s`` (seconds since the start)."""

    about: Mapping[str, Any]
    columns: Sequence[Column]
    times_s: Sequence[float]
    late_s: Sequence[float]
    values: Sequence[Sequence[Reading]]

    def column(self, kind: str, name: str, counter: str) -> Sequence[Reading]:
        """One column's numbers; none of them known where there is no such column."""
        try:
            return self.values[self.columns.index((kind, name, counter))]
        except ValueError:
            return [None] * len(self.times_s)

    def names(self, kind: str) -> list[str]:
        """The things of a kind that have columns."""
        return list(dict.fromkeys(name for of, name, _counter in self.columns if of == kind))

    def part(self, from_s: float, to_s: float) -> Series:
        """The samples between two instants, those at them included."""
        inside = slice(bisect_left(self.times_s, from_s), bisect_right(self.times_s, to_s))
        return Series(
            self.about,
            self.columns,
            self.times_s[inside],
            self.late_s[inside],
            [values[inside] for values in self.values],
        )


def read(path: str) -> Series:
    """Read a series; a last line that was torn off is left out. VirtperfError where the file is none."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        about = json.loads(lines[0])
        if about["schema"] != SCHEMA:
            raise ValueError(f"schema {about['schema']}, this version reads {SCHEMA}")
        columns: list[Column] = [(str(kind), str(name), str(counter)) for kind, name, counter in about.pop("columns")]
        rows = [json.loads(line) for line in lines[1:-1]]
        if any(len(row) != len(columns) + 2 for row in rows):
            raise ValueError("a sample with more or fewer numbers than there are columns")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VirtperfError(f"{path} is no time series", found=str(error)) from error
    return Series(
        about,
        columns,
        [row[0] / 1e6 for row in rows],
        [row[1] / 1e6 for row in rows],
        [_sums([row[place] for row in rows]) for place in range(2, len(columns) + 2)],
    )


def _sums(differences: Sequence[Reading]) -> list[Reading]:
    total = 0
    sums: list[Reading] = []
    for difference in differences:
        total += difference or 0
        sums.append(None if difference is None else total)
    return sums
