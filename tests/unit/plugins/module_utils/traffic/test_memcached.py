# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""memaslap's words, and the time that answers take."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import memcached

# Of libmemcached-tools 1.1.4.
SAID = """servers: 127.0.0.1:11211
threads count: 1
concurrency: 4
run time: 3s
windows size: 1k
set proportion: set_prop=0.10
get proportion: get_prop=0.90
cmd_get: 174113
cmd_set: 19347
get_misses: {misses}
written_bytes: 33566065

Run time: 3.0s Ops: 193460 TPS: 64480 Net_rate: 72.1M/s
"""
# It ends with status 0 all the same.
REFUSED = """servers: 127.0.0.1:11211
cmd_get: 0
cmd_set: 4
get_misses: 0

Run time: 2.0s Ops: 4 TPS: 2 Net_rate: 0.0M/s
"""


def test_its_rate() -> None:
    assert memcached.parse(SAID.format(misses=0)) == memcached.Load(64480.0, 193460)
    words = memcached.words("memcaslap", "198.19.1.1", 11211, 3, 4)
    assert words[0] == "memcaslap"
    assert {"--servers=198.19.1.1:11211", "--time=3s", "--concurrency=4"} <= set(words)


@pytest.mark.parametrize(
    ("text", "errors", "message"),
    [
        (REFUSED, "Failed to write, and not due to blocking.", "got no answers .*Failed to write"),
        ("", "", "no output at all"),
        (SAID.format(misses=50000), "", "had forgotten 50000 of 174113 values"),
    ],
)
def test_what_is_no_result(text: str, errors: str, message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        memcached.parse(text, errors)


class Server(threading.Thread):
    """A memcached for one client, which takes ``answer_s`` for each get, and forgets when told to."""

    def __init__(self, answer_s: float = 0.002, forgets: bool = False) -> None:
        super().__init__(daemon=True)
        self.answer_s, self.forgets = answer_s, forgets
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked_s: list[float] = []
        self.start()

    def run(self) -> None:
        client, _address = self.socket.accept()
        with client:
            data = b""
            while part := client.recv(65536):
                data += part
                if data.startswith(b"set ") and data.count(b"\r\n") == 2:
                    self.value, data = data.split(b"\r\n")[1], b""
                    client.sendall(b"STORED\r\n")
                elif data == b"get virtperf\r\n":
                    self.asked_s.append(time.monotonic())
                    time.sleep(self.answer_s)
                    value = b"" if self.forgets else b"VALUE virtperf 0 1024\r\n" + self.value + b"\r\n"
                    client.sendall(value + b"END\r\n")
                    data = b""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.socket.close()


def run(port: int, at_s: float, seconds: float) -> subprocess.CompletedProcess[str]:
    words = memcached.probe_words(sys.executable, "127.0.0.1", port, at_s, seconds)
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)


def test_the_probe_waits_for_its_instant_and_takes_the_time_of_each_answer(server: Server) -> None:
    at_s = time.monotonic() + 0.7
    done = run(server.port, at_s, 0.5)
    assert done.returncode == 0, done.stderr
    found = memcached.parse_probe(done.stdout)
    assert found.ready_s < at_s <= found.started_s < at_s + 0.2
    assert min(server.asked_s) >= at_s
    assert max(server.asked_s) <= at_s + 0.6
    assert found.requests == len(server.asked_s)
    assert found.p50_us is not None
    assert 2000 <= found.p50_us < 20000


def test_few_answers_have_no_99th_percentile() -> None:
    few = '{"ready_s": 1.0, "started_s": 2.0, "requests": 99, "p50_us": 5.0, "p99_us": 9.0}'
    assert memcached.parse_probe(few).p99_us is None
    assert memcached.parse_probe(few.replace("99,", "100,")).p99_us == 9.0
    with pytest.raises(VirtperfError, match="ready too late to ask"):
        memcached.parse_probe(few.replace("99,", "0,"))


def test_a_server_that_forgets_and_one_that_is_not_there() -> None:
    forgets = Server(forgets=True)
    done = run(forgets.port, time.monotonic(), 5.0)
    assert done.returncode != 0
    assert "the server has forgotten the value" in done.stderr
    with pytest.raises(VirtperfError, match=r"not known \(found: .*forgotten the value"):
        memcached.parse_probe(done.stdout, done.stderr)
    forgets.socket.close()
    refused = run(forgets.port, time.monotonic(), 0.2)
    assert "refused" in refused.stderr
