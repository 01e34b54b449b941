# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How numbers and cells are put into words, the same in the table, the report and every message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Factors that stand in every cell, in the order they are read in; further ones follow.
_FIRST_FACTORS = ("driver", "queues")


def mpps(pps: float) -> str:
    """15.20 for 15,200,000 packets per second."""
    return f"{pps / 1e6:.2f}"


def mpps_range(values: Sequence[float]) -> str:
    """15.20 Mpps, or 15.20 to 15.40 Mpps, for packets per second."""
    low, high = mpps(min(values)), mpps(max(values))
    return f"{low} Mpps" if low == high else f"{low} to {high} Mpps"


def mbits(mbps: float) -> str:
    """10,214 for Mbit/s."""
    return f"{mbps:,.0f}"


def rate(mbps: float) -> str:
    """Mbit/s with three digits that tell, for rates that lie orders of magnitude apart: 1,234, 81.2, 0.52, < 0.01."""
    if 0 < mbps < 0.005:
        return "< 0.01"
    return f"{mbps:,.0f}" if mbps >= 99.95 else f"{mbps:.1f}" if mbps >= 9.995 else f"{mbps:.2f}"


def percent(ratio: float) -> str:
    """97 % for 0.97, 1.2 % for 0.012, < 0.1 % for less."""
    value = 100 * ratio
    if 0 < value < 0.1:
        return "< 0.1 %"
    return f"{value:.2g} %" if abs(value) < 9.95 else f"{value:.0f} %"


def count(number: int, noun: str) -> str:
    """1 cell, 2 cells."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(items: Iterable[str], most: int = 5, between: str = ", ") -> str:
    """The items with commas; beyond ``most`` only how many more there are."""
    items = list(items)
    if len(items) <= most:
        return between.join(items)
    return f"{between.join(items[:most])} and {len(items) - most} more"


def level(value: Any) -> str:
    """A factor's level, or any other small JSON value, as a person writes it."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(level(item) for item in value)
    return json.dumps(value)


def factor_name(name: str) -> str:
    """ring_size is read as ring size."""
    return one_line(name.replace("_", " "))


def row_factors(cell: Mapping[str, Any]) -> list[str]:
    """The factors that go down a table, in reading order; the packet size goes across."""
    rest = [name for name in cell if name not in _FIRST_FACTORS and name != "packet_size"]
    return [name for name in _FIRST_FACTORS if name in cell] + sorted(rest)


def row_label(cell: Mapping[str, Any]) -> str:
    """virtio_user_packed, 2 queues, ring size 256: the cell without its packet size."""
    return f"{level(cell['driver'])}, {rest_label(cell)}"


def rest_label(cell: Mapping[str, Any]) -> str:
    """2 queues, ring size 256: the cell without its driver and packet size."""
    rest = (name for name in row_factors(cell) if name != "driver")
    return ", ".join(
        count(cell[name], "queue") if name == "queues" else f"{factor_name(name)} {level(cell[name])}" for name in rest
    )


def cell_label(cell: Mapping[str, Any]) -> str:
    """virtio_user_packed, 2 queues, 64 bytes; or iperf3, kthread, throttled; or what another study's cell is called."""
    if "phase" in cell:
        return f"{timeline_label(cell)}, {level(cell['phase'])}"
    if "knob" in cell:
        return f"{knob_label(cell)}, {level(cell['workload'])}"
    if "policy" in cell:
        return f"{level(cell['workload'])}, {level(cell['policy'])}, {count(cell['guests'], 'guest')}"
    return f"{row_label(cell)}, {cell['packet_size']} bytes"


def timeline_label(cell: Mapping[str, Any]) -> str:
    """iperf3, kthread: what a cell of the study throttle shares with the other phases of its timeline."""
    return f"{level(cell['workload'])}, {level(cell['layout'])}"


def knob_label(cell: Mapping[str, Any]) -> str:
    """event_idx=off, or event_idx=off,vectors=0 of two that are crossed."""
    knobs, levels = level(cell["knob"]).split(","), level(cell["level"]).split(",")
    if len(knobs) != len(levels):
        return f"{level(cell['knob'])}={level(cell['level'])}"
    return ",".join(f"{knob}={at}" for knob, at in zip(knobs, levels, strict=True))


def cells_label(cells: Sequence[Mapping[str, Any]]) -> str:
    """virtio_user_packed, 2 queues, 64 bytes (and 5 more cells)."""
    more = f" (and {count(len(cells) - 1, 'more cell')})" if len(cells) > 1 else ""
    return cell_label(cells[0]) + more


def one_line(text: str, width: int = 0) -> str:
    """The text with nothing in it that a terminal obeys; cut to ``width`` characters, if given."""
    words = " ".join(text.split())
    clean = "".join(character if character.isprintable() else "?" for character in words)
    if width and len(clean) > width:
        return f"{clean[: max(width - 3, 0)]}..."
    return clean
