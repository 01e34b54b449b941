# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of a cell come to, whatever its study. Which of them count is tested with the studies."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import Verdict, gather, spoken_for, without_trials
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import WantedCell
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def records(*limits: str) -> list[Record]:
    """Valid ones with these verdicts."""
    verdicts = ({"limit": limit, "evidence": f"{limit} in trial {n}"} for n, limit in enumerate(limits, start=1))
    return [Record(make.record(trial=n, verdict=verdict), n) for n, verdict in enumerate(verdicts, start=1)]


@pytest.mark.parametrize(
    ("limits", "limit", "evidence"),
    [
        (("a", "a", "a"), "a", "a in trial 2"),
        (("a", "b", "a"), "a", "the trials say a (2 of 3: a in trial 1), b (1 of 3: b in trial 2)"),
        (("a", "b"), "undetermined", "the trials say a (1 of 2: a in trial 1), b (1 of 2: b in trial 2)"),
    ],
)
def test_the_majority_speaks(limits: tuple[str, ...], limit: str, evidence: str) -> None:
    counted = records(*limits)
    assert spoken_for(counted, counted[1]) == Verdict(limit, evidence)


def test_nobody_speaks() -> None:
    wanted = [WantedCell("hv", "reflect", make.cell(), 3), WantedCell("hv", "reflect", make.cell(queues=2), 3, "few")]
    missing, skipped = gather([], wanted)
    assert without_trials(missing) == Verdict("no valid trial", "")
    assert without_trials(skipped) == Verdict("skipped", "few")
