# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study throttle, planned: what is wrong is found before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import client as vnc_client
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import server as vnc_server
from ansible_collections.virtperf.vhost.plugins.plugin_utils import records
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.plan import VARIABLES, cells, plan, remaining
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

ROLE = Path(__file__).resolve().parents[5] / "roles" / "throttle"
DEFAULTS: dict[str, Any] = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
GIVEN = {**DEFAULTS, "throttle_server": "guest1", "throttle_client": "guest2", "throttle_server_address": "10.0.0.1"}
VNC = {"throttle_workload": "vnc"}


def planned(**changes: Any) -> dict[str, Any]:
    return plan({**GIVEN, **changes})


def test_the_role_has_defaults_and_documentation_for_all_variables() -> None:
    documented = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert set(DEFAULTS) == set(documented) == set(VARIABLES)
    for name, option in documented.items():
        assert option.get("default", DEFAULTS[name]) == DEFAULTS[name], name


def test_the_default_timeline_is_that_of_the_original_and_a_ladder() -> None:
    (timeline,) = planned()["timelines"]
    assert [(phase["name"], phase["cpu_max"], phase["seconds"]) for phase in timeline["phases"]] == [
        ("baseline", "max 100000", 8),
        ("throttled", "1000 1000000", 8),
        ("recovered", "max 100000", 8),
        ("50%", "50000 100000", 6),
        ("20%", "20000 100000", 6),
        ("10%", "10000 100000", 6),
        ("5%", "5000 100000", 6),
        ("1%", "1000 100000", 6),
        ("0.1%", "1000 1000000", 6),
    ]
    assert (timeline["trials"], timeline["sender"]) == (3, "client")
    assert timeline["server"]["name"] == "guest1"
    # A minute and a quarter of traffic, some before and some after.
    assert timeline["client"]["command"][:5] == ["iperf3", "--client", "10.0.0.1", "--time", str(62 + 15)]
    assert "--one-off" in timeline["server"]["command"]


def test_a_trace_is_off_unless_asked_for() -> None:
    plans = {value: planned(throttle_trace=value) for value in (False, "yes")}
    assert [plan["timelines"][0]["trace"] for plan in plans.values()] == [False, True]
    assert [plan["definition"]["trace"] for plan in plans.values()] == [False, True]
    assert planned()["timelines"] == plans[False]["timelines"]


def test_all_of_it_takes_less_than_eight_minutes() -> None:
    assert 3 * 60 < planned()["seconds"] < 480
    assert planned()["lines"][-1] == f"9 cells, about {planned()['seconds']:.0f} s"


def test_a_picture_gets_the_time_that_its_changes_need() -> None:
    (timeline,) = planned(**VNC, throttle_ladder=[50])["timelines"]
    assert [phase["seconds"] for phase in timeline["phases"]] == [44, 44, 44, 12]
    assert timeline["sender"] == "server"


def test_the_programs_of_the_picture_get_what_they_have_to_agree_on() -> None:
    study = planned(
        **VNC,
        throttle_vnc_port=5901,
        throttle_vnc_width=800,
        throttle_vnc_height=600,
        throttle_vnc_delay_seconds=2.5,
        throttle_vnc_colours=["#ff0000", "#00FF00"],
        throttle_vnc_screen=":0",
        throttle_vnc_xauthority="/home/me/.Xauthority",
    )
    (timeline,) = study["timelines"]
    server, client = timeline["server"], timeline["client"]
    common = ["--port", "5901", "--colours", "#ff0000,#00FF00", "--width", "800", "--height", "600"]
    assert server["command"] == [
        *("/usr/bin/python3", "/run/virtperf/vnc/server", "--address", "10.0.0.1", "--delay", "2.5"),
        *("--screen=:0", "--xauthority=/home/me/.Xauthority", *common),
    ]
    assert client["command"] == ["/usr/bin/python3", "/run/virtperf/vnc/client", "--server", "10.0.0.1", *common]
    # The programs themselves understand them.
    assert vnc_server.asked(server["command"][2:]).screen == ":0"
    assert vnc_client.asked(client["command"][2:]).width == 800
    assert [end["ready"][2] for end in (server, client)] == [
        f'kill -0 "$(cat /run/virtperf/vnc/{end}.ready)"' for end in ("server", "client")
    ]
    assert (server["sockets"], client["sockets"]) == (["sport", "=", ":5901"], ["dport", "=", ":5901"])
    assert study["definition"]["vnc"] == {
        "width": 800,
        "height": 600,
        "delay_seconds": 2.5,
        "colours": ["#ff0000", "#00FF00"],
    }
    assert "--screen" not in " ".join(planned(**VNC)["timelines"][0]["server"]["command"])


def test_every_cell_is_one_that_records_may_have() -> None:
    study = planned(**{**VNC, "throttle_workload": "vnc,iperf3"}, throttle_layouts=["kthread", "libvirt"])
    assert len(study["timelines"]) == 4
    assert [(one["workload"], one["layout"]) for one in study["timelines"]][:2] == [
        ("vnc", "kthread"),
        ("vnc", "libvirt"),
    ]
    assert all(records.cell_fault("throttle", cell) == "" for cell in study["definition"]["cells"])
    assert study["definition"]["cells"] == [cell for one in study["timelines"] for cell in cells(one)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"throttle_ladder": [0.05]}, "a quota of 0.05 % of a CPU cannot be"),
        ({"throttle_ladder": [50, 50]}, "more than one phase is called 50%"),
        ({"throttle_ladder": "50"}, "throttle_ladder cannot be '50'. Allowed: a list"),
        ({"throttle_phases": [{"name": "x", "cpu_max": "999 1000"}]}, "below the kernel's minimum"),
        ({"throttle_phases": [], "throttle_ladder": []}, "a timeline needs a phase"),
        ({"throttle_phase_seconds": 3600}, "the phases of iperf3 last 10836 seconds"),
        ({"throttle_workload": "ping"}, "throttle_workload cannot be 'ping'. Allowed: iperf3, vnc"),
        ({"throttle_layouts": ["kthread", "kthread"]}, "each once"),
        ({"throttle_layouts": []}, "throttle_layouts cannot be"),
        ({"throttle_server_address": ""}, "throttle_server_address cannot be ''"),
        ({"throttle_server_address": "-e id"}, "throttle_server_address cannot be '-e id'"),
        ({"throttle_trials": 0}, "throttle_trials cannot be 0"),
        ({"throttle_trace": "perhaps"}, "throttle_trace cannot be 'perhaps'. Allowed: true, false"),
        ({"throttle_sample_seconds": 0}, "throttle_sample_seconds cannot be 0"),
        ({"throttle_port": 70000}, "throttle_port cannot be 70000"),
        ({**VNC, "throttle_server_address": "fd00::1"}, "Allowed: an IPv4 address, or a name"),
        ({**VNC, "throttle_vnc_colours": ["#ff0000"]}, "throttle_vnc_colours cannot be ['#ff0000']"),
        ({**VNC, "throttle_vnc_colours": ["#ff0000", "red"]}, "each '#rrggbb'"),
        ({**VNC, "throttle_vnc_colours": "#ff0000"}, "throttle_vnc_colours cannot be '#ff0000'"),
        ({**VNC, "throttle_vnc_delay_seconds": 0.5}, "throttle_vnc_delay_seconds cannot be 0.5"),
        ({**VNC, "throttle_vnc_port": 0}, "throttle_vnc_port cannot be 0"),
        ({**VNC, "throttle_vnc_width": 10}, "throttle_vnc_width cannot be 10"),
        ({"throttle_speed": 1}, "the study throttle has no throttle_speed"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError) as caught:
        planned(**changes)
    assert message in str(caught.value)


def test_a_variable_that_is_missing_is_named() -> None:
    with pytest.raises(PlanError, match="throttle_port: not set"):
        plan({name: value for name, value in GIVEN.items() if name != "throttle_port"})


def test_what_a_resumed_run_still_has_to_measure() -> None:
    timelines = planned(throttle_layouts=["kthread", "libvirt"])["timelines"]

    def done(timeline: dict[str, Any], valid: int) -> list[dict[str, Any]]:
        return [{"host": "a", "study": "throttle", "cell": cell, "valid_trials": valid} for cell in cells(timeline)]

    assert remaining(timelines, [], "a") == timelines
    assert remaining(timelines, done(timelines[0], 3), "b") == timelines
    some = done(timelines[0], 3) + done(timelines[1], 2)
    assert [(one["layout"], one["trials"]) for one in remaining(timelines, some, "a")] == [("libvirt", 1)]
    some[-1]["valid_trials"] = 0  # one phase failed each time: the timeline is run as often as that needs
    assert [one["trials"] for one in remaining(timelines, some, "a")] == [3]
