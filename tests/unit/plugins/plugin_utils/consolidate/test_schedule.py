# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of trials, and a resumed run."""

from __future__ import annotations

from itertools import product
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.schedule import remaining

TRIALS: list[dict[str, Any]] = [
    {"cell": {"policy": policy, "guests": guests, "workload": workload}, "trial": number}
    for number, workload, guests, policy in product(
        (1, 2, 3), ("tcp_rr", "nginx", "udp_rr"), (1, 2), ("baseline", "sidecore", "sidecore_poll")
    )
]


def test_policies_stand_side_by_side_in_random_order() -> None:
    found = remaining(TRIALS, [], "hv", "run-1")
    assert len(found) == 54
    assert [trial["position"] for trial in found] == list(range(1, 55))
    blocks = [found[start : start + 3] for start in range(0, 54, 3)]
    for block in blocks:
        assert len({(trial["workload"], trial["guests"], trial["trial"]) for trial in block}) == 1
    assert len({tuple(trial["policy"] for trial in block) for block in blocks}) > 3
    # All cells have their first trial before one has its second.
    assert [trial["trial"] for trial in found] == [1] * 18 + [2] * 18 + [3] * 18


def test_the_same_seed_gives_the_same_order() -> None:
    assert remaining(TRIALS, [], "hv", 7) == remaining(TRIALS, [], "hv", "7")
    assert remaining(TRIALS, [], "hv", 7) != remaining(TRIALS, [], "hv", 8)


def test_a_resumed_run_takes_what_is_missing_with_what_it_is_compared_with() -> None:
    done = [
        {"host": "hv", "study": "consolidate", "cell": cell, "valid_trials": 3, "trials": [1, 2, 3]}
        for cell in (trial["cell"] for trial in TRIALS if trial["trial"] == 1)
    ]
    assert remaining(TRIALS, done, "hv", 1) == []
    assert len(remaining(TRIALS, done, "other", 1)) == 54
    done[0]["trials"] = [1, 3]
    found = remaining(TRIALS, done, "hv", 1)
    assert sorted(trial["policy"] for trial in found) == ["baseline", "sidecore", "sidecore_poll"]
    assert {(trial["trial"], trial["workload"], trial["guests"]) for trial in found} == {(2, "tcp_rr", 1)}
    everything = remaining(TRIALS, [], "hv", 1)
    assert [trial for trial in everything if trial in found] == found
