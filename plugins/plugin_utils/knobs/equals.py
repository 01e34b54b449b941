# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the analysis says of trials that are equal: the baseline against itself, in the trials of this very run.

A screening has many trials of the baseline, for each knob has some of its own. Those of a workload in one boot are put
into pairs of neighbours in time, which of the two stands for a variant is drawn by lot (with a fixed seed, so that a
report of the same records says the same), and so many pairs as a knob has are one comparison. Whatever it finds is
chance, and shows how often the verdicts above are.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Screening, contrast
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import MATTERS, judge
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import BESIDE, METRICS, primary
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record

PAIRS = 5
# As the plan calls the arm in which every knob has its baseline level.
_BASELINE = "baseline"
_SEED = 5

Pairs = Sequence[tuple[Record, Record]]


@dataclass(frozen=True, slots=True)
class Equals:
    """How many comparisons of equal trials there were, and how many of them found something."""

    comparisons: int
    found: int


def compare_equals(screening: Screening, pairs: int = PAIRS) -> Equals:
    """What the run's own baseline trials say, of the metrics that the table shows."""
    groups = [group for each in _baselines(screening).values() for group in _groups(each, pairs)]
    verdicts: Counter[bool] = Counter()
    for name in (None, *BESIDE):
        # What a workload is about is one family, whichever metric that is.
        family = [contrast(group, METRICS[name or primary(str(group[0][0].cell["workload"]))]) for group in groups]
        verdicts.update(effect.verdict == MATTERS for effect in judge(family) if effect and effect.pairs >= pairs)
    return Equals(verdicts.total(), verdicts[True])


def _baselines(screening: Screening) -> Mapping[tuple[str, str], list[Record]]:
    """Trials of the baseline by workload and boot, in the order in which they were taken."""
    found: dict[tuple[str, str], list[Record]] = {}
    for cell in screening.cells:
        for record in cell.counted:
            if record.asked.get("arm") == _BASELINE:
                found.setdefault((cell.workload, str(record.asked.get("boot"))), []).append(record)
    return {key: sorted(records, key=lambda record: record.started_at) for key, records in found.items()}


def _groups(records: Sequence[Record], pairs: int) -> list[Pairs]:
    lots = random.Random(_SEED)
    drawn = [
        (records[at], records[at + 1]) if lots.random() < 0.5 else (records[at + 1], records[at])
        for at in range(0, len(records) - 1, 2)
    ]
    return [drawn[at : at + pairs] for at in range(0, len(drawn) - pairs + 1, pairs)]
