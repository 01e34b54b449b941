# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line to an agent: a real one, in a Python of its own on this machine, with a testpmd that is none."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end import connection as connection_module
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.connection import Connection, RemoteEnd
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.ssh import Access
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import identify, wait_gone
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed


@dataclass(frozen=True)
class Local(Access):
    """This machine stands in for the guest: a shell for ssh, which leaves the agent behind when it is killed.

    ``before`` is a line that the shell runs first.
    """

    before: str = ""

    def command(self, words: Sequence[str]) -> list[str]:
        return ["sh", "-c", f'{self.before}\n"$@"\nexit $?', "sh", *words]


GUEST = Local("guest-1", 22, "", "")
# Answers to everything with what it is told, and knows no time but one.
PARROT = """exec python3 -c '
import sys, json
from time import monotonic, sleep
head = json.loads(sys.stdin.buffer.readline())
sys.stdin.buffer.read(head["bytes"])
print(json.dumps({"agent": {"kernel": "6.12"}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(ANSWER, flush=True)
'"""


def parrot(answer: str) -> Local:
    return replace(GUEST, before=PARROT.replace("ANSWER", answer.replace("'", '"')))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        yield lab


@pytest.fixture
def connection(lab: Lab) -> Iterator[Connection]:
    with Connection(GUEST, roots=lab.host, directory=str(lab.directory)) as connection:
        yield connection


def reflector(connection: Connection, lab: Lab, **more: Any) -> RemoteEnd:
    definition = lab.raw_vswitch(name="reflector", forwarding=True, **more)
    assert connection.call("end", kind="testpmd", definition=definition) == "reflector"
    return RemoteEnd(connection, "reflector")


class TestAgent:
    def test_it_comes_and_goes_without_a_trace(self, lab: Lab) -> None:
        before = sorted(os.listdir(lab.directory))
        with Connection(GUEST, roots=lab.host, directory=str(lab.directory)) as connection:
            assert len(os.listdir(lab.directory)) == len(before) + 1
            agent = identify(lab.host, connection.greeting["agent"]["pid"])
            reflector(connection, lab)
            assert lab.running() == ["reflector"]
        # It has to see that nobody is there any more, and is no child of ours that was waited for.
        assert wait_gone(lab.host, agent, 5)
        assert lab.running() == []
        assert set(os.listdir(lab.directory)) - set(before) <= {"run", "state", "frame"}

    def test_what_shells_print_before_it_does_no_harm(self, lab: Lab) -> None:
        noisy = replace(GUEST, before="echo Welcome to the guest; echo 7; echo '{}'")
        with Connection(noisy, roots=lab.host, directory=str(lab.directory)) as connection:
            assert connection.call("clock") is None

    def test_an_error_comes_back_with_all_its_parts(self, connection: Connection, lab: Lab) -> None:
        lab.behave(reflector={"dies_at_start": True})
        with pytest.raises(VirtperfError, match=r"in guest guest-1: testpmd reflector ended at its start") as caught:
            reflector(connection, lab)
        assert "Cannot get hugepage information" in caught.value.facts["log_end"]
        assert caught.value.facts["guest"] == "guest-1"
        assert caught.value.way_out
        assert connection.call("clock") is None, "it goes on after that"

    def test_too_little_memory_is_told_before_anything_starts(self, connection: Connection, lab: Lab) -> None:
        lab.hugepages(8)
        with pytest.raises(VirtperfError, match="16 MiB of hugepages"):
            reflector(connection, lab)


class TestRemoteEnd:
    def test_all_that_an_end_does(self, connection: Connection, lab: Lab) -> None:
        end = reflector(connection, lab)
        assert end.is_running()
        setup = end.setup()
        assert (setup["rx_queues"], setup["link_up"], setup["version"]) == (1, True, "DPDK 22.11.11")
        assert setup["kernel"] == os.uname().release
        end.clear()
        assert set(end.cpu_seconds()) <= {int(tid) for tid in os.listdir(f"/proc/{lab.pid('reflector')}/task")}
        assert len(end.cpu_seconds()) == 1
        end.offer(128, forwarding=False)
        stopped = end.counters()
        assert end.counters().rx_packets == stopped.rx_packets
        end.offer(128, forwarding=True)
        time.sleep(0.01)
        assert end.counters().rx_packets > stopped.rx_packets
        statistics = end.statistics()
        assert statistics is not None
        assert (statistics.tx_dropped, statistics.mhz) == (10, 2600)
        assert "testpmd> show fwd stats all" in end.log()
        assert (end.stop(), end.stop(), end.is_running()) == ("quit", "", False)

    def test_the_time_of_a_reading_is_ours(self, connection: Connection, lab: Lab) -> None:
        end = reflector(connection, lab)
        before = time.monotonic()
        counters = end.counters()
        after = time.monotonic()
        assert before <= counters.at_s <= after
        assert 0 < counters.waited_s <= after - before

    def test_its_death_is_told_with_the_end_of_its_log(self, connection: Connection, lab: Lab) -> None:
        lab.behave(reflector={"dies_when_asked": True})
        end = reflector(connection, lab)
        with pytest.raises(VirtperfError, match="does not answer"):
            end.counters()
        # Its socket is closed before it has ended.
        limit = time.monotonic() + 5
        while end.is_running():
            assert time.monotonic() < limit
        death = end.died()
        assert death.what == "in guest guest-1: testpmd reflector has died"
        assert "Segmentation fault in a driver" in death.found
        assert "Segmentation fault in a driver" in end.log()


class TestTime:
    def test_the_guests_clock_is_learnt(self) -> None:
        """It is read in the middle of the time that an answer takes."""
        slow = "sleep(0.03) or json.dumps({'result': None, 'at_s': monotonic() - 1000}) + (sleep(0.03) or '')"
        with Connection(parrot(slow)) as line:
            assert line.offset_s == pytest.approx(1000, abs=0.015)

    def test_readings_are_told_in_our_time(self) -> None:
        counters = dict.fromkeys(Counters.__dataclass_fields__, 0)
        reading = f"json.dumps({{'result': {counters} | {{'at_s': monotonic() - 1000, 'waited_s': 99}}, "
        with Connection(parrot(reading + "'at_s': monotonic() - 1000})")) as line:
            before = time.monotonic()
            read = RemoteEnd(line, "generator").counters()
            assert before - 0.01 < read.at_s < time.monotonic() + 0.01
            assert 0 < read.waited_s < 10

    def test_a_clock_that_drifts_is_followed(self) -> None:
        drifting = "json.dumps({'result': None, 'at_s': monotonic() * 0.9})"
        with Connection(parrot(drifting)) as line:
            learnt = line.offset_s
            time.sleep(0.3)
            line.call("clock")
            assert line.offset_s - learnt == pytest.approx(0.03, abs=0.01)


class TestBroken:
    def test_a_guest_without_python(self) -> None:
        with pytest.raises(VirtperfError, match="guest-1 does not answer") as caught:
            Connection(replace(GUEST, before="echo 'python3: command not found' >&2; exit 127")).open()
        assert "command not found" in caught.value.found
        assert "status 127" in caught.value.found

    def test_a_guest_that_takes_nothing(self) -> None:
        began_s = time.monotonic()
        with pytest.raises(VirtperfError, match=r"not taken in time|no answer in time"):
            Connection(replace(GUEST, before="exec sleep 60")).open(0.3)
        assert time.monotonic() - began_s < 5

    def test_an_answer_that_does_not_come(self, monkeypatch: pytest.MonkeyPatch) -> None:
        late = 'json.dumps({"result": None, "at_s": 0}) if request["order"] == "clock" else input()'
        monkeypatch.setitem(connection_module._LIMITS_S, "do", 0.3)
        with Connection(parrot(late)) as line:
            began_s = time.monotonic()
            with pytest.raises(VirtperfError, match="no answer in time") as caught:
                RemoteEnd(line, "reflector").counters()
            assert time.monotonic() - began_s < 2
            # What comes later would be taken for the answer to something else.
            with pytest.raises(VirtperfError) as again:
                line.call("clock")
            assert again.value is caught.value

    def test_an_agent_that_dies_leaves_its_last_words(self, connection: Connection, lab: Lab) -> None:
        with pytest.raises(VirtperfError, match="the connection broke") as caught:
            connection.call("do", unknown=1)
        assert "TypeError" in caught.value.facts["last_words"]

    def test_an_agent_that_is_killed_in_the_middle(self, connection: Connection, lab: Lab) -> None:
        lab.behave(reflector={"hangs_on": "show fwd stats all"})
        end = reflector(connection, lab)
        assert not connection.is_over
        pid = connection.greeting["agent"]["pid"]
        if os.fork() == 0:
            time.sleep(0.2)
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        began_s = time.monotonic()
        with pytest.raises(VirtperfError, match="the connection broke"):
            end.statistics()
        assert time.monotonic() - began_s < 2
        assert connection.is_over
        assert not end.is_running()
        assert (end.log(), end.stop()) == ("", "")
        assert end.died().facts["guest"] == "guest-1"

    def test_what_is_no_answer(self) -> None:
        with pytest.raises(VirtperfError, match="no answer of an agent's"):
            Connection(parrot(json.dumps("hello"))).open()

    def test_a_closed_one_says_so(self, lab: Lab) -> None:
        line = Connection(GUEST, roots=lab.host, directory=str(lab.directory))
        line.open()
        line.close()
        line.close()
        with pytest.raises(VirtperfError, match="its connection is closed"):
            line.call("clock")
