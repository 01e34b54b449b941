# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records: what one trial measured, one JSON object a line, in ``trials.jsonl`` and in the files fetched from hosts.

A file is read strictly, but for lines that are no JSON: those its writer was stopped in the middle of, by a crash or a
full disk. They are left out, and that is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from sys import intern
from typing import Any, NoReturn

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

SCHEMA = 1


class RecordError(VirtperfError):
    """A line that is no record of the contract; names file, line and field."""


@dataclass(frozen=True, slots=True)
class Record:
    """One trial. ``raw`` is the JSON object as it stands in line ``line`` (from 1) of its file."""

    raw: Mapping[str, Any]
    line: int

    @property
    def host(self) -> str:
        """Name of the measured host, as the inventory has it."""
        return self.raw["host"]

    @property
    def study(self) -> str:
        """Name of the study."""
        return self.raw["study"]

    @property
    def cell(self) -> Mapping[str, Any]:
        """The factors' levels."""
        return self.raw["cell"]

    @property
    def trial(self) -> int:
        """Number of the trial within its cell, from 1."""
        return self.raw["trial"]

    @property
    def started_at(self) -> str:
        """ISO 8601, UTC, ending in Z: sorts as text."""
        return self.raw["started_at"]

    @property
    def valid(self) -> bool:
        """Whether what was measured is what was asked for."""
        return self.raw["valid"]

    @property
    def reasons(self) -> Sequence[str]:
        """Why the trial is not valid."""
        return self.raw["reasons"]

    @property
    def rx_pps(self) -> float:
        """Packets per second that came back, the rate everything else is derived from. Valid records only."""
        return float(self.raw["metrics"]["rx_pps"])

    def metric(self, name: str) -> float | None:
        """A number out of ``metrics``; None where it was not measured."""
        value = (self.raw.get("metrics") or {}).get(name)
        return None if value is None else float(value)

    @property
    def cpu(self) -> Mapping[str, float | None]:
        """By end (its role: vswitch, generator, reflector), the share of its forwarding cores' time in use, 0 to 1."""
        return self.raw.get("cpu") or {}

    def busy(self, end: str) -> float | None:
        """The share of its cores' time that an end (one of ``cpu``) spent on packets, 0 to 1; None if not known."""
        known = self.metric(f"{end}_busy_ratio")
        if known is None and end == "vswitch" and "reflector" not in self.cpu:
            # Where no end is called the reflector, the vswitch is the one.
            return self.metric("reflector_busy_ratio")
        return known

    @property
    def asked(self) -> Mapping[str, Any]:
        """The setup as it was asked for."""
        return self.raw.get("asked") or {}

    @property
    def observed(self) -> Mapping[str, Any]:
        """The setup as it was read back; may be nested."""
        return self.raw.get("observed") or {}

    @property
    def limit(self) -> str:
        """What limited the trial, by its own verdict. Valid records only."""
        return self.raw["verdict"]["limit"]

    @property
    def evidence(self) -> str:
        """Why its verdict says so."""
        return self.raw["verdict"]["evidence"]

    @property
    def absent(self) -> Mapping[str, str]:
        """Why counters are missing, by their names."""
        counters = self.raw.get("counters") or {}
        return counters.get("absent") or {}

    @property
    def samples(self) -> Sequence[tuple[float, float]]:
        """Pairs of seconds since the window opened and packets per second; empty where none were taken."""
        return self.raw.get("samples") or ()

    @property
    def series(self) -> str:
        """The file of samples that the trial is a part of, as its host calls it; "" where there is none."""
        return str(self.raw.get("series") or "")

    @property
    def timeline(self) -> Mapping[str, Any] | None:
        """When the phase began and ended, in seconds since its series did; None where it was not run."""
        return self.raw.get("timeline")

    @property
    def identity(self) -> tuple[str, str, str, int, str]:
        """Two lines with the same identity are two copies of one trial."""
        return (self.host, self.study, cell_key(self.cell), self.trial, self.started_at)


def cell_key(cell: Mapping[str, Any]) -> str:
    """The cell as text that is the same for the same factors, in whatever order they came."""
    return json.dumps(cell, sort_keys=True, separators=(",", ":"))


def read(path: Path, notes: list[str]) -> list[Record]:
    """All records of a file, in its order; what was left out is appended to ``notes``.

    Raises RecordError, and OSError where the file cannot be read.
    """
    return [record for _text, record in scan(path, notes)]


def scan(path: Path, notes: list[str]) -> Iterator[tuple[str, Record]]:
    """The file's lines, without their ends, each with its record; else like ``read``."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = parse(line, path, number)
            except TornLineError as error:
                notes.append(f"{error.what}, it seems cut off in the middle and is left out")
            else:
                yield line.decode().strip(), record


class TornLineError(RecordError):
    """The line holds no JSON value, as when it is half of one."""


def parse(line: bytes, path: Path, number: int) -> Record:
    """The record in ``line``, which is line ``number`` of ``path``; RecordError where it is none."""
    try:
        raw = json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=_with_shared_names)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TornLineError(f"{path}, line {number} is not JSON", found=str(error)) from error
    except _ConstantError as error:
        raise RecordError(f"{path}, line {number} holds what JSON has no number for", found=str(error)) from error
    try:
        _check(raw)
    except _FieldError as error:
        raise RecordError(
            f"{path}, line {number}, field {error.field}: must be {error.expected}",
            found=error.found,
            field=error.field,
            line=number,
            path=str(path),
        ) from error
    return Record(raw, number)


def _with_shared_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are those of all other records: json alone makes new ones for each line."""
    return {intern(name): value for name, value in pairs}


class _ConstantError(Exception):
    """NaN or Infinity, which Python would take for JSON."""


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


class _FieldError(Exception):
    def __init__(self, field: str, expected: str, found: str) -> None:
        super().__init__(field)
        self.field = field
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a field may hold: in words, and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or not value.endswith("Z"):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_number(value: Any) -> bool:
    # A comparison, because an int may be too large for math.isfinite. It is false for infinities (1e999) as well.
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_sample(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and _is_number(value[0]) and _is_number(value[1])


def _is_texts_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_guest(value: Any) -> bool:
    """One of the guests of a trial: its name, and numbers of which some are not known."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return False
    return all(number is None or _is_number(number) for name, number in value.items() if name != "name")


_TEXT = _Kind("a string that is not empty", lambda value: isinstance(value, str) and value != "")
_TEXTS = _Kind("a list of strings", lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value))
_COUNT = _Kind("a whole number from 1 on", _is_count)
_FLAG = _Kind("true or false", lambda value: isinstance(value, bool))
_OBJECT = _Kind("an object", lambda value: isinstance(value, dict))
_TIME = _Kind("a UTC time such as 2026-11-20T10:00:00Z", _is_time)
_RATE = _Kind("a number from 0 on", lambda value: _is_number(value) and value >= 0)
_NUMBERS = _Kind(
    "an object of numbers (null where one is not known)",
    lambda value: isinstance(value, dict) and all(v is None or _is_number(v) for v in value.values()),
)
_SAMPLES = _Kind(
    "a list of pairs [seconds, packets per second]",
    lambda value: isinstance(value, list) and all(_is_sample(v) for v in value),
)
_TIMELINE = _Kind(
    "an object with the numbers set_to_s and end_s",
    lambda value: isinstance(value, dict) and all(_is_number(value.get(name)) for name in ("set_to_s", "end_s")),
)

_COUNTERS = _Kind(
    "an object in which absent, if there, has a reason for each counter that is missing",
    lambda value: isinstance(value, dict) and (value.get("absent") is None or _is_texts_by_name(value["absent"])),
)
_GUESTS = _Kind("a list of objects with a name", lambda value: isinstance(value, list) and all(map(_is_guest, value)))

_IN_CELL: Mapping[str, Mapping[str, _Kind]] = {
    "reflect": {"driver": _TEXT, "queues": _COUNT, "packet_size": _COUNT},
    "throttle": {"workload": _TEXT, "layout": _TEXT, "phase": _TEXT},
    "knobs": {"knob": _TEXT, "level": _TEXT, "workload": _TEXT},
    "consolidate": {"policy": _TEXT, "guests": _COUNT, "workload": _TEXT},
}
# In a cell only where they have more than one level.
_MAY_BE_IN_CELL: Mapping[str, Mapping[str, _Kind]] = {
    "reflect": {
        "direction": _TEXT,
        "links": _COUNT,
        "forwarding_cores": _TEXT,
        "ring_size": _COUNT,
        "mrg_rxbuf": _FLAG,
        "in_order": _FLAG,
        "vectorized": _FLAG,
        "generator": _TEXT,
        "link_speed": _RATE,
        "burst": _COUNT,
    },
}
_STUDY = _Kind(f"one of {', '.join(_IN_CELL)}", lambda value: isinstance(value, str) and value in _IN_CELL)

_ALWAYS: Mapping[str, _Kind] = {
    "run_id": _TEXT,
    "study": _STUDY,
    "host": _TEXT,
    "cell": _OBJECT,
    "trial": _COUNT,
    "started_at": _TIME,
    "valid": _FLAG,
    "reasons": _TEXTS,
}
_WHEN_VALID: Mapping[str, _Kind] = {
    "duration_s": _RATE,
    "metrics": _NUMBERS,
    "cpu": _NUMBERS,
    "asked": _OBJECT,
    "observed": _OBJECT,
    "verdict": _OBJECT,
}
# May be absent or null. In an invalid record that holds for everything measured.
_OPTIONAL: Mapping[str, _Kind] = {
    "samples": _SAMPLES,
    "series": _TEXT,
    "timeline": _TIMELINE,
    "counters": _COUNTERS,
    "guests": _GUESTS,
}
_IN_VERDICT: Mapping[str, _Kind] = {"limit": _TEXT, "evidence": _TEXT}
_IN_METRICS: Mapping[str, Mapping[str, _Kind]] = {
    "reflect": {"rx_pps": _RATE},
    "throttle": {"received_mbps": _RATE},
    # What their workload is about may be one of several, and unknown: then it is a gap in a table, and told.
    "knobs": {},
    "consolidate": {},
}


def _check(raw: Any) -> None:
    """Raise _FieldError for the first field that breaks the contract."""
    if not isinstance(raw, dict):
        raise _FieldError("(all of it)", _OBJECT.words, _short(raw))
    if raw.get("schema") != SCHEMA:
        raise _FieldError("schema", f"{SCHEMA}, the only one this version reads", _short(raw.get("schema")))
    _check_fields(raw, _ALWAYS)
    _check_cell(raw["study"], raw["cell"])
    if raw["valid"]:
        _check_fields(raw, _WHEN_VALID)
        _check_fields(raw["metrics"], _IN_METRICS[raw["study"]], "metrics.")
        _check_fields(raw["verdict"], _IN_VERDICT, "verdict.")
    else:
        if not raw["reasons"]:
            raise _FieldError("reasons", "what made the trial invalid", "[]")
        _check_fields(raw, _WHEN_VALID, optional=True)
    _check_fields(raw, _OPTIONAL, optional=True)


def cell_fault(study: str, cell: Any) -> str:
    """What is wrong with a cell of a study, or nothing."""
    try:
        _check_fields({"study": study, "cell": cell}, {"study": _STUDY, "cell": _OBJECT})
        _check_cell(study, cell)
    except _FieldError as error:
        return f"{error.field} must be {error.expected}, not {error.found}"
    return ""


def _check_cell(study: str, cell: Any) -> None:
    _check_fields(cell, _IN_CELL[study], "cell.")
    _check_fields(cell, _MAY_BE_IN_CELL.get(study, {}), "cell.", optional=True)


def _check_fields(
    raw: Mapping[str, Any], kinds: Mapping[str, _Kind], prefix: str = "", *, optional: bool = False
) -> None:
    for name, kind in kinds.items():
        value = raw.get(name)
        if optional and value is None:
            continue
        if not kind.fits(value):
            found = _short(value) if name in raw else "nothing"
            raise _FieldError(prefix + name, kind.words, found)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
