# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What trials were asked to run on, beside what they were found to run on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.facts import flatten, is_command
from ansible_collections.virtperf.vhost.plugins.plugin_utils.pins import pins_in_words
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import level, listed

# Settings that are observed as a negotiated virtio feature.
_FEATURES = {"mrg_rxbuf": "mrg_rxbuf", "in_order": "in_order", "packed": "ring_packed"}
# More different values than this are a factor's levels or noise; the records have them all.
_VALUES_AT_MOST = 6


@dataclass(frozen=True, slots=True)
class Value:
    """What was asked and what was observed together, in ``trials`` trials. Empty: nothing said about it."""

    asked: str
    observed: str
    trials: int

    @property
    def differs(self) -> bool:
        """Whether something else was observed than was asked for."""
        return bool(self.asked and self.observed) and self.asked != self.observed


@dataclass(frozen=True, slots=True)
class Setting:
    """One item of the setup, by its dotted name; ``more`` of its values are left out."""

    name: str
    values: Sequence[Value]
    more: int

    @property
    def is_command(self) -> bool:
        """Whether the values are command lines."""
        return is_command(self.name)


def compare(records: Iterable[Record]) -> list[Setting]:
    """Each setting of the trials, those that were asked for first."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    for record in records:
        # What is null was not asked for.
        wanted = {name: value for name, value in record.asked.items() if value is not None}
        asked, observed = dict(flatten(_with_pins(wanted))), _observed(record)
        for name in dict.fromkeys((*asked, *observed)):
            found.setdefault(name, Counter())[asked.get(name, ""), observed.get(name, "")] += 1
    settings = [_setting(name, pairs) for name, pairs in found.items()]
    return sorted(settings, key=lambda setting: not any(value.asked for value in setting.values))


def _with_pins(setup: Mapping[str, Any]) -> Mapping[str, Any]:
    """The setup with the pins of a VM's threads in words, for they are asked for by role and observed by thread."""
    return {**setup, "pins": pins_in_words(setup["pins"])} if setup.get("pins") else setup


def _observed(record: Record) -> dict[str, str]:
    """What was observed, by the names that it was asked for by."""
    observed = dict(flatten(_with_pins(record.observed)))
    features = record.observed.get("features")
    if isinstance(features, list):
        for name in _FEATURES.keys() & record.asked.keys():
            observed[name] = level(_FEATURES[name] in features)
    for end in record.cpu:
        asked_as = "vswitch_cpus" if end == "vswitch" else "far_end_cpus"
        if asked_as in record.asked and f"{end}.cpus" in observed:
            observed[asked_as] = observed.pop(f"{end}.cpus")
    return observed


def _setting(name: str, pairs: Mapping[tuple[str, str], int]) -> Setting:
    values = [Value(asked, observed, trials) for (asked, observed), trials in pairs.items()]
    if not is_command(name) and not any(value.differs for value in values):
        # Levels of a factor, all of them granted: one line says it.
        asked, observed = (_joined(filter(None, dict.fromkeys(side))) for side in zip(*pairs, strict=True))
        return Setting(name, [Value(asked, observed, sum(pairs.values()))], more=0)
    # What differs must not be what is left out.
    values.sort(key=lambda value: not value.differs)
    return Setting(name, values[:_VALUES_AT_MOST], more=max(len(values) - _VALUES_AT_MOST, 0))


def _joined(values: Iterable[str]) -> str:
    """The values with commas, or with semicolons where they are lists themselves."""
    values = list(values)
    return listed(values, _VALUES_AT_MOST, "; " if any(", " in value for value in values) else ", ")
