# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes the traffic: programs' words, servers that run all along, and packets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs import load as load_module
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.addresses import Prepared
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.load import Load, Servers, listening, load
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import (
    BASELINE,
    PEER_MAC,
    FakeGuests,
    raw,
    trial,
)

PREPARED = Prepared(nics={"host": "vpbr0", "peer": "eth1"}, macs={"host": "fe:00:00:00:00:06", "peer": PEER_MAC})


def made(guests: FakeGuests, workload: str) -> Load:
    places = {"dut": guests.dut, "peer": guests.peer}
    given = setup(raw())
    return load(given.workloads[workload], given.arms["baseline"], places, PREPARED, Servers(places), 2.2)


def test_iperf3() -> None:
    guests = FakeGuests()
    stream = made(guests, "tcp_out")
    stream.start()
    assert guests.dut.did == [
        "iperf3 --client 198.18.1.2 --bind 198.18.1.1 --port 5301 --time 7 --interval 0 --length 64"
    ]
    assert (stream.fault(), stream.again()) == ("", False)
    assert stream.stop().netperf is None
    assert guests.dut.did[-1] == "stop iperf3"


def test_iperf3_that_ends_early_with_an_error() -> None:
    guests = FakeGuests()
    guests.dut.fails["iperf3"] = ["iperf3: error - unable to connect to server"]
    stream = made(guests, "tcp_out")
    stream.start()
    assert not stream.again()
    assert stream.fault() == (
        "iperf3 on guest1 ended with status 1 before its window did: iperf3: error - unable to connect to server"
    )


def test_a_server_that_is_still_busy_is_asked_again_and_then_started_anew() -> None:
    guests = FakeGuests()
    guests.dut.fails["iperf3"] = [
        "iperf3: error - the server is busy running a test. try again later",
        "iperf3: error - unable to receive control message: Connection reset by peer",
    ]
    guests.peer.start("iperf3", ["iperf3", "--server"])
    stream = made(guests, "tcp_out")
    stream.start()
    assert stream.again()
    assert "stop iperf3" not in guests.peer.did
    assert stream.again()
    assert "stop iperf3" in guests.peer.did
    assert not stream.again()
    assert stream.fault() == ""


def test_but_not_for_ever() -> None:
    guests = FakeGuests()
    guests.dut.fails["iperf3"] = ["the server is busy"] * 9
    guests.peer.start("iperf3", ["iperf3", "--server"])
    stream = made(guests, "tcp_out")
    stream.start()
    while stream.again():
        continue
    assert "busy" in stream.fault()
    assert len([words for words in guests.dut.did if words.startswith("iperf3 --client")]) == 3


def test_netperf_is_told_to_end() -> None:
    guests = FakeGuests()
    requests = made(guests, "tcp_rr")
    requests.start()
    assert "-H 198.18.1.2 -p 12885 -t TCP_RR -l 8 -P 0 -L 198.18.1.1 -j -D 0.1" in guests.dut.did[0]
    result = requests.stop().netperf
    assert result is not None
    assert (result.rate, result.p50_us, result.p99_us) == (5000.0, 150.0, 400.0)
    assert "signal 14" in guests.dut.did


@pytest.mark.parametrize("said", ["", "netperf: remote error 111"])
def test_netperf_that_says_an_error_or_nothing(said: str) -> None:
    guests = FakeGuests()
    guests.dut.says["netperf"] = said
    requests = made(guests, "tcp_rr")
    requests.start()
    with pytest.raises(VirtperfError, match="netperf gave no result") as caught:
        requests.stop()
    assert caught.value.found == (said or "it printed nothing")


def test_packets() -> None:
    guests = FakeGuests()
    packets = made(guests, "udp_out")
    packets.start()
    assert guests.dut.sent == [
        {
            "via": BASELINE,
            "mac": PEER_MAC,
            "source": "198.18.1.1",
            "destination": "198.18.1.2",
            "packet_size": 64,
            "pps": 10000,
        }
    ]
    assert guests.dut.did == ["bash -c echo > /dev/udp/198.18.1.2/9"], "the bridge has to learn where it is"
    assert (packets.fault(), packets.again()) == ("", False)
    packets.stop()
    assert guests.dut.did[-1] == "hush"


class TestServers:
    def start(self, guests: FakeGuests, *workloads: str) -> None:
        trials = [trial(number, "baseline", "on", name) for number, name in enumerate(workloads, start=1)]
        Servers({"dut": guests.dut, "peer": guests.peer}).start(setup(raw(trials=trials)))

    def test_each_once_where_it_is_needed(self) -> None:
        guests = FakeGuests()
        self.start(guests, "tcp_out", "tcp_rr", "tcp_out", "udp_out")
        servers = [words for words in guests.peer.did if "cat" not in words]
        assert servers == ["iperf3 --server --port 5301 --interval 0", "netserver -D -4 -p 12885"]
        assert guests.dut.did == []

    def test_one_that_does_not_come_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(load_module, "_READY_S", 0.05)
        guests = FakeGuests()
        monkeypatch.setattr(guests.peer, "command", lambda words, limit_s=10.0: "")
        with pytest.raises(
            VirtperfError, match=r"iperf3's server on guest2 is not ready \(found: nothing on port 5301"
        ):
            self.start(guests, "tcp_out")

    def test_one_that_ends_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        guests = FakeGuests()
        monkeypatch.setattr(guests.peer, "command", lambda words, limit_s=10.0: "")
        ended = guests.peer.ended_with(1, "unable to start listener: Address already in use")
        monkeypatch.setattr(guests.peer, "ended", lambda key: ended)
        with pytest.raises(VirtperfError, match="status 1: unable to start listener"):
            self.start(guests, "tcp_out")


def test_who_listens() -> None:
    text = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:14B5 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:0016 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0
   0: 00000000000000000000000000000000:3255 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0
"""
    assert listening(text) == {5301, 12885}


@given(st.text())
def test_any_text(text: str) -> None:
    found: Any = listening(text)
    assert all(0 <= port < 65536 for port in found)
