# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter: a plan with its lines, or a failure that a template shows as it is."""

from __future__ import annotations

import inspect
import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.virtperf.vhost.plugins.filter.reflect_plan import DOCUMENTATION, FilterModule
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import parse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.factors import FACTORS

ROOT = Path(__file__).parents[4]
HOST = {"cpus": {"allowed": [0, 1], "isolated": [], "node_of": {"0": 0, "1": 0}, "siblings_of": {}}, "numa_nodes": []}


@pytest.fixture
def variables() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "roles/reflect/defaults/main.yml").read_text(encoding="utf-8"))
    return loaded


def test_a_plan_comes_with_its_lines(variables: dict[str, Any]) -> None:
    reflect_plan = FilterModule().filters()["reflect_plan"]
    study = reflect_plan(variables, HOST)
    assert {"launches", "definition", "needs", "seconds", "lines"} == set(study)
    assert study["lines"][-1].startswith("24 cells, 4 launches")


def test_what_changes_in_running_processes_varies_faster_than_what_costs_a_launch(variables: dict[str, Any]) -> None:
    reflect_plan = FilterModule().filters()["reflect_plan"]
    study = reflect_plan({**variables, "reflect_burst": "16,32,64", "reflect_ring_size": [128, 256]}, HOST)
    launched = [[parse(launch[end]).launch_part() for end in ("vswitch", "far_end")] for launch in study["launches"]]
    starts = sum(before != after for before, after in itertools.pairwise([None, *launched]))
    # Two drivers, two numbers of queues, two ring sizes; a burst is a word to the running processes.
    assert starts == 8
    # The role's file promises the same order to its reader.
    assert [name for name in variables if name in FACTORS] == list(FACTORS)


def test_a_refusal_is_a_filter_s_failure(variables: dict[str, Any]) -> None:
    reflect_plan = FilterModule().filters()["reflect_plan"]
    with pytest.raises(AnsibleFilterError, match=r"reflect_queues cannot be 99. Allowed: whole numbers"):
        reflect_plan({**variables, "reflect_queues": 99}, HOST)


def test_every_return_value_is_documented() -> None:
    source = (ROOT / "plugins/filter/reflect_plan.py").read_text(encoding="utf-8")
    for name in ("launches", "definition", "needs", "lines", "seconds"):
        assert f"C({name})" in source


def test_the_documentation_is_that_of_the_function() -> None:
    documented = yaml.safe_load(DOCUMENTATION)
    _value, *others = inspect.signature(FilterModule().filters()["reflect_plan"]).parameters
    assert documented["positional"] == ", ".join(["_input", *others])
    assert list(documented["options"]) == ["_input", *others]
