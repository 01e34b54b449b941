# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and answers, as the agent reads and writes them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.output import ForwardStats
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end import agent
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.carry import package
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.orders import Orders
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host


class Told(Orders):
    """Does what the test says."""

    def __init__(self, does: Callable[[], Any]) -> None:
        super().__init__(Host())
        self.does = does
        self.closed = False

    def obey(self, order: str, arguments: Any) -> Any:
        return self.does()

    def close(self) -> None:
        self.closed = True


def answer(does: Callable[[], Any]) -> dict[str, Any]:
    said = json.loads(json.dumps(agent.answer(Told(does), b'{"order": "x", "arguments": {}}')))
    assert abs(said.pop("at_s") - time.monotonic()) < 5
    assert isinstance(said, dict)
    return said


def raises(error: Exception) -> Callable[[], Any]:
    def does() -> Any:
        raise error

    return does


def test_results() -> None:
    assert answer(lambda: {"a": [1]}) == {"result": {"a": [1]}}
    assert answer(lambda: None) == {"result": None}
    stats = answer(lambda: ForwardStats(1, 2, 3, None, None))["result"]
    assert ForwardStats(**stats) == ForwardStats(1, 2, 3, None, None)


def test_errors_with_all_their_parts() -> None:
    error = VirtperfError("it broke", found="this", way_out="that", dead="me")
    parts = {"what": "it broke", "found": "this", "way_out": "that", "facts": {"dead": "me"}}
    assert answer(raises(error)) == {"error": parts}
    # One that is asked for is a result.
    assert answer(lambda: error) == {"result": parts}


def test_errors_of_the_system_name_the_file() -> None:
    told = answer(raises(FileNotFoundError(2, "No such file or directory", "/proc/net/pktgen/pgctrl")))["error"]
    assert told["what"] == "/proc/net/pktgen/pgctrl: No such file or directory"


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        answer(raises(ZeroDivisionError()))


def test_at_the_end_of_the_requests_everything_is_ended() -> None:
    orders, answers = Told(lambda: 7), io.BytesIO()
    agent.serve(orders, [b'{"order": "x", "arguments": {}}\n'] * 2, answers)
    greeting, *said = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert greeting["agent"]["pid"] == os.getpid()
    assert [one["result"] for one in said] == [7, 7]
    assert orders.closed


def test_also_when_nobody_listens_any_more() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    orders = Told(lambda: 7)
    with os.fdopen(writer, "wb", buffering=0) as answers:
        agent.serve(orders, [], answers)
    assert orders.closed


NOISY = f"""
import os, sys
sys.path.insert(0, sys.argv[1])
from {agent.__name__} import run
from {agent.__name__.rpartition(".")[0]} import agent

def serve(orders, requests, answers):
    os.system("echo noise")
    print("noise", flush=True)
    answers.write(b"answer")

agent.serve = serve
run({{"roots": {{}}}}, sys.argv[2])
"""


def test_what_somebody_prints_is_no_answer(tmp_path: Path) -> None:
    archive, place = tmp_path / "modules.zip", tmp_path / "place"
    archive.write_bytes(package())
    place.mkdir()
    done = subprocess.run(
        [sys.executable, "-IS", "-c", NOISY, str(archive), str(place)], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"answer", b"noise\nnoise\n")
    assert not place.exists()
