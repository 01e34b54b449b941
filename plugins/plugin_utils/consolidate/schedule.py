# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the trials, and what a resumed run of the study ``consolidate`` still has to measure.

The policies stand side by side for each number of guests and each workload, in random order: drift hits all alike. All
cells have their first trial before one has its second, in random order as well. The same seed gives the same order.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.done import Done
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.schedule import seed_of

_STUDY = "consolidate"
# What is compared: a workload, a number of guests, and the trial's number.
_Block = tuple[str, int, int]


def remaining(
    trials: Sequence[Mapping[str, Any]], done: Sequence[Mapping[str, Any]], host: str, seed: Any
) -> list[dict[str, Any]]:
    """The trials that are to be taken, in order, as M(virtperf.vhost.consolidate_run) takes them.

    Policies that stand side by side are taken again together where an earlier attempt at the same run lacks a valid
    trial of one of them: they would lie far apart. ``position`` is that among all trials, whatever is left out.
    """
    earlier = Done(done, host, _STUDY)
    missing = {_block(trial) for trial in trials if trial["trial"] not in earlier.numbers(trial["cell"])}
    return [
        {**trial["cell"], "trial": trial["trial"], "position": position}
        for position, trial in enumerate(_in_order(trials, seed), start=1)
        if _block(trial) in missing
    ]


def _in_order(trials: Sequence[Mapping[str, Any]], seed: Any) -> list[Mapping[str, Any]]:
    chance = random.Random(f"{seed_of(seed)}, {_STUDY}")
    rounds: dict[int, dict[_Block, list[Mapping[str, Any]]]] = {}
    for trial in trials:
        rounds.setdefault(trial["trial"], {}).setdefault(_block(trial), []).append(trial)
    ordered: list[Mapping[str, Any]] = []
    for _number, by_block in sorted(rounds.items()):
        blocks = list(by_block.values())
        chance.shuffle(blocks)
        for block in blocks:
            chance.shuffle(block)
            ordered += block
    return ordered


def _block(trial: Mapping[str, Any]) -> _Block:
    return (str(trial["cell"]["workload"]), int(trial["cell"]["guests"]), int(trial["trial"]))
