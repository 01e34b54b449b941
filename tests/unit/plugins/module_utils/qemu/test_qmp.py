# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The QMP client against a socket that answers as QEMU 10 does, or does not answer."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.qmp import Qmp, QmpError, Silent, connected

GREETING = {"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}}, "capabilities": ["oob"]}}
OK: dict[str, Any] = {"return": {}}
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a socket that says each of some lines after another request; gives its path. None hangs up."""
    directory = tempfile.mkdtemp()  # pytest's own may be too long for a socket
    path = str(Path(directory, "qmp.sock"))
    listener = socket.socket(socket.AF_UNIX)

    def start(*answers: Any, greeting: Any = GREETING, late_s: float = 0) -> str:
        listener.bind(path)
        listener.listen()

        def talk() -> None:
            connection, _address = listener.accept()
            with connection, connection.makefile("rb") as requests:
                time.sleep(late_s)
                for said in (greeting, *answers):
                    if said is None:
                        return
                    for line in said if isinstance(said, list) else [said]:
                        connection.sendall(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\r\n")
                    if not requests.readline():
                        return
                time.sleep(5)

        threading.Thread(target=talk, daemon=True).start()
        return path

    yield start
    listener.close()
    shutil.rmtree(directory)


def test_a_command_s_answer_is_what_it_returns(serve: Serve) -> None:
    with connected(serve(OK, {"return": {"status": "running"}})) as qmp:
        assert qmp.greeting["version"]["qemu"]["major"] == 10
        assert qmp.execute("query-status") == {"status": "running"}


def test_events_between_are_kept(serve: Serve) -> None:
    stop, resume = {"event": "STOP", "data": {}}, {"event": "RESUME"}
    with connected(serve(OK, [stop, OK, resume])) as qmp:
        assert qmp.execute("stop") == {}
        assert qmp.wait_event("RESUME", 1) == resume
        assert qmp.wait_event("STOP", 1) == stop
        with pytest.raises(Silent):
            qmp.wait_event("STOP", 0.05)


def test_a_refusal_has_qemu_s_words(serve: Serve) -> None:
    refusal = {"error": {"class": "CommandNotFound", "desc": "The command fly has not been found"}}
    with connected(serve(OK, refusal)) as qmp, pytest.raises(QmpError, match="The command fly has not been found"):
        qmp.execute("fly")


def test_a_greeting_that_comes_late_can_be_waited_for_again(serve: Serve) -> None:
    with Qmp(serve(OK, OK, late_s=0.2)) as qmp:
        qmp.connect()
        with pytest.raises(Silent):
            qmp.greet(0.02)
        qmp.greet(5)
        assert qmp.execute("cont") == {}


class TestNoAnswer:
    def test_nobody_there(self, tmp_path: Path) -> None:
        with pytest.raises(QmpError, match=r"does not answer \(connect\).*No such file"):
            connected(str(tmp_path / "none"))

    def test_hung_up(self, serve: Serve) -> None:
        with pytest.raises(QmpError, match="hung up"):
            connected(serve(greeting=None))

    def test_silent(self, serve: Serve) -> None:
        with connected(serve(OK), timeout_s=0.1) as qmp, pytest.raises(Silent, match="in time"):
            qmp.execute("query-status")

    @pytest.mark.parametrize("said", [b"nonsense\n", b"[]\n", b"7\n", b'{"other": 1}\n'])
    def test_something_else(self, serve: Serve, said: bytes) -> None:
        with connected(serve(OK, said)) as qmp, pytest.raises(QmpError, match="does not answer"):
            qmp.execute("query-status")

    @pytest.mark.parametrize("said", [b"SSH-2.0\n", b'{"QMP": 1}\n'])
    def test_somebody_else(self, serve: Serve, said: bytes) -> None:
        with pytest.raises(QmpError, match="greeting"):
            connected(serve(greeting=said))


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=50))
def test_whatever_comes_in_whatever_pieces_is_an_answer_or_an_error(noise: bytes, piece: int) -> None:
    ours, theirs = socket.socketpair()
    qmp = Qmp("/somewhere", timeout_s=0.2)
    qmp._socket.close()
    qmp._socket = ours
    data = noise + b'\n{"return": 7}\n'
    with theirs, qmp:
        for start in range(0, len(data), piece):
            theirs.sendall(data[start : start + piece])
        theirs.shutdown(socket.SHUT_WR)
        with contextlib.suppress(QmpError):
            qmp.execute("query-status")
