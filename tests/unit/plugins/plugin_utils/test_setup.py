# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked for beside what was observed."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.setup import Setting, Value, compare
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def settings(*pairs: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Setting]:
    """The settings of trials with these setups, by name."""
    records = [Record(make.record(asked=asked, observed=observed), 1) for asked, observed in pairs]
    return {setting.name: setting for setting in compare(records)}


def test_levels_that_were_all_granted_are_one_line() -> None:
    found = settings(({"queues": 1}, {"queues": 1}), ({"queues": 2}, {"queues": 2}), ({"queues": 1}, {"queues": 1}))
    assert found["queues"].values == [Value("1, 2", "1, 2", 3)]


def test_what_was_not_granted_has_a_line_of_its_own_and_comes_first() -> None:
    found = settings(({"ring": 256}, {"ring": 256}), ({"ring": 1024}, {"ring": 256}))
    assert [(value.asked, value.observed, value.differs) for value in found["ring"].values] == [
        ("1024", "256", True),
        ("256", "256", False),
    ]


def test_what_only_one_side_knows_is_no_difference() -> None:
    found = settings(({"burst": 32}, {"features": ["a", "b"]}))
    assert found["burst"].values == [Value("32", "", 1)]
    assert found["features"].values == [Value("", "a, b", 1)]
    assert list(found) == ["burst", "features"]


def test_each_command_line_stands_alone_up_to_a_few() -> None:
    found = settings(*(({}, {"vswitch": {"command": ["testpmd", str(n)]}}) for n in range(8)))
    commands = found["vswitch.command"]
    assert commands.is_command
    assert commands.values[0].observed == "testpmd 0"
    assert (len(commands.values), commands.more) == (6, 2)


def test_features_and_cpus_stand_beside_what_they_were_asked_as() -> None:
    found = settings(
        (
            {"mrg_rxbuf": True, "in_order": True, "packed": False, "vswitch_cpus": [0], "far_end_cpus": [1]},
            {"features": ["mrg_rxbuf"], "vswitch": {"cpus": [0]}, "generator": {"cpus": [3]}},
        )
    )
    assert {name: (setting.values[0].observed, setting.values[0].differs) for name, setting in found.items()} == {
        "mrg_rxbuf": ("on", False),
        "in_order": ("off", True),
        "packed": ("off", False),
        "vswitch_cpus": ("0", False),
        "far_end_cpus": ("3", True),
        "features": ("mrg_rxbuf", False),
    }


def test_several_lists_can_be_told_apart() -> None:
    found = settings(({}, {"features": ["a", "b"]}), ({}, {"features": ["a", "c"]}))
    assert found["features"].values[0].observed == "a, b; a, c"


def test_pins_are_asked_for_by_role_and_observed_by_thread() -> None:
    found = settings(
        (
            {"pins": {"vcpus": [{"vcpu": 0, "cpus": "1"}], "emulator": {"cpus": "1"}}},
            {"pins": [{"thread": "emulator", "cpus": "1"}, {"thread": "vcpu 0", "cpus": "1"}]},
        )
    )
    assert found["pins"].values == [Value("vCPU 0: 1, emulator: 1", "vCPU 0: 1, emulator: 1", 1)]
