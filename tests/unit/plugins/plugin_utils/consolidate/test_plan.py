# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From variables to trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import check
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import parse as parse_bridges
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.plan import VARIABLES, plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.schedule import remaining
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make

ROLE = Path(__file__).parents[5] / "roles" / "consolidate"
DEFAULTS = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
# What the role's defaults say where they are templates.
GIVEN: dict[str, Any] = {
    **DEFAULTS,
    "consolidate_guests": ["server", "client", "third"],
    "consolidate_guest_counts": [1, 2, 3],
}
HOST = {"cpus": make.CPUS}


def planned(**changes: Any) -> dict[str, Any]:
    return plan({**GIVEN, **{f"consolidate_{name}": value for name, value in changes.items()}}, HOST)


def test_the_role_defines_the_study() -> None:
    assert set(DEFAULTS) == set(VARIABLES)
    options = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert set(options) == set(VARIABLES)
    for name, option in options.items():
        if "default" in option:
            assert option["default"] == DEFAULTS[name], name


def test_three_counts_three_policies_six_workloads_three_trials_in_about_ten_minutes() -> None:
    found = planned()
    assert len(found["definition"]["cells"]) == 54
    assert len(found["trials"]) == 162
    assert 540 <= found["seconds"] <= 840
    assert found["lines"][-1].startswith("54 cells, 162 trials, about ")
    assert found["lines"][0] == "VM cores 0-2, I/O cores 3, what makes the traffic on 0-2"


def test_it_fits_the_modules_that_it_is_for() -> None:
    found = planned(workloads=["tcp_rr", "nginx"])
    guests = [{**make.guest(number), "name": name} for number, name in enumerate(found["guests"], 1)]
    for guest in guests:
        guest["nics"] = found["nics"][guest["name"]]
    made = setup(make.arguments(**found["run"], guests=guests, trials=remaining(found["trials"], [], "hv", "r1")))
    check(made.partition, (0, 1, 2, 3))
    (bridge,) = parse_bridges(found["needs"]["bridges"])
    assert [tap.name for tap in bridge.taps] == made.taps
    assert all(len(name) <= 15 for name in made.taps)
    assert found["needs"]["packages"] == ["netperf", "apache2-utils"]
    assert found["needs"]["guests"]
    assert [tap.get("poll_us") for tap in found["taps"]["server"]] == [None, 50]
    assert [tap["ifname"] for tap in found["taps"]["client"]] == ["vp-con2", "vp-con2-poll"]


def test_words_of_a_command_line() -> None:
    found = planned(guest_counts="1,3", policies="baseline, sidecore", workloads="tcp_stream_16k", trials="2")
    assert found["definition"]["guest_counts"] == [1, 3]
    assert found["definition"]["policies"] == ["baseline", "sidecore"]
    assert len(found["trials"]) == 8
    assert planned(guest_counts=2)["guests"] == ["server", "client"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"guest_counts": [1, 4]},
            "asks for 4 guests, and this hypervisor has 3: server, client, third. Allowed: up to 3",
        ),
        ({"guest_counts": [0]}, r"consolidate_guest_counts cannot be \[0\]"),
        ({"guest_counts": []}, "consolidate_guest_counts cannot be"),
        ({"guest_counts": [1, 1]}, "each once"),
        ({"guests": []}, "this hypervisor has no guests. Allowed: an inventory of the plugin lab"),
        ({"guests": ["a", "a"]}, "consolidate_guests cannot be"),
        ({"policies": ["elvis"]}, "consolidate_policies cannot be .* Allowed: baseline, sidecore, sidecore_poll"),
        ({"workloads": ["iperf3"]}, "consolidate_workloads cannot be .* Allowed: tcp_stream_64, .*nginx, each once"),
        ({"workloads": []}, "consolidate_workloads cannot be"),
        ({"trials": 0}, "consolidate_trials cannot be 0"),
        ({"window_seconds": 0}, "consolidate_window_seconds cannot be 0"),
        ({"window_seconds": 290, "late_seconds": 60, "warmup_seconds": 60}, None),
        ({"poll_us": 0}, "consolidate_poll_us cannot be 0"),
        ({"connections": 0}, "consolidate_connections cannot be 0"),
        ({"guest_vcpus": 0}, "consolidate_guest_vcpus cannot be 0"),
        ({"guest_memory": "much"}, "consolidate_guest_memory cannot be 'much'. Allowed: a size such as 768MiB"),
        ({"bridge": "a name"}, "consolidate_bridge cannot be 'a name'"),
        ({"cgroup": "cpu.max"}, "consolidate_cgroup: .*taken by the kernel"),
        ({"dry_run": "perhaps"}, "consolidate_dry_run cannot be 'perhaps'"),
        ({"io_cpus": [7]}, "consolidate_io_cpus asks for CPU 7, and this host lets us use 4 CPUs: 0-3"),
        ({"polices": []}, "the study consolidate has no consolidate_polices. Its variables: consolidate_guest_counts"),
    ],
)
def test_what_cannot_be(changes: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert planned(**changes)["trials"]
        return
    with pytest.raises(PlanError, match=message):
        planned(**changes)


def test_what_is_not_set() -> None:
    with pytest.raises(PlanError, match=r"consolidate_trials: not set. The role consolidate has defaults"):
        plan({name: value for name, value in GIVEN.items() if name != "consolidate_trials"}, HOST)
