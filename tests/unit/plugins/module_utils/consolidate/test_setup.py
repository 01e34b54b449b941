# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the module's arguments."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import Timing, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make


def test_all_of_it() -> None:
    trials = [make.trial("nginx", 2, "sidecore_poll"), {**make.trial("tcp_rr"), "position": 9}]
    made = setup(make.arguments(trials=trials))
    assert made.taps == ["plain1", "poll1", "plain2", "poll2"]
    assert [thread.label for thread in made.threads[:4]] == ["g1/worker0", "g1/worker1", "g1/vcpu0", "g1/emulator0"]
    assert made.guests[0].nics["plain"].mac == "52:54:00:c5:01:01"
    assert made.trials[0].cell == {"policy": "sidecore_poll", "guests": 2, "workload": "nginx"}
    assert [trial.position for trial in made.trials] == [1, 9]
    assert made.programs == ["nginx", "netperf"]
    assert made.nics == ["plain", "poll"]
    assert str(made.trials[0]) == "nginx, 2 guests, sidecore_poll"


def test_who_starts_as_late_as_may_be_runs_until_the_window_ends() -> None:
    assert Timing(2.0, 0.5, 0.5).run_s == 3
    assert Timing(2.0, 0.5, 0.6).run_s == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": [make.trial(guests=3)]}, "a trial cannot have 3 guests .*2 are listed"),
        ({"trials": [make.trial("iperf3")]}, "there is no workload 'iperf3'"),
        ({"trials": [make.trial(policy="elvis")]}, "there is no policy 'elvis'. Way out: one of baseline, sidecore"),
        ({"io_cpus": "x"}, "io_cpus: 'x' is not a list of CPUs"),
        ({"addresses": {"plain": "198.19.1.254"}}, "addresses.poll has no address"),
        ({"window_seconds": 0.0}, "window_seconds cannot be 0"),
        ({"window_seconds": 300.0, "warmup_seconds": 60.0, "late_seconds": 61.0}, "late_seconds cannot be 61"),
        ({"connections": 0}, "connections cannot be 0"),
        ({"poll_us": 0}, "poll_us cannot be 0"),
        ({"guests": [make.guest(1), make.guest(1)]}, "two guests have the name g1"),
        ({"guests": [make.guest(1), {**make.guest(2), "vm": "vm1"}]}, "two guests have the VM vm1"),
        ({"guests": [make.guest(1, threads=[])]}, "guest g1 has no worker thread .*no threads at all"),
        ({"guests": [make.guest(1, nics={"plain": make.guest(1)["nics"]["plain"]})]}, "guest g1 has no NIC poll"),
    ],
)
def test_what_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        setup(make.arguments(**changes))
