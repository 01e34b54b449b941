# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layouts proposed: one to one, near, with some CPUs kept."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.filter.pin_layout import FilterModule, pin_layout
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import parse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.pin_layout import LayoutError, propose


def host(
    cores: int = 4, nodes: int = 2, isolated: tuple[int, ...] = (), allowed: tuple[int, ...] = ()
) -> dict[str, Any]:
    """Cores of two threads: CPU n and n + cores; the cores in blocks on the nodes."""
    cpus = range(2 * cores)
    return {
        "cpus": {
            "online": list(cpus),
            "allowed": [cpu for cpu in cpus if cpu not in isolated],
            "isolated": list(isolated),
            "node_of": {str(cpu): cpu % cores * nodes // cores for cpu in cpus},
            "siblings_of": {str(cpu): [cpu % cores, cpu % cores + cores] for cpu in cpus},
        }
    }


def cpus_of(vm: dict[str, Any]) -> list[int]:
    return [int(entry["cpus"]) for entry in vm["vcpus"]]


def test_one_thread_a_core_and_the_first_cpu_kept() -> None:
    (vm,) = propose([{"qmp": "/q", "vcpus": 3}], host(cores=4, nodes=1))
    assert vm == {
        "qmp": "/q",
        "vcpus": [{"vcpu": 0, "cpus": "1"}, {"vcpu": 1, "cpus": "2"}, {"vcpu": 2, "cpus": "3"}],
        "emulator": {"cpus": "0"},
        "vhost": {"cpus": "0"},
    }


def test_workers_get_their_own() -> None:
    (vm,) = propose([{"domain": "d", "name": "n", "vcpus": 2, "vhost_cpus": 1}], host(nodes=1))
    assert (vm["name"], vm["domain"], cpus_of(vm), vm["vhost"]) == ("n", "d", [1, 2], {"cpus": "3"})


def test_isolated_cpus_first_though_no_process_inherits_them() -> None:
    (vm,) = propose([{"domain": "d", "vcpus": 2}], host(nodes=1, isolated=(2, 3)))
    assert cpus_of(vm) == [2, 3]


def test_a_node_with_room() -> None:
    (vm,) = propose([{"domain": "d", "vcpus": 4}], host(cores=4, nodes=2))
    assert cpus_of(vm) == [2, 3, 6, 7]
    (vm,) = propose([{"domain": "d", "vcpus": 1, "numa_node": 1}], host(cores=4, nodes=2))
    assert cpus_of(vm) == [2]


@pytest.mark.parametrize(
    ("vms", "more", "message"),
    [
        ([{"vcpus": 8}], {}, "VM number 0 needs 8 CPUs, and this host has 7 left: 1-7 (8 that can be used, 0-7;"),
        (
            [{"vcpus": 5}],
            {},
            "of one NUMA node, and of those left has node 0 3 (1,4-5), node 1 4 (2-3,6-7)",
        ),
        ([{"vcpus": 4, "numa_node": 0}], {}, "NUMA node 0 has 3 left: 1,4-5"),
        ([{"vcpus": 1, "numa_node": 9}], {}, "NUMA node 9 has 0 left: none"),
        ([{"vcpus": 0}], {}, "vcpus cannot be 0. Allowed: whole numbers from 1"),
        ([{}], {}, "vcpus cannot be None"),
        ([{"vcpus": 1, "cpu": 2}], {}, "unknown keys cpu"),
        ([{"vcpus": 1}], {"housekeeping": [9]}, "housekeeping names CPU 9. Allowed: one or more of CPUs 0-7"),
        ([{"vcpus": 1}], {"housekeeping": []}, "housekeeping is empty"),
        ([{"vcpus": 1}], {"housekeeping": ["0"]}, "housekeeping cannot be ['0']"),
    ],
)
def test_what_cannot_be_had(vms: list[dict[str, Any]], more: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        pin_layout(vms, host(), **more)
    assert message in str(caught.value)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 8), st.integers(1, 2))
def test_no_cpu_twice_and_none_that_is_kept(sizes: list[int], cores: int, nodes: int) -> None:
    vms = [{"domain": str(number), "vcpus": size} for number, size in enumerate(sizes)]
    try:
        layout = propose(vms, host(cores, nodes))
    except LayoutError:
        return
    chosen = [cpu for vm in layout for cpu in cpus_of(vm)]
    assert len(chosen) == len(set(chosen)) == sum(sizes)
    assert 0 not in chosen
    assert len(parse(layout)) == len(vms), "the module takes it"
    assert FilterModule().filters()["pin_layout"](vms, host(cores, nodes)) == layout
