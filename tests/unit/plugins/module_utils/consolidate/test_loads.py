# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a trial."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.loads import Load, Told, loads
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.tests.unit import consolidate_stations as make

HERE, GUESTS = make.FakeStation("here"), {name: make.FakeStation(name) for name in ("g1", "g2")}


def programs(workload: str, guests: int = 2, policy: str = "baseline") -> list[Load]:
    made = setup(make.arguments(trials=[make.trial(workload, guests, policy)]))
    return loads(made.trials[0], made, HERE, GUESTS, "memcaslap", 42.5, "/run/x")


def test_netperf_runs_in_the_guests_over_the_nic_that_the_policy_says() -> None:
    first, second = programs("tcp_stream_64", policy="sidecore_poll")
    assert [first.station, second.station] == [GUESTS["g1"], GUESTS["g2"]]
    words = list(second.words)
    assert words[0] == "netperf"
    assert words[words.index("-H") + 1] == "198.19.2.254"
    assert words[words.index("-L") + 1] == "198.19.2.2"
    assert words[words.index("-m") + 1] == "64"
    assert words[words.index("-l") + 1] == "1"
    assert first.read(make.STREAM, "") == Told(goodput_mbps=940.25)
    (rr,) = programs("udp_rr", 1)
    assert "UDP_RR" in rr.words
    assert rr.read(make.RR, "") == Told(transactions_per_s=1000.5, p50_us=90.0, p99_us=450.0)


def test_memcached_is_asked_from_here_by_two_programs() -> None:
    found = programs("memcached")
    assert [load.key for load in found] == ["probe g1", "memaslap g1", "probe g2", "memaslap g2"]
    assert {load.station.name for load in found} == {"here"}
    assert [load.waits for load in found] == [True, False, True, False]
    assert "--servers=198.19.1.2:11211" in found[3].words
    # One CPU for each, for it would bind itself to CPU 0 of many.
    assert [list(found[place].words[:4]) for place in (1, 3)] == [
        ["taskset", "-c", "0", "memcaslap"],
        ["taskset", "-c", "1", "memcaslap"],
    ]
    assert found[0].words[-4:] == ["198.19.1.1", "11211", "42.500000", "1.000"]
    assert found[1].read(make.MEMASLAP, "") == Told(transactions_per_s=999.0)
    told = found[0].read(make.probe(42.5), "")
    assert (told.p50_us, told.p99_us, told.started_s) == (80.0, 300.0, 42.5)


def test_nginx_is_asked_from_here() -> None:
    (load,) = programs("nginx", 1)
    assert load.words[-1] == "http://198.19.1.1:80/"
    assert load.read(make.AB, "") == Told(transactions_per_s=250.5, p50_us=2500.0, p99_us=9125.0)


@pytest.mark.parametrize(
    ("workload", "text", "message"),
    [
        ("tcp_rr", "establish control: are you sure there is a netserver", "are you sure"),
        ("tcp_rr", "", "netperf gave no result"),
        ("tcp_stream_64", make.STREAM.replace("940.25", "0.00"), "netperf moved nothing"),
        ("nginx", "", "ab gave no result"),
    ],
)
def test_errors_and_silence_are_no_results(workload: str, text: str, message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        programs(workload, 1)[0].read(text, "")
