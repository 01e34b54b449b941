# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the study ``knobs`` ask for: which levels are compared, over which workloads."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.gone import GoneLevel, gone_levels
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.knob import Knob
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.settings import Settings, settings_with
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.workloads import WORKLOADS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

AUTO, ALL = "auto", "all"


@dataclass(frozen=True)
class Comparison:
    """A knob, or two crossed (``a,b``): its levels with all that they stand for, the baseline first.

    ``gone`` are levels that would be compared as well, if they were still there.
    """

    knob: str
    levels: Mapping[str, Settings]
    workloads: tuple[str, ...]
    gone: tuple[GoneLevel, ...] = ()

    @property
    def names(self) -> list[str]:
        """The knobs that it turns."""
        return self.knob.split(",")

    @property
    def baseline(self) -> str:
        """The level that the others are compared with."""
        return next(iter(self.levels))

    def cells(self) -> list[dict[str, str]]:
        """What it has figures of."""
        return self._cells(self.levels)

    def skipped(self) -> list[dict[str, Any]]:
        """Cells that it would have, each with its reason."""
        return [{"cell": cell, "reason": level.reason} for level in self.gone for cell in self._cells([level.level])]

    def _cells(self, levels: Iterable[str]) -> list[dict[str, str]]:
        return [
            {"knob": self.knob, "level": level, "workload": workload} for workload in self.workloads for level in levels
        ]


def comparisons(variables: Mapping[str, Any], host: Mapping[str, Any]) -> list[Comparison]:
    """All of them, each with a level to compare, or with those that are gone; PlanError."""
    workloads = _workloads(variables["knobs_workloads"])
    crossed = _crossed(variables["knobs_cross"])
    wanted = _wanted(variables["knobs_names"], bool(crossed))
    single = [_single(KNOBS[name], levels, workloads, host) for name, levels in wanted.items()]
    return single + [_pair(KNOBS[one], KNOBS[other], workloads, host) for one, other in crossed]


def _single(
    knob: Knob, variants: Sequence[str], workloads: Sequence[str] | None, host: Mapping[str, Any]
) -> Comparison:
    gone = gone_levels(knob, host)
    levels = [knob.baseline, *(level for level in variants if level not in gone)]
    return Comparison(
        knob.name,
        {level: settings_with({knob.name: level}) for level in levels},
        tuple(workloads or knob.workloads),
        tuple(gone[level] for level in variants if level in gone),
    )


def _pair(one: Knob, other: Knob, workloads: Sequence[str] | None, host: Mapping[str, Any]) -> Comparison:
    """All combinations of the levels that are there."""
    gone = (gone_levels(one, host), gone_levels(other, host))
    levels, missing = {}, []
    for pair in itertools.product(one.levels, other.levels):
        name = ",".join(pair)
        lost = [levels_gone[level] for levels_gone, level in zip(gone, pair, strict=True) if level in levels_gone]
        if lost:
            missing.append(GoneLevel(f"{one.name},{other.name}", name, lost[0].since, lost[0].replaced_by))
        else:
            levels[name] = settings_with({one.name: pair[0], other.name: pair[1]})
    both = dict.fromkeys([*one.workloads, *other.workloads])
    return Comparison(f"{one.name},{other.name}", levels, tuple(workloads or both), tuple(missing))


def _wanted(raw: Any, is_crossed: bool) -> dict[str, list[str]]:
    """The levels to compare with the baseline, by knob, in the order of the catalogue."""
    entries = _texts("knobs_names", raw)
    if entries == [AUTO]:
        entries = [] if is_crossed else [ALL]
    if entries == [ALL]:
        return {name: list(knob.variants) for name, knob in KNOBS.items() if knob.is_listed}
    found: dict[str, list[str]] = {}
    for entry in entries:
        name, equals, level = entry.partition("=")
        knob = _knob("knobs_names", name)
        if equals and level not in knob.variants:
            raise PlanError(
                f"knobs_names: {name} cannot be {level!r}. Allowed: {', '.join(knob.variants)}"
                f" (the baseline {knob.baseline} is always measured)"
            )
        levels = found.setdefault(name, [])
        levels += [one for one in ([level] if equals else knob.variants) if one not in levels]
    return {name: [level for level in KNOBS[name].variants if level in found[name]] for name in KNOBS if name in found}


def _crossed(raw: Any) -> list[tuple[str, str]]:
    """Pairs of knobs: a list of them, or one pair alone."""
    if (
        isinstance(raw, (list, tuple))
        and len(raw) == 2
        and all(isinstance(item, str) and "," not in item for item in raw)
    ):
        raw = [raw]
    elif isinstance(raw, str):
        raw = [raw] if raw.strip() else []
    if not isinstance(raw, (list, tuple)):
        raise PlanError(f"knobs_cross cannot be {raw!r}. Allowed: pairs of knobs, such as [[event_idx, poll_us]]")
    pairs = []
    for item in raw:
        names = _texts("knobs_cross", item)
        if len(set(names)) != 2 or len(names) != 2:
            raise PlanError(f"knobs_cross cannot have {item!r}. Allowed: two knobs each, such as [event_idx, poll_us]")
        one, other = (_knob("knobs_cross", name).name for name in names)
        if (one, other) in pairs or (other, one) in pairs:
            raise PlanError(f"knobs_cross has {one} and {other} twice. Allowed: each pair once")
        pairs.append((one, other))
    return pairs


def _workloads(raw: Any) -> list[str] | None:
    """Those named; None for those that each knob has of its own."""
    names = _texts("knobs_workloads", raw)
    if names == [AUTO]:
        return None
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown or not names or len(set(names)) != len(names):
        raise PlanError(
            f"knobs_workloads cannot be {raw!r}. Allowed: {AUTO} (each knob's own), or of these, each once:"
            f" {', '.join(WORKLOADS)}"
        )
    return names


def _knob(variable: str, name: str) -> Knob:
    if name not in KNOBS:
        raise PlanError(f"{variable}: there is no knob {name!r}. Allowed: {', '.join(KNOBS)}")
    return KNOBS[name]


def _texts(variable: str, raw: Any) -> list[str]:
    """A list, or a text with commas."""
    values = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, (str, int)) for value in values):
        raise PlanError(f"{variable} cannot be {raw!r}. Allowed: a list of names")
    return [text for text in (str(value).strip() for value in values) if text]
