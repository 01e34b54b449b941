# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an end begins and ends, and what it starts. The programs here are a shell's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc import program
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.program import Child, Place

UNIT = Path(__file__).resolve().parents[3]
# An end as __main__ of its own: it starts a child, lets others begin, tells a change, and waits.
END = f"""
import sys, time
sys.path.insert(0, {str(UNIT)!r})
import conftest
from ansible_collections.virtperf.vhost.plugins.module_utils.vnc.program import Child, run, tell
def work(stack, place):
    child = Child("a child", ["sh", "-c", sys.argv[1]], "sh", place.environment)
    stack.callback(child.end)
    place.ready()
    tell("change", 1)
    while True:
        child.check()
        time.sleep(0.01)
run("an end", work)
"""


@pytest.fixture
def child() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for one in started:
        one.end()


def wait_ended(child: Child) -> VirtperfError:
    """The error that it is, once it has ended."""
    limit = time.monotonic() + 5
    while time.monotonic() < limit:
        try:
            child.check()
        except VirtperfError as error:
            return error
        time.sleep(0.01)
    raise AssertionError("it has not ended")


def test_what_it_said_last_is_told(child: list[Child]) -> None:
    child.append(Child("it", ["sh", "-c", "for n in 1 2 3 4; do echo line $n; done; exit 3"], "sh", {}))
    assert str(wait_ended(child[0])) == "it has ended with status 3 (found: line 2; line 3; line 4)"


def test_an_end_without_words_or_a_bad_status_is_a_failure_too(child: list[Child]) -> None:
    child.append(Child("it", ["true"], "coreutils", {}))
    assert str(wait_ended(child[0])) == "it has ended (found: it said nothing)"


def test_a_program_that_is_missing_names_its_package() -> None:
    with pytest.raises(VirtperfError, match="Way out: apt-get install x11vnc"):
        Child("x11vnc", ["/nowhere/x11vnc"], "x11vnc", {})


def test_one_that_does_not_want_to_end_is_killed(child: list[Child], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_PATIENCE_S", 0.1)
    one = Child("it", ["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.05; done"], "sh", {})
    while not one.said():
        time.sleep(0.01)
    pid = int(one.said())
    one.end()
    assert not Path(f"/proc/{pid}").exists()


def test_nothing_is_left_of_a_place(tmp_path: Path) -> None:
    (tmp_path / "server.ready").write_text("1")  # of one that was killed
    place = Place(str(tmp_path / "server"))
    assert not (tmp_path / "server.ready").exists()
    place.ready()
    assert int((tmp_path / "server.ready").read_text()) == os.getpid()
    assert set(place.environment.values()) == {place.directory}
    assert os.stat(place.directory).st_mode & 0o777 == 0o700
    place.leave()
    assert list(tmp_path.iterdir()) == []


def test_a_later_one_stays_ready_when_an_earlier_one_leaves(tmp_path: Path) -> None:
    earlier, later = Place(str(tmp_path / "server")), Place(str(tmp_path / "server"))
    earlier.ready()
    ready = tmp_path / "server.ready"
    ready.write_text("1\n")  # the later one's
    earlier.leave()
    assert ready.read_text() == "1\n"
    later.leave()


def start(directory: Path, words: str) -> subprocess.Popen[str]:
    path = directory / "end"
    path.write_text(END)
    return subprocess.Popen([sys.executable, str(path), words], stdout=-1, stderr=-1, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_ends_with_all_that_it_started(tmp_path: Path, number: signal.Signals) -> None:
    child = tmp_path / "child.pid"
    with start(tmp_path, f"echo $$ >{child}; exec sleep 60") as process:
        assert process.stdout is not None
        marker = json.loads(process.stdout.readline())
        assert (marker["event"], marker["number"]) == ("change", 1)
        assert abs(marker["at"] - time.time()) < 10
        assert int((tmp_path / "end.ready").read_text()) == process.pid
        while not (child.exists() and child.read_text().strip()):
            time.sleep(0.01)
        process.send_signal(number)
        process.wait(10)
    assert process.returncode == (-9 if number == signal.SIGKILL else 0)
    limit = time.monotonic() + 5
    while runs(int(child.read_text())) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not runs(int(child.read_text()))
    if number != signal.SIGKILL:
        assert {path.name for path in tmp_path.iterdir()} == {"end", "child.pid"}


def runs(pid: int) -> bool:
    """Whether a process is there, and not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_failure_is_one_line_and_a_status(tmp_path: Path) -> None:
    with start(tmp_path, "echo one; echo two >&2; exit 7") as process:
        _said, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors == "an end: a child has ended with status 7 (found: one; two)\n"
    assert [path.name for path in tmp_path.iterdir()] == ["end"]
