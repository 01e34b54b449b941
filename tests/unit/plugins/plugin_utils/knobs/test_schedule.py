# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of trials, and those that a resumed run still takes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.plan import plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.schedule import in_order, remaining, seed_of
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.knobs.test_plan import GIVEN, HOST

BOOTS: list[dict[str, Any]] = plan(dict(GIVEN), HOST)["boots"]
SMALL: list[dict[str, Any]] = plan(
    {**GIVEN, "knobs_names": "csum,poll_us,zcopytx", "knobs_workloads": "udp_rr", "knobs_pairs": 2}, HOST
)["boots"]


def pair_of(trial: dict[str, Any]) -> tuple[str, str, int]:
    return (trial["cell"]["knob"], trial["cell"]["workload"], trial["trial"])


def done(trials: Iterable[dict[str, Any]], **other: str) -> list[dict[str, Any]]:
    """As run_open tells it, of these trials."""
    found: dict[str, dict[str, Any]] = {}
    for trial in trials:
        entry = found.setdefault(
            str(trial["cell"]), {"host": "hv", "study": "knobs", "cell": trial["cell"], "trials": [], **other}
        )
        entry["trials"].append(trial["trial"])
        entry["valid_trials"] = len(entry["trials"])
    return list(found.values())


def left(boots: list[dict[str, Any]], of_done: list[dict[str, Any]]) -> Counter[tuple[str, str, int]]:
    return Counter(pair_of(trial) for boot in remaining(boots, of_done, "hv", 1) for trial in boot["trials"])


@pytest.mark.parametrize("boot", BOOTS, ids=lambda boot: f"boot{boot['number']}")
def test_pairs_stand_side_by_side_and_all_have_the_first_before_one_has_the_second(boot: dict[str, Any]) -> None:
    trials = in_order(boot, 7)
    assert [trial["position"] for trial in trials] == list(range(1, len(trials) + 1))
    assert sorted(map(pair_of, trials)) == sorted(map(pair_of, boot["trials"]))
    pairs = [pair for pair, _trials in itertools.groupby(trials, pair_of)]
    assert len(pairs) == len(set(pairs))
    assert [trial["trial"] for trial in trials] == sorted(trial["trial"] for trial in trials)


def test_the_baseline_comes_first_in_about_half_of_the_pairs() -> None:
    trials = in_order(BOOTS[0], 7)
    firsts = {}
    for trial in trials:
        firsts.setdefault(pair_of(trial), trial["arm"] in ("baseline", "vhost=off"))
    assert 0.25 < sum(firsts.values()) / len(firsts) < 0.75


def test_the_same_seed_gives_the_same_order_and_another_one_another() -> None:
    assert in_order(BOOTS[0], 7) == in_order(BOOTS[0], 7)
    assert in_order(BOOTS[0], 7) != in_order(BOOTS[0], 8)
    first, second = ([trial["cell"] for trial in in_order(BOOTS[0], 7) if trial["trial"] == n] for n in (1, 2))
    assert first != second


@pytest.mark.parametrize(("text", "seed"), [(42, 42), ("42", 42), (" 0 ", 0)])
def test_a_number_is_its_own_seed(text: Any, seed: int) -> None:
    assert seed_of(text) == seed


def test_of_any_text_a_number_follows() -> None:
    assert seed_of("20261120T100000Z-1a2b") == seed_of("20261120T100000Z-1a2b")
    assert seed_of("20261120T100000Z-1a2b") != seed_of("20261120T100000Z-1a2c")
    assert 0 <= seed_of("-1") < 2**32


def test_all_is_left_of_a_new_run() -> None:
    boots = remaining(BOOTS, [], "hv", "20261120T100000Z-1a2b")
    assert [boot["number"] for boot in boots] == [1, 2, 3]
    assert {boot["seed"] for boot in boots} == {seed_of("20261120T100000Z-1a2b")}
    assert boots[0]["trials"] == in_order(BOOTS[0], boots[0]["seed"])


def test_nothing_is_left_of_a_complete_one() -> None:
    assert remaining(BOOTS, done(trial for boot in BOOTS for trial in boot["trials"]), "hv", 1) == []


def test_a_pair_that_lacks_one_half_is_taken_again_as_a_whole() -> None:
    trials = [trial for boot in SMALL for trial in boot["trials"]]
    lost = next(trial for trial in trials if trial["cell"]["level"] == "200" and trial["trial"] == 2)
    assert left(SMALL, done(trial for trial in trials if trial is not lost)) == {("poll_us", "udp_rr", 2): 3}


def test_so_is_one_whose_halves_are_in_two_boots() -> None:
    trials = [trial for boot in SMALL for trial in boot["trials"]]
    lost = next(trial for trial in trials if trial["arm"] == "zcopytx=1" and trial["trial"] == 2)
    again = remaining(SMALL, done(trial for trial in trials if trial is not lost), "hv", 1)
    assert [(boot["number"], [trial["arm"] for trial in boot["trials"]]) for boot in again] == [
        (2, ["zcopytx=1"]),
        (3, ["baseline"]),
    ]


def test_a_trial_keeps_its_place() -> None:
    whole = {str((trial["cell"], trial["trial"])): trial["position"] for trial in in_order(BOOTS[0], 1)}
    some = done(trial for trial in BOOTS[0]["trials"] if trial["trial"] < 3)
    for trial in remaining(BOOTS[:1], some, "hv", 1)[0]["trials"]:
        assert trial["position"] == whole[str((trial["cell"], trial["trial"]))]


@pytest.mark.parametrize("other", [{"host": "another"}, {"study": "throttle"}])
def test_what_others_have_does_not_count(other: dict[str, str]) -> None:
    all_of_it = done((trial for boot in SMALL for trial in boot["trials"]), **other)
    assert sum(left(SMALL, all_of_it).values()) == sum(len(boot["trials"]) for boot in SMALL)
