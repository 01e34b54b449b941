# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study reflect, planned: few launches, cheap factors fastest, and nothing impossible gets as far as a start."""

from __future__ import annotations

import copy
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import parse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect_plan import (
    FACTORS,
    SETTINGS,
    PlanError,
    choose_cpus,
    describe,
    page_size_kib,
    plan,
    remaining,
)

DEFAULTS: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[4] / "roles" / "reflect" / "defaults" / "main.yml").read_text()
)
SIZES = [64, 128, 256, 512, 1024, 1518]


def host(
    cpus: int = 2, *, nodes: int = 1, threads: int = 1, isolated: tuple[int, ...] = (), numa: bool = True
) -> dict[str, Any]:
    """A host's facts. CPUs go in equal shares to its nodes; thread n of a core comes after all threads n - 1."""
    cores = cpus // threads
    return {
        "cpus": {
            "allowed": list(range(cpus)),
            "isolated": list(isolated),
            "node_of": {str(cpu): cpu % cores * nodes // cores for cpu in range(cpus)},
            "siblings_of": {str(cpu): list(range(cpu % cores, cpus, cores)) for cpu in range(cpus)},
        },
        "numa_nodes": [{"node": node} for node in range(nodes)] if numa else [],
    }


def planned(facts: dict[str, Any] | None = None, **variables: Any) -> dict[str, Any]:
    return plan({**DEFAULTS, **variables}, facts or host(64))


def refusal(facts: dict[str, Any] | None = None, **variables: Any) -> str:
    with pytest.raises(PlanError) as caught:
        planned(facts, **variables)
    return str(caught.value)


def chosen(facts: dict[str, Any], cores: int = 1, **variables: Any) -> tuple[list[int], list[int]]:
    (launch,) = planned(
        facts,
        reflect_drivers="virtio_user_split",
        reflect_queues=cores,
        reflect_forwarding_cores="per_queue",
        **variables,
    )["launches"]
    return launch["vswitch"]["cpus"], launch["far_end"]["cpus"]


class TestDefaults:
    def test_24_cells_in_4_launches_on_two_cpus(self) -> None:
        study = planned(host(2))
        cells = [cell["cell"] for launch in study["launches"] for cell in launch["cells"]]
        assert cells == study["definition"]["cells"]
        assert cells == [
            {"driver": driver, "queues": queues, "packet_size": size}
            for driver in ("virtio_user_split", "virtio_user_packed")
            for queues in (1, 2)
            for size in SIZES
        ]
        assert len(study["launches"]) == 4
        assert {cell["trials"] for launch in study["launches"] for cell in launch["cells"]} == {3}

    def test_each_end_has_a_cpu(self) -> None:
        for launch in planned(host(2))["launches"]:
            assert (launch["vswitch"]["cpus"], launch["far_end"]["cpus"]) == ([0], [1])

    def test_the_vswitch_reflects_and_the_far_end_generates(self) -> None:
        for launch in planned(host(2))["launches"]:
            vswitch, far_end = launch["vswitch"], launch["far_end"]
            assert (vswitch["name"], vswitch["forward_mode"]) == ("vswitch", "io")
            assert (far_end["name"], far_end["forward_mode"]) == ("generator", "flowgen")

    def test_hugepages_for_both_ends_and_the_mount_that_both_use(self) -> None:
        study = planned(host(2))
        assert study["hugepages"] == [{"size": "2M", "count": 128, "count_means": "free", "node": 0}]
        (mount,) = study["mounts"]
        assert mount["size"] == "2M"
        ends = [launch[end] for launch in study["launches"] for end in ("vswitch", "far_end")]
        assert {end["huge_dir"] for end in ends} == {mount["path"]}

    def test_the_role_has_a_default_for_every_variable_and_documents_it(self) -> None:
        assert set(DEFAULTS) == {*FACTORS, *SETTINGS}
        specification = Path(__file__).parents[4] / "roles" / "reflect" / "meta" / "argument_specs.yml"
        options = yaml.safe_load(specification.read_text())["argument_specs"]["main"]["options"]
        assert {name: option["default"] for name, option in options.items()} == DEFAULTS


class TestOrder:
    def test_the_packet_size_varies_fastest(self) -> None:
        study = planned(reflect_ring_size=[256, 512])
        for launch in study["launches"]:
            assert [cell["cell"]["packet_size"] for cell in launch["cells"]] == SIZES

    def test_as_few_launches_as_the_other_factors_have_combinations(self) -> None:
        levels = {
            "reflect_direction": ["vswitch", "far_end"],
            "reflect_ring_size": [256, 512],
            "reflect_in_order": [True, False],
            "reflect_queues": [1, 2, 4],
        }
        study = planned(**levels)
        assert len(study["launches"]) == math.prod(map(len, levels.values())) * len(DEFAULTS["reflect_drivers"])
        ends = [str((launch["vswitch"], launch["far_end"])) for launch in study["launches"]]
        assert len(set(ends)) == len(ends)

    def test_a_factor_with_one_level_is_no_part_of_a_cell(self) -> None:
        assert set(planned()["definition"]["cells"][0]) == {"driver", "queues", "packet_size"}
        varied = planned(reflect_burst=[32, 64])
        assert set(varied["definition"]["cells"][0]) == {"burst", "driver", "queues", "packet_size"}
        assert varied["definition"]["factors"]["ring_size"] == [256]

    def test_no_two_cells_are_the_same(self) -> None:
        cells = planned(reflect_burst=[32, 64], reflect_mrg_rxbuf=[True, False])["definition"]["cells"]
        assert max(Counter(str(cell) for cell in cells).values()) == 1

    def test_what_is_asked_is_the_whole_setup(self) -> None:
        study = planned(reflect_drivers="virtio_user_packed", reflect_queues=2)
        asked = study["launches"][0]["cells"][0]["asked"]
        assert {factor.name for factor in FACTORS.values()} <= set(asked)
        assert asked["packed"] is True
        assert asked["vswitch_cpus"] == study["launches"][0]["vswitch"]["cpus"]
        assert asked["far_end_cpus"] == study["launches"][0]["far_end"]["cpus"]


class TestLevels:
    @pytest.mark.parametrize(
        ("variable", "raw", "levels"),
        [
            ("reflect_queues", "1,2", [1, 2]),
            ("reflect_queues", " 1, 4 ", [1, 4]),
            ("reflect_queues", "2", [2]),
            ("reflect_queues", 2, [2]),
            ("reflect_queues", (2, "1"), [2, 1]),
            ("reflect_packet_sizes", "64,1518", [64, 1518]),
            ("reflect_drivers", "virtio_user_packed", ["virtio_user_packed"]),
            ("reflect_drivers", "virtio_user_packed, virtio_user_split", ["virtio_user_packed", "virtio_user_split"]),
            ("reflect_in_order", True, [True]),
            ("reflect_in_order", "true,false", [True, False]),
            ("reflect_in_order", "False", [False]),
            ("reflect_mrg_rxbuf", ["yes", "no"], [True, False]),
            ("reflect_mrg_rxbuf", 0, [False]),
        ],
    )
    def test_a_list_a_value_or_a_command_line(self, variable: str, raw: Any, levels: list[Any]) -> None:
        found = planned(**{variable: raw})["definition"]["factors"][FACTORS[variable].name]
        assert found == levels
        assert [type(level) for level in found] == [type(level) for level in levels]

    @pytest.mark.parametrize("variable", FACTORS)
    @pytest.mark.parametrize("raw", ["chicken", "", None, -1, 1.5, "1;2", {"a": 1}, [[1]], "9" * 5000, "²"])
    def test_the_impossible_is_named_with_what_is_allowed(self, variable: str, raw: Any) -> None:
        message = refusal(**{variable: raw})
        assert message.startswith(f"{variable} cannot be {raw!r}") or (isinstance(raw, list) and variable in message)
        assert f"Allowed: {FACTORS[variable].allowed()}" in message

    @pytest.mark.parametrize(
        ("variable", "raw", "allowed"),
        [
            ("reflect_direction", "sideways", "vswitch, far_end"),
            ("reflect_forwarding_cores", "two", "one, per_queue"),
            ("reflect_drivers", "e1000", "virtio_user_split, virtio_user_packed"),
            ("reflect_in_order", "maybe", "true, false"),
            ("reflect_burst", 513, "whole numbers from 1 to 512"),
            ("reflect_ring_size", 300, "powers of two from 32 to 32768"),
            ("reflect_ring_size", 65536, "powers of two from 32 to 32768"),
            ("reflect_queues", 0, "whole numbers from 1 to 16"),
            ("reflect_queues", True, "whole numbers from 1 to 16"),
            ("reflect_packet_sizes", [64, 1519], "whole numbers from 64 to 1518"),
            ("reflect_packet_sizes", 60, "whole numbers from 64 to 1518"),
        ],
    )
    def test_what_is_allowed(self, variable: str, raw: Any, allowed: str) -> None:
        assert refusal(**{variable: raw}).endswith(f"Allowed: {allowed}")

    def test_no_level_at_all(self) -> None:
        assert refusal(reflect_queues=[]) == "reflect_queues is empty. Allowed: whole numbers from 1 to 16"

    @pytest.mark.parametrize("raw", ["1,2,1", [1, "1", 2], [2, 1, 1, 1]])
    def test_a_level_twice_would_be_a_cell_twice(self, raw: Any) -> None:
        assert refusal(reflect_queues=raw) == "reflect_queues names 1 more than once"

    def test_an_unknown_variable_gets_the_list_of_those_there_are(self) -> None:
        message = refusal(reflect_colour="red", reflect_packet_size=64)
        assert message.startswith("the study reflect has no reflect_colour, reflect_packet_size. Its variables: ")
        assert set(message.partition("variables: ")[2].split(", ")) == set(DEFAULTS)

    def test_a_variable_that_is_not_set(self) -> None:
        given = {name: value for name, value in DEFAULTS.items() if name != "reflect_mbufs"}
        with pytest.raises(PlanError, match="reflect_mbufs: not set"):
            plan(given, host())


class TestSettings:
    @pytest.mark.parametrize(
        ("variable", "raw", "allowed"),
        [
            ("reflect_trials", 0, "1 to 1000"),
            ("reflect_trials", "three", "1 to 1000"),
            ("reflect_trials", "9" * 5000, "1 to 1000"),
            ("reflect_mbufs", 1023, "1024 to 2097152"),
            ("reflect_memory_mib", 63, "64 to 262144"),
            ("reflect_allow_overlap", "perhaps", "true, false"),
            ("reflect_trial_seconds", 0, "seconds from 0.05 to 600.0"),
            ("reflect_trial_seconds", "nan", "seconds from 0.05 to 600.0"),
            ("reflect_trial_seconds", "inf", "seconds from 0.05 to 600.0"),
            ("reflect_trial_seconds", 10**400, "seconds from 0.05 to 600.0"),
            ("reflect_warmup_seconds", -0.1, "seconds from 0.0 to 600.0"),
            ("reflect_warmup_seconds", None, "seconds from 0.0 to 600.0"),
            ("reflect_sample_seconds", 601, "seconds from 0.0 to 600.0"),
            ("reflect_sample_seconds", 1e-9, "0 for no samples, or seconds from 0.01 to 600.0"),
            ("reflect_vswitch_cpus", "0-1", "CPU numbers, each once; empty to have them chosen"),
            ("reflect_vswitch_cpus", [1, 1], "CPU numbers, each once; empty to have them chosen"),
            ("reflect_far_end_cpus", None, "CPU numbers, each once; empty to have them chosen"),
            ("reflect_far_end_cpus", [-1], "CPU numbers, each once; empty to have them chosen"),
            ("reflect_far_end_cpus", [True], "CPU numbers, each once; empty to have them chosen"),
        ],
    )
    def test_the_impossible_is_named_with_what_is_allowed(self, variable: str, raw: Any, allowed: str) -> None:
        message = refusal(**{variable: raw})
        assert message.startswith(f"{variable} cannot be {raw!r}")
        assert message.endswith(f"Allowed: {allowed}")

    def test_a_trial_with_its_warm_up_ends_before_the_lock_counts_as_abandoned(self) -> None:
        assert planned(reflect_trial_seconds=400, reflect_warmup_seconds=200)
        message = refusal(reflect_trial_seconds=400, reflect_warmup_seconds="200.5")
        assert message == (
            "reflect_trial_seconds=400.0 and reflect_warmup_seconds=200.5 make too long a trial."
            " Allowed: up to 600.0 seconds together"
        )

    def test_numbers_from_a_command_line(self) -> None:
        definition = planned(
            reflect_trials="5", reflect_trial_seconds="0.5", reflect_allow_overlap="yes", reflect_vswitch_cpus="2,3"
        )["definition"]
        assert (definition["trials"], definition["trial_seconds"], definition["allow_overlap"]) == (5, 0.5, True)
        assert definition["vswitch_cpus"] == [2, 3]

    def test_packet_buffers_for_the_largest_of_all_rings(self) -> None:
        message = refusal(reflect_ring_size=[256, 4096], reflect_queues=4)
        assert message.startswith("reflect_mbufs=8192 is too few for 4 queues with rings of 4096. Allowed: ")
        needed = int(message.split()[-3])
        planned(reflect_ring_size=4096, reflect_queues=4, reflect_mbufs=needed)
        assert refusal(reflect_ring_size=4096, reflect_queues=4, reflect_mbufs=needed - 1)

    def test_the_largest_of_all_can_be_had(self) -> None:
        most = {"reflect_ring_size": 32768, "reflect_queues": 16}
        needed = int(refusal(**most).split()[-3])
        memory = int(refusal(**most, reflect_mbufs=needed).split()[-3])
        assert planned(**most, reflect_mbufs=needed, reflect_memory_mib=memory)

    def test_a_burst_fits_a_ring(self) -> None:
        assert planned(reflect_burst=64, reflect_ring_size=64)
        message = refusal(reflect_burst=[32, 65], reflect_ring_size=64)
        assert message == "reflect_burst=65 does not fit a ring of 64. Allowed: up to the ring's size"

    def test_memory_for_the_packet_buffers(self) -> None:
        message = refusal(reflect_mbufs=65536, reflect_memory_mib=128)
        assert message.startswith("reflect_memory_mib=128 is too little for 65536 packet buffers. Allowed: ")
        planned(reflect_mbufs=65536, reflect_memory_mib=int(message.split()[-3]))


class TestCpus:
    def test_more_cpus_than_there_are(self) -> None:
        message = refusal(host(2), reflect_forwarding_cores="per_queue")
        assert message.startswith("4 CPUs are needed (2 forwarding cores at each end), this host lets us use 2: 0, 1.")
        assert "reflect_forwarding_cores=one" in message

    def test_on_one_cpu_the_way_out_works(self) -> None:
        message = refusal(host(1))
        assert message.startswith("2 CPUs are needed")
        assert "reflect_allow_overlap=true with both reflect_vswitch_cpus and reflect_far_end_cpus" in message
        study = planned(host(1), reflect_allow_overlap=True, reflect_vswitch_cpus=0, reflect_far_end_cpus=0)
        assert study["launches"][0]["far_end"]["cpus"] == [0]

    def test_a_cpu_that_we_may_not_use(self) -> None:
        message = refusal(host(4), reflect_far_end_cpus=[3, 4, 9])
        assert message == "reflect_far_end_cpus names CPU 4, 9. Allowed on this host: 0, 1, 2, 3"

    def test_fewer_than_forwarding_cores(self) -> None:
        message = refusal(host(8), reflect_forwarding_cores="per_queue", reflect_vswitch_cpus=[2])
        assert message.startswith("reflect_vswitch_cpus has 1 CPUs, 2 forwarding cores are asked for.")

    def test_both_ends_on_one_cpu_only_when_told_to(self) -> None:
        ends: dict[str, Any] = {"reflect_vswitch_cpus": [1], "reflect_far_end_cpus": "1"}
        assert "share CPU 1" in refusal(host(4), **ends)
        assert chosen(host(4), **ends, reflect_allow_overlap="true") == ([1], [1])

    def test_only_those_that_forward_must_differ(self) -> None:
        assert chosen(host(4), reflect_vswitch_cpus=[1, 2], reflect_far_end_cpus=[3, 2]) == ([1], [3])

    def test_those_asked_for_in_their_order(self) -> None:
        assert chosen(host(8), 2, reflect_vswitch_cpus=[5, 3], reflect_far_end_cpus="7,1") == ([5, 3], [7, 1])

    def test_cpu_0_last(self) -> None:
        assert chosen(host(4)) == ([1], [2])
        assert chosen(host(4), 2) == ([0, 1], [2, 3])

    def test_isolated_ones_where_there_are_enough(self) -> None:
        assert chosen(host(8, isolated=(5, 6, 7))) == ([5], [6])
        assert chosen(host(8, isolated=(5,))) == ([1], [2])

    def test_isolated_ones_that_the_other_end_has_are_not_enough(self) -> None:
        assert chosen(host(8, isolated=(5, 6)), reflect_vswitch_cpus=[5]) == ([5], [6])
        assert chosen(host(8, isolated=(5,)), reflect_vswitch_cpus=[5]) == ([5], [1])
        assert chosen(host(8, isolated=(5, 6)), 2, reflect_vswitch_cpus=[5, 6]) == ([5, 6], [1, 2])

    def test_of_one_node(self) -> None:
        assert chosen(host(8, nodes=2)) == ([1], [2])
        assert chosen(host(8, nodes=2, isolated=(3, 4, 5))) == ([4], [5])
        assert chosen(host(4, nodes=2), 2) == ([0, 1], [2, 3])

    def test_on_the_node_of_the_other_end_where_it_has_room(self) -> None:
        assert chosen(host(8, nodes=2), reflect_vswitch_cpus=[6]) == ([6], [4])
        assert chosen(host(8, nodes=2), reflect_far_end_cpus=[6]) == ([4], [6])
        assert chosen(host(8, nodes=2), 2, reflect_vswitch_cpus=[4, 5]) == ([4, 5], [6, 7])
        assert chosen(host(4, nodes=2), 2, reflect_vswitch_cpus=[0, 1]) == ([0, 1], [2, 3])

    def test_one_thread_of_each_core(self) -> None:
        # CPU 4 is the second thread of CPU 0.
        assert chosen(host(8, threads=2)) == ([1], [2])
        assert chosen(host(4, threads=2)) == ([0], [1])
        assert chosen(host(8, threads=2), reflect_vswitch_cpus=[5]) == ([5], [2])
        assert chosen(host(8, threads=2), 3) == ([0, 1, 2], [3, 4, 5])

    def test_a_first_thread_that_we_may_not_use_makes_no_second_of_the_other(self) -> None:
        facts = host(8, threads=2)
        facts["cpus"]["allowed"] = [1, 5, 6]
        assert chosen(facts) == ([1], [6])

    def test_a_host_that_tells_nothing_but_its_cpus(self) -> None:
        assert chosen({"cpus": {"allowed": [3, 4]}, "numa_nodes": None}) == ([3], [4])

    def test_memory_is_on_the_node_of_the_cpus(self) -> None:
        study = planned(host(8, nodes=2, isolated=(5, 6)))
        assert {launch[end]["numa_node"] for launch in study["launches"] for end in ("vswitch", "far_end")} == {1}

    @given(st.data())
    def test_what_is_chosen_is_allowed_and_nobody_s_else(self, data: st.DataObject) -> None:
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


class TestHugepages:
    def test_both_ends_of_the_largest_need_whole_pages(self) -> None:
        (pool,) = planned(reflect_memory_mib=129)["hugepages"]
        assert pool["count"] == 2 * 65
        (pool,) = planned(reflect_hugepage_size="1G")["hugepages"]
        assert (pool["size"], pool["count"]) == ("1G", 2)

    def test_on_the_node_that_uses_them(self) -> None:
        (pool,) = planned(host(8, nodes=2, isolated=(6, 7)))["hugepages"]
        assert pool["node"] == 1

    def test_without_numa_there_is_one_pool_of_no_node(self) -> None:
        (pool,) = planned(host(2, numa=False))["hugepages"]
        assert "node" not in pool

    @pytest.mark.parametrize(
        ("text", "kib"), [("2M", 2048), ("2MiB", 2048), ("2MB", 2048), ("2048kB", 2048), ("64K", 64), ("1G", 1 << 20)]
    )
    def test_page_sizes(self, text: str, kib: int) -> None:
        assert page_size_kib(text) == kib

    @pytest.mark.parametrize("text", ["", "M", "0M", "2", "2X", "2MGk", "-2M", "²M", "2.5M", "9" * 5000 + "M", "None"])
    def test_no_page_sizes(self, text: str) -> None:
        message = refusal(reflect_hugepage_size=text)
        assert message.startswith(f"reflect_hugepage_size cannot be {text!r}. Allowed: a size the host has")


class TestTime:
    def test_it_grows_with_each_trial_by_a_trial(self) -> None:
        few, more = planned()["seconds"], planned(reflect_trials=4)["seconds"]
        assert more - few == pytest.approx(24 * (1 + 0.3), rel=0.1)

    def test_it_covers_what_is_slept(self) -> None:
        assert planned(reflect_trial_seconds=2, reflect_warmup_seconds=1)["seconds"] > 24 * 3 * 3

    def test_a_launch_costs_more_than_a_size(self) -> None:
        launches = planned(reflect_packet_sizes=[64], reflect_burst=[8, 16, 32])
        sizes = planned(reflect_packet_sizes=[64, 128, 256])
        assert len(launches["definition"]["cells"]) == len(sizes["definition"]["cells"])
        assert launches["seconds"] > sizes["seconds"]


class TestDescription:
    def test_each_launch_then_the_sum(self) -> None:
        lines = describe(planned(host(2)))
        assert lines[0] == (
            "launch 1: driver virtio_user_split, queues 1; vswitch on CPU 0, generator on CPU 1;"
            " packet sizes 64, 128, 256, 512, 1024, 1518; 3 trials each"
        )
        assert len(lines) == 5
        assert lines[-1] == "24 cells, 4 launches, 128 hugepages, about 115 s"

    def test_the_other_direction_has_a_reflector(self) -> None:
        lines = describe(planned(reflect_direction=["vswitch", "far_end"]))
        assert "direction far_end" in lines[4]
        assert "reflector on CPU" in lines[4]


class TestEnds:
    """What the plan gives is what the modules take."""

    def test_the_other_direction(self) -> None:
        for launch in planned(reflect_direction="far_end")["launches"]:
            vswitch, far_end = launch["vswitch"], launch["far_end"]
            assert (vswitch["name"], vswitch["forward_mode"]) == ("vswitch", "flowgen")
            assert (far_end["name"], far_end["forward_mode"]) == ("reflector", "io")

    def test_both_name_the_same_socket(self) -> None:
        for launch in planned()["launches"]:
            (server,), (client,) = (parse(launch[end]).ports for end in ("vswitch", "far_end"))
            assert server.serves == client.connects
            assert server.serves

    def test_the_factors_reach_the_device(self) -> None:
        (launch,) = planned(
            reflect_drivers="virtio_user_packed",
            reflect_queues=4,
            reflect_ring_size=512,
            reflect_mrg_rxbuf="no",
            reflect_in_order="no",
            reflect_vectorized="yes",
            reflect_burst=64,
            reflect_mbufs=16384,
        )["launches"]
        far_end = parse(launch["far_end"])
        options = far_end.ports[0].options
        names = ("queues", "queue_size", "packed_vq", "mrg_rxbuf", "in_order", "vectorized")
        assert [options[name] for name in names] == ["4", "512", "1", "0", "0", "1"]
        assert "--force-max-simd-bitwidth=512" in far_end.eal_arguments
        for end in (far_end, parse(launch["vswitch"])):
            assert (end.queues, end.burst, end.mbufs) == (4, 64, 16384)
        assert parse(launch["vswitch"]).ports[0].options["queues"] == "4"

    @settings(max_examples=40)
    @given(st.data())
    def test_every_launch_that_is_planned_can_be_parsed(self, data: st.DataObject) -> None:
        def some(values: Any) -> list[Any]:
            return data.draw(st.lists(values, min_size=1, max_size=2, unique=True))

        facts = host(36, nodes=data.draw(st.integers(1, 2)))
        study = planned(
            facts,
            reflect_direction=some(st.sampled_from(["vswitch", "far_end"])),
            reflect_forwarding_cores=some(st.sampled_from(["one", "per_queue"])),
            reflect_burst=some(st.integers(1, 32)),
            reflect_ring_size=some(st.sampled_from([32, 256, 32768])),
            reflect_in_order=some(st.booleans()),
            reflect_vectorized=some(st.booleans()),
            reflect_queues=some(st.integers(1, 16)),
            reflect_packet_sizes=some(st.integers(64, 1518)),
            reflect_mbufs=1 << 21,
            reflect_memory_mib=data.draw(st.integers(8192, 1 << 18)),
        )
        nodes = {pool["node"] for pool in study["hugepages"]}
        for launch in study["launches"]:
            ends = [parse(launch[end]) for end in ("vswitch", "far_end")]
            assert not set(ends[0].cpus) & set(ends[1].cpus)
            assert {end.numa_node for end in ends} <= nodes
            for cell in launch["cells"]:
                asked = cell["asked"]
                assert asked.items() >= cell["cell"].items()
                assert all(end.queues == asked["queues"] for end in ends)
                cores = asked["queues"] if asked["forwarding_cores"] == "per_queue" else 1
                assert all(len(end.cpus) == cores for end in ends)


class TestRemaining:
    @given(st.data())
    def test_it_is_what_is_not_done(self, data: st.DataObject) -> None:
        study = planned(host(2), reflect_packet_sizes=[64, 128])
        before = copy.deepcopy(study)
        cells = study["definition"]["cells"]
        valid = data.draw(st.lists(st.integers(0, 4), min_size=len(cells), max_size=len(cells)))
        done = [
            {"host": "lab1", "study": "reflect", "cell": dict(reversed(cell.items())), "valid_trials": trials}
            for cell, trials in zip(cells, valid, strict=True)
            if trials
        ]
        left = remaining(study["launches"], data.draw(st.permutations(done)), "lab1")
        found = [(cell["cell"], cell["trials"]) for launch in left for cell in launch["cells"]]
        assert found == [(cell, 3 - trials) for cell, trials in zip(cells, valid, strict=True) if trials < 3]
        assert all(launch["cells"] for launch in left)
        assert study == before

    def test_nothing_is_left_of_a_complete_run(self) -> None:
        study = planned()
        done = [
            {"host": "lab1", "study": "reflect", "cell": cell, "valid_trials": 3}
            for cell in study["definition"]["cells"]
        ]
        assert remaining(study["launches"], done, "lab1") == []

    @pytest.mark.parametrize("other", [{"host": "lab2"}, {"study": "throttle"}])
    def test_what_others_have_measured_is_not_done_here(self, other: dict[str, str]) -> None:
        study = planned()
        cell = study["definition"]["cells"][0]
        done = [{"host": "lab1", "study": "reflect", "cell": cell, "valid_trials": 3, **other}]
        assert remaining(study["launches"], done, "lab1") == study["launches"]


# What somebody may give on a command line or in an inventory, meant well or not.
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70000),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.from_regex(r"[0-9]{1,5}(,[0-9]{1,5}){0,3}", fullmatch=True),
    st.sampled_from(["virtio_user_split", "far_end", "per_queue", "true", "2M", "1,2", "0-1", "9" * 5000]),
)
ANYTHING = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2))


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(sorted(DEFAULTS)), ANYTHING, max_size=3),
    st.integers(1, 40),
    st.sampled_from([1, 2]),
)
def test_wild_variables_give_a_plan_or_what_is_allowed(variables: dict[str, Any], cpus: int, nodes: int) -> None:
    try:
        study = planned(host(cpus, nodes=nodes), **variables)
    except PlanError:
        return
    for launch in study["launches"]:
        for end in ("vswitch", "far_end"):
            assert set(parse(launch[end]).cpus) <= set(range(cpus))
    assert study["seconds"] > 0
    assert describe(study)
