# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the trials, and what a resumed run of the study ``knobs`` still has to measure.

What is compared stands side by side, and in random order: drift hits both. All knobs have their first pair before one
has its second, in random order as well. The same seed gives the same order.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.done import Done

_STUDY = "knobs"
# A knob, a workload, and the number of the pair.
_Pair = tuple[str, str, int]


def seed_of(text: Any) -> int:
    """A whole number as it is; of any other text, such as a run's name, one that follows from it."""
    word = str(text).strip()
    if word.isascii() and word.isdigit() and len(word) < 10:
        return int(word)
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")


def remaining(
    boots: Sequence[Mapping[str, Any]], done: Sequence[Mapping[str, Any]], host: str, seed: Any
) -> list[dict[str, Any]]:
    """The boots with the trials that are to be taken, in order.

    A pair of which an earlier attempt at the same run has not all valid trials is taken as a whole: its halves would
    lie far apart. ``position`` is that in the whole boot, whatever is left out of it.
    """
    earlier = Done(done, host, _STUDY)
    missing = {
        _pair(trial)
        for boot in boots
        for trial in boot["trials"]
        if trial["trial"] not in earlier.numbers(trial["cell"])
    }
    number = seed_of(seed)
    left = []
    for boot in boots:
        trials = [trial for trial in in_order(boot, number) if _pair(trial) in missing]
        if trials:
            left.append({**boot, "seed": number, "trials": trials})
    return left


def in_order(boot: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:
    """The trials of a boot in the order of a seed, with their positions from 1 on."""
    chance = random.Random(f"{seed}, boot {boot['number']}")
    rounds: dict[int, dict[_Pair, list[Mapping[str, Any]]]] = {}
    for trial in boot["trials"]:
        rounds.setdefault(trial["trial"], {}).setdefault(_pair(trial), []).append(trial)
    ordered: list[Mapping[str, Any]] = []
    for _number, by_pair in sorted(rounds.items()):
        pairs = list(by_pair.values())
        chance.shuffle(pairs)
        for pair in pairs:
            chance.shuffle(pair)
            ordered += pair
    return [{**trial, "position": position} for position, trial in enumerate(ordered, start=1)]


def _pair(trial: Mapping[str, Any]) -> _Pair:
    return (trial["cell"]["knob"], trial["cell"]["workload"], trial["trial"])
