# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CPUs come first."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cpu_choice import node_of, preferred, siblings_of

CPUS: dict[str, Any] = {
    "allowed": list(range(8)),
    "isolated": [],
    "node_of": {str(cpu): cpu % 4 // 2 for cpu in range(8)},
    "siblings_of": {str(cpu): [cpu % 4, cpu % 4 + 4] for cpu in range(8)},
}


def test_whole_cores_before_second_threads_and_cpu_0_last_of_them() -> None:
    assert preferred(CPUS, 1, ()) == [1, 0, 4, 5]
    assert preferred({**CPUS, "node_of": {}}, 3, ()) == [1, 2, 3, 0, 4, 5, 6, 7]


def test_isolated_where_there_are_enough() -> None:
    cpus = {**CPUS, "isolated": [2, 3]}
    assert preferred(cpus, 2, ()) == [2, 3]
    assert preferred(cpus, 3, ())[:3] == [0, 1, 4]


def test_the_node_of_what_is_taken_and_no_sibling_of_it_before_others() -> None:
    assert preferred(CPUS, 2, {2}) == [3, 6, 7]
    assert preferred(CPUS, 1, {1}) == [0, 4, 5]


def test_a_host_that_does_not_tell() -> None:
    cpus = {"allowed": [0, 1, 2]}
    assert (node_of(1, cpus), siblings_of(1, cpus)) == (0, [])
    assert preferred(cpus, 2, ()) == [1, 2, 0]


@given(st.integers(0, 9), st.sets(st.integers(0, 7)))
def test_never_what_is_taken_and_never_twice(wanted: int, taken: set[int]) -> None:
    chosen = preferred(CPUS, wanted, taken)
    assert len(chosen) == len(set(chosen))
    assert not taken & set(chosen)
    assert len(chosen) >= min(wanted, 8 - len(taken))
