# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The telemetry client against a socket that answers as DPDK 22.11 does, or does not answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Telemetry
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

GREETING = '{"version":"DPDK 22.11.11","pid":8073,"max_output_len":16384}'
INFO = '{"/ethdev/info":{"name":"net_vhost0","state":1,"nb_rx_queues":2,"nb_tx_queues":3,"dev_started":1}}'
STATS = (
    '{"/ethdev/stats":{"ipackets":7,"opackets":6,"ibytes":420,"obytes":360,"imissed":2,"ierrors":0,"oerrors":1,'
    '"rx_nombuf":0,"q_ipackets":[7,0],"q_opackets":[6,0]}}'
)

Answer = Callable[[str], "str | None"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a telemetry socket; gives its path. An answer of None hangs up."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = str(tmp_path / "dpdk_telemetry.v2")

    def start(answer: Answer | str | None, greeting: str | None = GREETING) -> str:
        listener.bind(path)
        listener.listen()

        def talk() -> None:
            connection, _address = listener.accept()
            with connection:
                if greeting is not None:
                    connection.send(greeting.encode())
                while greeting is not None and (command := connection.recv(1024).decode()):
                    said = answer(command) if callable(answer) else answer
                    if said is None:
                        return
                    connection.send(said.encode())

        threading.Thread(target=talk, daemon=True).start()
        return path

    yield start
    listener.close()


def test_counters_come_with_the_time_at_which_they_were_read(serve: Callable[..., str]) -> None:
    before_s = time.monotonic()
    with Telemetry(serve(STATS)) as telemetry:
        counters = telemetry.counters()
    assert (counters.rx_packets, counters.tx_packets) == (7, 6)
    assert (counters.rx_bytes, counters.tx_bytes) == (420, 360)
    assert (counters.rx_missed, counters.tx_errors) == (2, 1)
    assert before_s <= counters.at_s <= time.monotonic()
    assert 0 <= counters.waited_s <= counters.at_s - before_s


def test_the_port_is_part_of_the_question(serve: Callable[..., str]) -> None:
    asked = []

    def answer(command: str) -> str:
        asked.append(command)
        return STATS

    with Telemetry(serve(answer)) as telemetry:
        telemetry.counters(3)
    assert asked == ["/ethdev/stats,3"]


def test_queues_are_those_it_was_configured_with(serve: Callable[..., str]) -> None:
    with Telemetry(serve(INFO)) as telemetry:
        assert telemetry.queues() == (2, 3)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ('{"status":"UP","speed":10000,"duplex":"full-duplex"}', (True, 10000)),
        ('{"status":"up","speed":4294967295}', (True, None)),
        ('{"status":"DOWN"}', (False, None)),
        ('{"status":"UP","speed":0}', (True, None)),
        ('{"status":"UP","speed":"fast"}', (True, None)),
        ("{}", (False, None)),
    ],
)
def test_a_link_s_speed_is_known_or_it_is_none(
    serve: Callable[..., str], status: str, expected: tuple[bool, int | None]
) -> None:
    with Telemetry(serve('{"/ethdev/link_status":' + status + "}")) as telemetry:
        assert telemetry.link() == expected


def test_its_greeting_is_kept(serve: Callable[..., str]) -> None:
    with Telemetry(serve(None)) as telemetry:
        assert telemetry.greeting["version"] == "DPDK 22.11.11"


class TestNoAnswer:
    def test_nobody_there(self, tmp_path: Path) -> None:
        with pytest.raises(VirtperfError, match=r"does not answer 'connect'.*No such file"):
            Telemetry(str(tmp_path / "none"))

    def test_hung_up_before_the_greeting(self, serve: Callable[..., str]) -> None:
        with pytest.raises(VirtperfError, match="does not answer 'connect'"):
            Telemetry(serve(None, greeting=None))

    def test_died_in_the_middle(self, serve: Callable[..., str]) -> None:
        with (
            Telemetry(serve(None)) as telemetry,
            pytest.raises(VirtperfError, match="does not answer '/ethdev/stats,0'"),
        ):
            telemetry.counters()

    def test_silent_for_too_long(self, serve: Callable[..., str]) -> None:
        path = serve(lambda _command: time.sleep(10))
        with Telemetry(path, timeout_s=0.1) as telemetry, pytest.raises(VirtperfError, match="timed out"):
            telemetry.counters()

    def test_a_port_it_does_not_have(self, serve: Callable[..., str]) -> None:
        with (
            Telemetry(serve('{"/ethdev/stats":null}')) as telemetry,
            pytest.raises(VirtperfError, match="nothing to say"),
        ):
            telemetry.counters(7)

    @pytest.mark.parametrize("said", ['{"/other":1}', "nonsense", "[]", "7", '"/ethdev/stats,0"'])
    def test_an_answer_to_another_question(self, serve: Callable[..., str], said: str) -> None:
        with Telemetry(serve(said)) as telemetry, pytest.raises(VirtperfError, match="does not answer"):
            telemetry.ask("/ethdev/stats,0")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_whatever_json_it_says_it_is_the_answer_or_an_error(value: Any) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    telemetry = Telemetry.__new__(Telemetry)
    telemetry.path, telemetry._socket = "/somewhere", ours
    with theirs, telemetry:
        theirs.send(json.dumps(value).encode())
        with pytest.raises(VirtperfError):
            telemetry.ask("/ethdev/stats,0")
