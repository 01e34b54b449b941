# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study reflect, planned: few launches, cheap factors fastest, and nothing impossible gets as far as a start."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import parse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.description import describe
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.factors import FACTORS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.settings import SETTINGS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError
from ansible_collections.virtperf.vhost.tests.unit.plugins.plugin_utils.reflect.planning import (
    DEFAULTS,
    ROLE,
    SIZES,
    host,
    planned,
)


def test_24_cells_in_4_launches_on_two_cpus() -> None:
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


def test_each_end_has_a_cpu() -> None:
    for launch in planned(host(2))["launches"]:
        assert (launch["vswitch"]["cpus"], launch["far_end"]["cpus"]) == ([0], [1])


def test_the_vswitch_reflects_and_the_far_end_generates() -> None:
    for launch in planned(host(2))["launches"]:
        vswitch, far_end = launch["vswitch"], launch["far_end"]
        assert (vswitch["name"], vswitch["forward_mode"]) == ("vswitch", "io")
        assert (far_end["name"], far_end["forward_mode"]) == ("generator", "flowgen")


def test_hugepages_for_both_ends_and_the_mount_that_both_use() -> None:
    study = planned(host(2))
    assert study["needs"]["hugepages"] == [{"size": "2M", "count": 128, "count_means": "free", "node": 0}]
    (mount,) = study["needs"]["mounts"]
    assert mount["size"] == "2M"
    ends = [launch[end] for launch in study["launches"] for end in ("vswitch", "far_end")]
    assert {end["huge_dir"] for end in ends} == {mount["path"]}


def test_the_role_has_a_default_for_every_variable_and_documents_it() -> None:
    assert set(DEFAULTS) == {*FACTORS, *SETTINGS}
    specification = ROLE / "meta" / "argument_specs.yml"
    options = yaml.safe_load(specification.read_text())["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in options.items()} == DEFAULTS


def test_the_packet_size_varies_fastest() -> None:
    study = planned(reflect_ring_size=[256, 512])
    for launch in study["launches"]:
        assert [cell["cell"]["packet_size"] for cell in launch["cells"]] == SIZES


def test_as_few_launches_as_the_other_factors_have_combinations() -> None:
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


def test_a_factor_with_one_level_is_no_part_of_a_cell() -> None:
    assert set(planned()["definition"]["cells"][0]) == {"driver", "queues", "packet_size"}
    varied = planned(reflect_burst=[32, 64])
    assert set(varied["definition"]["cells"][0]) == {"burst", "driver", "queues", "packet_size"}
    assert varied["definition"]["factors"]["ring_size"] == [256]


def test_no_two_cells_are_the_same() -> None:
    cells = planned(reflect_burst=[32, 64], reflect_mrg_rxbuf=[True, False])["definition"]["cells"]
    assert max(Counter(str(cell) for cell in cells).values()) == 1


def test_what_is_asked_is_the_whole_setup() -> None:
    study = planned(reflect_drivers="virtio_user_packed", reflect_queues=2)
    asked = study["launches"][0]["cells"][0]["asked"]
    assert {factor.name for factor in FACTORS.values()} <= set(asked)
    assert asked["packed"] is True
    assert asked["vswitch_cpus"] == study["launches"][0]["vswitch"]["cpus"]
    assert asked["far_end_cpus"] == study["launches"][0]["far_end"]["cpus"]


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
