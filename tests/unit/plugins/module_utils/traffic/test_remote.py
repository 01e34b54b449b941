# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest as a station: a real agent, in a Python of its own on this machine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.connection import Connection
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import remote
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.remote import RemoteStation, Through
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import LocalStation, obey

HERE = Through("guest-1", ("sh", "-c"))


@pytest.fixture
def station(tmp_path: Path) -> Iterator[RemoteStation]:
    with Connection(HERE, directory=str(tmp_path)) as connection:
        yield RemoteStation(connection)


def test_the_words_reach_a_shell_as_they_are() -> None:
    assert Through("g", ("ssh", "-T", "g")).command(["echo", "a b"]) == ["ssh", "-T", "g", "echo 'a b'"]


def test_a_program_from_start_to_end(station: RemoteStation) -> None:
    assert station.name == "guest-1"
    before_s = time.monotonic()
    station.start("one", ["sh", "-c", "echo hello"])
    ended = station.finish("one", 5)
    assert (ended.status, ended.stdout) == (0, "hello\n")
    assert ended.ended_s is not None
    assert before_s <= ended.started_s <= ended.ended_s <= time.monotonic()


class FakeLine:
    """A guest that was started 100 s before us."""

    offset_s = -100.0

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def call(self, order: str, **arguments: Any) -> Any:
        self.asked.append(arguments)
        return {"status": 0, "stdout": "", "stderr": "", "started_s": 150.2, "ended_s": 151.0}


def test_instants_lead_to_the_guests_clock_and_back() -> None:
    line = FakeLine()
    station = RemoteStation(cast(Connection, line))
    station.start("one", ["true"], 50.0)
    assert line.asked[0]["arguments"]["at_s"] == 150.0
    ended = station.stop("one")
    assert (ended.started_s, ended.ended_s) == (pytest.approx(50.2), 51.0)


def test_what_runs_is_stopped_or_told_of(station: RemoteStation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_SLICE_S", 0.05)
    station.start("one", ["sleep", "60"])
    assert station.ended("one") is None
    with pytest.raises(VirtperfError, match=r"in guest guest-1: sleep did not end within 0\.2 s"):
        station.finish("one", 0.2)
    station.start("two", ["sh", "-c", "trap 'echo caught; exit 0' ALRM; while :; do sleep 0.01; done"])
    time.sleep(0.1)
    station.nudge("two", signal.SIGALRM)
    assert station.finish("two", 5).stdout == "caught\n"
    station.start("three", ["sleep", "60"])
    assert station.stop("three").status == -signal.SIGTERM


def test_a_look_is_on_our_clock(station: RemoteStation) -> None:
    before_s = time.monotonic()
    look = station.look(["lo"])
    assert before_s <= look.at_s <= time.monotonic()
    assert look.interfaces["lo"].counters["rx_packets"] >= 0
    assert look.epoch_s == pytest.approx(time.time(), abs=5)


def test_commands_short_and_long(station: RemoteStation) -> None:
    assert station.command(["echo", "hi"]) == "hi\n"
    assert station.command(["echo", "hi"], limit_s=60) == "hi\n"
    for limit_s in (1.0, 60.0):
        with pytest.raises(VirtperfError, match="failed with status 3") as caught:
            station.command(["sh", "-c", "echo oh >&2; exit 3"], limit_s=limit_s)
        assert (caught.value.facts["rc"], caught.value.facts["stderr"]) == (3, "oh\n")


def test_a_nic_that_is_not_there(station: RemoteStation) -> None:
    assert station.describe("lo")["name"] == "lo"
    with pytest.raises(VirtperfError, match="no network interface 52:54:00:00:00:99"):
        station.arrange({"mac": "52:54:00:00:00:99"})
    assert station.hush() == "", "nothing was sent"


def test_programs_end_with_the_connection(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with Connection(HERE, directory=str(tmp_path)) as connection:
        RemoteStation(connection).start("one", ["sh", "-c", f"echo $$ > {mark}; exec sleep 60"])
        while not mark.exists() or not mark.read_text().endswith("\n"):
            time.sleep(0.01)
        pid = int(mark.read_text())
    limit_s = time.monotonic() + 5
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < limit_s:
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{pid}")


def test_only_what_a_station_does() -> None:
    station = LocalStation(Host(), "here")
    with pytest.raises(VirtperfError, match="a station does not 'close'"):
        obey(station, "close", {})
    assert obey(station, "command", {"words": ["echo", "x"]}) == "x\n"
    assert station.name == "here"
    station.start("slow", ["sleep", "60"])
    with pytest.raises(VirtperfError, match="did not end within"):
        station.finish("slow", 0.05)
    station.close()
