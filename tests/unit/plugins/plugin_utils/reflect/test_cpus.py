# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPUs for the two ends, and for what is left of a VM."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.cpus import choose_cpus, housekeeping
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    host,
    planned,
    refusal,
)


def chosen(facts: dict[str, Any], cores: int = 1, **variables: Any) -> tuple[list[int], list[int]]:
    (launch,) = planned(
        facts,
        reflect_drivers="virtio_user_split",
        reflect_queues=cores,
        reflect_forwarding_cores="per_queue",
        **variables,
    )["launches"]
    return launch["vswitch"]["cpus"], launch["far_end"]["cpus"]


def test_more_cpus_than_there_are() -> None:
    message = refusal(host(2), reflect_forwarding_cores="per_queue")
    assert message.startswith("4 CPUs are needed (2 forwarding cores at each end), this host lets us use 2: 0, 1.")
    assert "reflect_forwarding_cores=one" in message


def test_on_one_cpu_the_way_out_works() -> None:
    message = refusal(host(1))
    assert message.startswith("2 CPUs are needed")
    assert "reflect_allow_overlap=true with both reflect_vswitch_cpus and reflect_far_end_cpus" in message
    study = planned(host(1), reflect_allow_overlap=True, reflect_vswitch_cpus=0, reflect_far_end_cpus=0)
    assert study["launches"][0]["far_end"]["cpus"] == [0]


def test_a_cpu_that_we_may_not_use() -> None:
    message = refusal(host(4), reflect_far_end_cpus=[3, 4, 9])
    assert message == "reflect_far_end_cpus names CPU 4, 9. Allowed on this host: 0, 1, 2, 3"


def test_fewer_than_forwarding_cores() -> None:
    message = refusal(host(8), reflect_forwarding_cores="per_queue", reflect_vswitch_cpus=[2])
    assert message.startswith("reflect_vswitch_cpus has 1 CPUs, 2 forwarding cores are asked for.")


def test_both_ends_on_one_cpu_only_when_told_to() -> None:
    ends: dict[str, Any] = {"reflect_vswitch_cpus": [1], "reflect_far_end_cpus": "1"}
    assert "share CPU 1" in refusal(host(4), **ends)
    assert chosen(host(4), **ends, reflect_allow_overlap="true") == ([1], [1])


def test_only_those_that_forward_must_differ() -> None:
    assert chosen(host(4), reflect_vswitch_cpus=[1, 2], reflect_far_end_cpus=[3, 2]) == ([1], [3])


def test_those_asked_for_in_their_order() -> None:
    assert chosen(host(8), 2, reflect_vswitch_cpus=[5, 3], reflect_far_end_cpus="7,1") == ([5, 3], [7, 1])


def test_cpu_0_last() -> None:
    assert chosen(host(4)) == ([1], [2])
    assert chosen(host(4), 2) == ([0, 1], [2, 3])


def test_isolated_ones_where_there_are_enough() -> None:
    assert chosen(host(8, isolated=(5, 6, 7))) == ([5], [6])
    assert chosen(host(8, isolated=(5,))) == ([1], [2])


def test_isolated_ones_that_the_other_end_has_are_not_enough() -> None:
    assert chosen(host(8, isolated=(5, 6)), reflect_vswitch_cpus=[5]) == ([5], [6])
    assert chosen(host(8, isolated=(5,)), reflect_vswitch_cpus=[5]) == ([5], [1])
    assert chosen(host(8, isolated=(5, 6)), 2, reflect_vswitch_cpus=[5, 6]) == ([5, 6], [1, 2])


def test_of_one_node() -> None:
    assert chosen(host(8, nodes=2)) == ([1], [2])
    assert chosen(host(8, nodes=2, isolated=(3, 4, 5))) == ([4], [5])
    assert chosen(host(4, nodes=2), 2) == ([0, 1], [2, 3])


def test_on_the_node_of_the_other_end_where_it_has_room() -> None:
    assert chosen(host(8, nodes=2), reflect_vswitch_cpus=[6]) == ([6], [4])
    assert chosen(host(8, nodes=2), reflect_far_end_cpus=[6]) == ([4], [6])
    assert chosen(host(8, nodes=2), 2, reflect_vswitch_cpus=[4, 5]) == ([4, 5], [6, 7])
    assert chosen(host(4, nodes=2), 2, reflect_vswitch_cpus=[0, 1]) == ([0, 1], [2, 3])


def test_one_thread_of_each_core() -> None:
    # CPU 4 is the second thread of CPU 0.
    assert chosen(host(8, threads=2)) == ([1], [2])
    assert chosen(host(4, threads=2)) == ([0], [1])
    assert chosen(host(8, threads=2), reflect_vswitch_cpus=[5]) == ([5], [2])
    assert chosen(host(8, threads=2), 3) == ([0, 1, 2], [3, 4, 5])


def test_a_first_thread_that_we_may_not_use_makes_no_second_of_the_other() -> None:
    facts = host(8, threads=2)
    facts["cpus"]["allowed"] = [1, 5, 6]
    assert chosen(facts) == ([1], [6])


def test_a_host_that_tells_nothing_but_its_cpus() -> None:
    assert chosen({"cpus": {"allowed": [3, 4]}, "numa_nodes": None}) == ([3], [4])


def test_memory_is_on_the_node_of_the_cpus() -> None:
    study = planned(host(8, nodes=2, isolated=(5, 6)))
    assert {launch[end]["numa_node"] for launch in study["launches"] for end in ("vswitch", "far_end")} == {1}


@given(st.data())
def test_what_is_chosen_is_allowed_and_nobody_s_else(data: st.DataObject) -> None:
    threads = data.draw(st.sampled_from([1, 2]))
    facts = host(threads * data.draw(st.integers(1, 8)), nodes=data.draw(st.integers(1, 3)), threads=threads)
    cpus = facts["cpus"]
    cpus["allowed"] = data.draw(st.lists(st.sampled_from(cpus["allowed"]), min_size=1, unique=True).map(sorted))
    cpus["isolated"] = data.draw(st.lists(st.integers(0, 15), unique=True))
    cores = data.draw(st.integers(1, 4))
    given_ends = [
        data.draw(st.one_of(st.just([]), st.lists(st.sampled_from(cpus["allowed"]), min_size=cores, unique=True)))
        if len(cpus["allowed"]) >= cores
        else []
        for _ in range(2)
    ]
    fixed = [end[:cores] for end in given_ends]
    possible = len(cpus["allowed"]) >= 2 * cores and not set(fixed[0]) & set(fixed[1])
    try:
        ends = choose_cpus(cores, *given_ends, cpus)
    except PlanError:
        assert not possible
        return
    assert possible
    assert [len(end) for end in ends] == [cores, cores]
    assert not set(ends[0]) & set(ends[1])
    assert {*ends[0], *ends[1]} <= set(cpus["allowed"])
    for fixed_end, end in zip(fixed, ends, strict=True):
        assert not fixed_end or fixed_end == end


class TestHousekeeping:
    def test_what_no_polling_loop_has(self) -> None:
        assert housekeeping(host(4)["cpus"], {1, 2}) == [0, 3]
        assert housekeeping(host(2)["cpus"], {0, 1}) == []

    def test_isolated_ones_only_where_there_are_no_others_and_then_no_range_of_them(self) -> None:
        assert housekeeping(host(8, isolated=(4, 5, 6, 7))["cpus"], {4, 5}) == [0, 1, 2, 3]
        assert housekeeping(host(4, isolated=(1, 2, 3))["cpus"], {0, 1}) == [2]

    def test_no_second_thread_of_a_polling_core_where_there_are_whole_ones(self) -> None:
        # CPU 4 is the second thread of CPU 0, and so on.
        assert housekeeping(host(8, threads=2)["cpus"], {1, 2}) == [0, 3, 4, 7]
        assert housekeeping(host(4, threads=2)["cpus"], {0, 1}) == [2, 3]
