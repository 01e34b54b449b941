# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arms in boots: not too many, and what is compared together."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.asked import Comparison, comparisons
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.pack import MOST_ARMS, Packed, pack
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.settings import name_of


def asked(**variables: Any) -> list[Comparison]:
    names = {"names": "auto", "cross": [], "workloads": "auto", **variables}
    return comparisons({f"knobs_{name}": value for name, value in names.items()}, {"qemu": {"version": "10.0"}})


def arms(boots: list[Packed]) -> list[list[str]]:
    return [list(boot.arms) for boot in boots]


def test_what_is_compared_is_in_the_same_boot() -> None:
    found = asked()
    boots = pack(found, 5)
    assert len(boots) == 3
    assert all(len(boot.arms) <= MOST_ARMS for boot in boots)
    for comparison in found:
        if comparison.knob == "zcopytx":
            continue
        (boot,) = [boot for boot in boots if (comparison.knob, comparison.baseline) in boot.pairs]
        for level, settings in comparison.levels.items():
            assert boot.pairs[comparison.knob, level] == range(1, 6)
            assert name_of(settings) in boot.arms


def test_knobs_that_need_vhost_off_are_compared_with_a_baseline_that_has_it_off() -> None:
    (boot,) = pack(asked(names="tx,txtimer,txburst"), 2)
    assert list(boot.arms) == [
        "vhost=off",
        "vhost=off,tx=timer",
        "vhost=off,tx=timer,txtimer=1000000",
        "vhost=off,txburst=16",
    ]


def test_arms_are_shared() -> None:
    (boot,) = pack(asked(names="vhost,tx"), 2)
    assert list(boot.arms) == ["baseline", "vhost=off", "vhost=off,tx=timer"]


def test_levels_of_a_module_have_boots_of_their_own_between_those_of_the_baseline() -> None:
    boots = pack(asked(names="zcopytx"), 5)
    assert arms(boots) == [["baseline"], ["zcopytx=1"], ["baseline"]]
    assert [dict(boot.pairs) for boot in boots] == [
        {("zcopytx", "0"): range(1, 4)},
        {("zcopytx", "1"): range(1, 6)},
        {("zcopytx", "0"): range(4, 6)},
    ]


def test_the_baseline_is_taken_in_boots_that_are_there_anyway() -> None:
    boots = pack(asked(), 4)
    assert [("zcopytx", "0") in boot.pairs for boot in boots] == [True, False, True]
    assert list(boots[1].arms) == ["zcopytx=1"]


def test_a_module_crossed_with_another_knob() -> None:
    boots = pack(asked(cross="csum,zcopytx"), 2)
    assert arms(boots) == [["baseline", "csum=off"], ["zcopytx=1", "zcopytx=1,csum=off"], ["baseline", "csum=off"]]


def test_what_loads_another_module_of_the_kernel_comes_last() -> None:
    boots = pack(asked(names="all"), 5)
    assert [any("bridge_nf=1" in arm for arm in boot.arms) for boot in boots] == [False, False, True]


def test_nothing_to_compare() -> None:
    assert pack([], 5) == []
    assert pack(asked(names="tx_queue_size=1024"), 5) == []
