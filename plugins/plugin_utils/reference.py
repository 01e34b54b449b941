# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement that the study ``reflect`` follows beside a run: its figures, ours, and what differs in the setup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.ledger import l1_mbps
from ansible_collections.virtperf.vhost.plugins.plugin_utils.facts import versions
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, Row
from ansible_collections.virtperf.vhost.plugins.plugin_utils.pins import pins_in_words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import level, listed

_FILE = Path(__file__).parent / "data" / "reflect_reference.yml"
STUDY = "reflect"
NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Figure:
    """Their rate in a cell, in Mbit/s on layer 1: from ``low`` to ``high``, for not all of its digits may be known."""

    low: float
    high: float
    shown: str
    packet_size: int

    @property
    def middle(self) -> float:
        """What ours is compared with."""
        return (self.low + self.high) / 2

    @property
    def pps(self) -> float:
        """The same in packets per second."""
        return self.middle / l1_mbps(1.0, self.packet_size)


@dataclass(frozen=True, slots=True)
class Pair:
    """One cell: their figure, or None where it is not known, and our median in Mbit/s and packets per second."""

    theirs: Figure | None
    our_l1_mbps: float | None
    our_pps: float | None

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs."""
        if self.theirs is None or self.our_l1_mbps is None:
            return None
        return self.our_l1_mbps / self.theirs.middle


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both tables in one, by row of the grid and packet size, and what differs: subject, theirs, ours."""

    source: str
    notes: Sequence[str]
    rows: Sequence[tuple[Row, Mapping[int, Pair]]]
    sizes: Sequence[int]
    differences: Sequence[tuple[str, str, str]]


@cache
def _data() -> Mapping[str, Any]:
    return yaml.safe_load(_FILE.read_text(encoding="utf-8"))


def compare_with_reference(grid: Grid, facts: Mapping[str, Any]) -> Comparison | None:
    """A grid of this study beside the reference; None for another study. ``facts`` are those of the grid's host."""
    if grid.study != STUDY:
        return None
    data = _data()
    rows = [row for row in grid.rows if row.factors["driver"] in data["drivers"]]
    notes = list(data["notes"])
    if not rows:
        notes.append(f"no row of this run has a driver of theirs: {', '.join(data['drivers'])}")
    records = [record for row in rows or grid.rows for cell in row.cells.values() for record in cell.counted]
    return Comparison(
        source=data["source"],
        notes=notes,
        rows=[(row, {size: _pair(data["figures"], row, size) for size in row.cells}) for row in rows],
        sizes=sorted({size for row in rows for size in row.cells}),
        differences=list(_differences(data["setup"], _our_setup(records, facts))),
    )


def _pair(figures: Iterable[Mapping[str, Any]], row: Row, size: int) -> Pair:
    cell = row.cells[size]
    rates = cell.rates
    return Pair(_figure(figures, row, size), cell.l1_mbps, rates.median if rates else None)


def _figure(figures: Iterable[Mapping[str, Any]], row: Row, size: int) -> Figure | None:
    for figure in figures:
        fits = figure["packet_size"] == size if "packet_size" in figure else size >= figure["from_packet_size"]
        if fits and all(figure.get(name, row.factors[name]) == row.factors[name] for name in ("driver", "queues")):
            return Figure(figure["low"], figure["high"], figure["shown"], size)
    return None


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for subject, their_word in theirs.items():
        our_word = ours.get(subject) or NOT_KNOWN
        if our_word != their_word:
            yield subject, their_word or NOT_KNOWN, our_word


def _our_setup(records: Sequence[Record], facts: Mapping[str, Any]) -> dict[str, str]:
    """In the words of the data file, from what was observed where it was, else from what was asked for."""
    programs = {words.partition(" ")[0]: words.partition(" ")[2] for words in versions(facts)}
    trials = sorted({round(float(record.raw["duration_s"]), 1) for record in records})
    speeds = _told(record.observed.get("link_speed_mbps") for record in records)
    guests_dpdk = _told(_guests_dpdk(record) for record in records)
    paced = any(record.asked.get("generator") == "pktgen" for record in records)
    rate = f"{speeds} Mbit/s on layer 1, the speed of pktgen's link" if paced else "none, it sends all it can"
    return {
        "accelerator": _told(record.observed.get("accel") for record in records) or "none: no guest",
        "place of the generator": _told(_generator_place(record) for record in records),
        "generator": _told(record.asked.get("generator") for record in records),
        "reflector": _told(_reflector(record) for record in records),
        "rate the generator holds to": rate,
        "vCPUs on CPUs": _told(pins_in_words(record.observed.get("pins")) for record in records),
        "drivers": _told(record.cell["driver"] for record in records),
        "queues": _told(record.cell["queues"] for record in records),
        "links": _told(record.asked.get("links") for record in records),
        "packet sizes": _told(record.cell["packet_size"] for record in records),
        "length of a trial": listed([f"{seconds:g} s" for seconds in trials]),
        "ring size": _told(record.observed.get("ring_size") for record in records),
        "forwarding cores": _told(record.asked.get("forwarding_cores") for record in records),
        "processor": str((facts.get("cpus") or {}).get("model") or ""),
        "DPDK": listed(dict.fromkeys(word for word in (programs.get("DPDK"), guests_dpdk) if word)),
        "QEMU": _told(record.observed.get("qemu") for record in records) or programs.get("QEMU", ""),
    }


def _guests_dpdk(record: Record) -> str | None:
    """The version inside a guest, which brings its own."""
    if record.asked.get("place") != "guest":
        return None
    found = [(record.observed.get(end) or {}).get("version") for end in record.cpu if end != "vswitch"]
    return next((f"{version.removeprefix('DPDK ')} in the guest" for version in found if version), None)


def _generator_place(record: Record) -> str | None:
    if record.asked.get("direction") == "far_end":
        return "host"
    return record.asked.get("place")


def _reflector(record: Record) -> str | None:
    if record.asked.get("direction") == "vswitch":
        return "testpmd on the host"
    return f"the far end, driver {record.cell['driver']}"


def _told(values: Iterable[Any]) -> str:
    """Each value once, in order, numbers by size; what is not known is left out."""
    found = list(dict.fromkeys(value for value in values if value not in (None, "")))
    if all(isinstance(value, int) for value in found):
        found.sort()
    return listed([level(value) for value in found], 8)
