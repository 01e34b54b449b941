# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bpftrace prints when it ends (``-f json``): the maps of the program, taken apart by phase."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace_program import DROPS, FIGURES, PHASE

# From, to (both are in it), how many.
Bucket = tuple[int, int, int]


@dataclass
class Part:
    """One phase: histograms and counts by figure and thread id, drops by interface index, reason and function."""

    histograms: dict[str, dict[int, list[Bucket]]] = field(default_factory=dict)
    counts: dict[str, dict[int, int]] = field(default_factory=dict)
    drops: dict[tuple[int, int, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Maps:
    """``phases`` is how often the kernel saw the phase change; None where bpftrace did not come to print its maps."""

    phases: int | None
    parts: Mapping[int, Part]


def parse(lines: Iterable[str]) -> Maps:
    """From all that it printed. Lines that are none of ours are passed over."""
    phases: int | None = None
    parts: dict[int, Part] = {}
    for name, value in _maps(lines):
        if name == PHASE:
            phases = value if isinstance(value, int) else None
            continue
        figure = next((figure for figure in FIGURES if f"@{figure.name}" == name), None)
        if figure is None or not isinstance(value, dict):
            continue
        for key, content in value.items():
            phase, _comma, rest = str(key).partition(",")
            if phase.isdecimal():
                _add(parts.setdefault(int(phase), Part()), figure.name, figure.is_histogram, rest, content)
    return Maps(phases, parts)


def _maps(lines: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for line in lines:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict) and said.get("type") in ("map", "hist") and isinstance(said.get("data"), dict):
            yield from said["data"].items()


def _add(part: Part, name: str, is_histogram: bool, key: str, content: Any) -> None:
    if name == DROPS:
        words = key.split(",", 2)
        if len(words) > 2 and words[0].isdecimal() and words[1].isdecimal() and isinstance(content, int):
            part.drops[int(words[0]), int(words[1]), words[2]] = content
    elif not key.isdecimal():
        return
    elif is_histogram and isinstance(content, list):
        part.histograms.setdefault(name, {})[int(key)] = list(_buckets(content))
    elif not is_histogram and isinstance(content, int):
        part.counts.setdefault(name, {})[int(key)] = content


def _buckets(content: Iterable[Any]) -> Iterator[Bucket]:
    """Those with something in them."""
    for bucket in content:
        if isinstance(bucket, dict) and bucket.get("count"):
            low, count = bucket.get("min", 0), bucket["count"]
            high = bucket.get("max", low)
            if isinstance(low, int) and isinstance(high, int) and isinstance(count, int):
                yield low, high, count


def middle(buckets: Iterable[Bucket]) -> Bucket | None:
    """The bucket that the median is in."""
    known = sorted(buckets)
    left = (sum(count for _from, _to, count in known) + 1) // 2
    for bucket in known:
        left -= bucket[2]
        if left <= 0:
            return bucket
    return None
