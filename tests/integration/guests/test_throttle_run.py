# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module throttle_run on a kernel with cgroup v2: a stream's sender in the place of a vhost worker.

Real limits, real throttling, on the interface lo of a guest; what a hypervisor adds are vhost workers and taps.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import bench
import booted
import pytest
from calls import MODULES, PLACE, InGuest

CGROUP = "/sys/fs/cgroup/virtperf-test"
RECORDS = "/var/lib/virtperf/runs/test/throttle.jsonl"
RECEIVER = """
import socket
with socket.create_server(("127.0.0.1", 5299)) as server:
    connection, _peer = server.accept()
    while connection.recv(1 << 18):
        pass
"""
SENDER = """
import socket, time
connection = socket.create_connection(("127.0.0.1", 5299))
while True:
    connection.sendall(bytes(1 << 16))
"""
CONTROLLERS = "/sys/fs/cgroup/cgroup.subtree_control"
START = f"""
echo +cpu >{CONTROLLERS}
mkdir {CGROUP}
python3 {PLACE}/receiver.py >/dev/null 2>&1 </dev/null &
receiver=$!
until ss -Htln sport = :5299 | grep -q .; do sleep 0.1; done
python3 {PLACE}/sender.py >/dev/null 2>&1 </dev/null &
sender=$!
echo $sender >{CGROUP}/cgroup.procs
echo $receiver $sender
"""


class Stream:
    """A stream in a guest, its sender in a cgroup of its own."""

    def __init__(self, guest: booted.Guest, call: InGuest) -> None:
        self._guest = guest
        self.call = call
        guest.put(f"{PLACE}/receiver.py", RECEIVER.encode())
        guest.put(f"{PLACE}/sender.py", SENDER.encode())
        self._had_cpu = "cpu" in self.sh(f"cat {CONTROLLERS}").split()
        self.receiver, self.sender = map(int, self.sh(START).split())

    def sh(self, command: str) -> str:
        """What a command prints; it has to work."""
        done = self._guest.ssh(command, *self.call.shared)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def limit(self) -> str:
        """The limit in force."""
        return self.sh(f"cat {CGROUP}/cpu.max").strip()

    def arguments(self, *phases: dict[str, Any]) -> dict[str, Any]:
        """Those of throttle_run for one timeline of these phases."""
        return {
            "run_id": "test",
            "workload": "other",
            "layout": "kthread",
            "phases": list(phases),
            "trials": 1,
            "sender": "client",
            "server": {"interfaces": ["lo"]},
            "client": {"sockets": ["dport", "=", ":5299"]},
            "threads": [{"label": "worker", "role": "worker", "pid": self.sender, "tid": self.sender}],
            "cgroups": {"workers": CGROUP},
            "settle_seconds": 1,
            "warmup_seconds": 0.5,
        }

    def end(self) -> None:
        """End it, and leave nothing behind."""
        # Who is to end needs CPU time for it.
        self.sh(f"echo max >{CGROUP}/cpu.max; kill {self.sender} {self.receiver}")
        bench.wait_for("their end", lambda: self._guest.ssh(f"rmdir {CGROUP}", *self.call.shared).returncode == 0, 20)
        self.sh(f"{'true' if self._had_cpu else f'echo -cpu >{CONTROLLERS}'}; rm -rf /var/lib/virtperf /run/virtperf")


@pytest.fixture(scope="module")
def call(shared_guest: booted.Shared) -> Iterator[InGuest]:
    """Calls modules in the shared guest."""
    call = InGuest(shared_guest.guest())
    yield call
    call.end()


@pytest.fixture
def stream(guest: booted.Guest, call: InGuest) -> Iterator[Stream]:
    """A stream that runs."""
    stream = Stream(guest, call)
    yield stream
    stream.end()


def test_a_worker_that_is_throttled_and_let_go_again(stream: Stream) -> None:
    arguments = stream.arguments(
        {"name": "baseline", "seconds": 3},
        {"name": "throttled", "cpu_max": "1000 1000000", "seconds": 6},
        {"name": "recovered", "cpu_max": "max 100000", "seconds": 4.5},
        {"name": "20%", "cpu_max": "20000 100000", "seconds": 3, "ladder_percent": 20},
        {"name": "5%", "cpu_max": "5000 100000", "seconds": 3, "ladder_percent": 5},
    )
    assert stream.call("throttle_run", arguments, check=True)["changed"]
    result = stream.call("throttle_run", arguments)
    assert (result.get("msg"), result.get("invalid"), result.get("reasons")) == (None, 0, [])
    found = {record["cell"]["phase"]: record for record in map(json.loads, stream.sh(f"cat {RECORDS}").splitlines())}
    rates = {phase: record["metrics"]["received_mbps"] for phase, record in found.items()}
    print(rates, result["pace"], {phase: record["verdict"] for phase, record in found.items()})
    assert rates["baseline"] >= 50 * rates["throttled"]
    assert rates["baseline"] > rates["20%"] > rates["5%"] > rates["throttled"]
    assert found["recovered"]["metrics"]["back_s"] <= 3
    for phase, record in found.items():
        # A baseline's verdict depends on this machine; whether it was throttled does not.
        is_throttled = phase not in ("baseline", "recovered")
        assert (record["verdict"]["limit"] == "worker-throttled") is is_throttled, (phase, record["verdict"])
        assert (record["metrics"]["throttled_ratio"] > 0.9) is is_throttled
        assert record["timeline"]["set_to_s"] - record["timeline"]["set_from_s"] < 0.1
        assert record["observed"]["cpu_max"] == record["asked"]["cpu_max"]
    # TCP lets its sender go on as fast as it can: the bytes pile up where the sender's CPU time ends, and nowhere else.
    assert found["throttled"]["metrics"]["tap_dropped"] == 0
    assert stream.limit() == "max 100000"


def test_the_limit_of_one_that_was_killed_is_lifted_by_restore(stream: Stream) -> None:
    given = {"ANSIBLE_MODULE_ARGS": stream.arguments({"name": "throttled", "cpu_max": "2000 100000", "seconds": 60})}
    words = shlex.quote(json.dumps(given))
    stream.sh(f"cd {PLACE}; (echo {words} | nohup python3 -m {MODULES}.throttle_run) >/dev/null 2>&1 &")
    bench.wait_for("the first phase", lambda: stream.limit() == "2000 100000", 60)
    journal = [json.loads(line) for line in stream.sh("cat /var/lib/virtperf/journal.jsonl").splitlines()]
    stream.sh(f"kill -9 {journal[0]['undo']['pid']}")
    assert stream.limit() == "2000 100000"
    restored = stream.call("restore", {})
    assert f"set cpu.max of {CGROUP} to max 100000" in " ".join(restored["actions"]), restored
    assert stream.limit() == "max 100000"
    # The programs that it had started noticed that it was gone.
    bench.wait_for("the end of ss", lambda: "ss -tinmOH" not in stream.sh("ps -eo args | grep -v grep"), 10)
