# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in the background: real ones, of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.programs import Ended, Programs, run


@pytest.fixture
def programs() -> Iterator[Programs]:
    made = Programs()
    yield made
    made.close()


def ended(programs: Programs, key: str) -> Ended:
    found = programs.wait(key, 10)
    assert found is not None
    return found


def test_what_it_said_and_when(programs: Programs) -> None:
    before_s = time.monotonic()
    programs.start("one", ["sh", "-c", "echo out; echo err >&2; exit 3"])
    found = ended(programs, "one")
    assert (found.status, found.stdout, found.stderr, found.last_words) == (3, "out\n", "err\n", "err")
    assert found.ended_s is not None
    assert before_s <= found.started_s <= found.ended_s <= time.monotonic()


def test_none_while_it_runs(programs: Programs) -> None:
    programs.start("one", ["sleep", "60"])
    assert programs.of("one").ended() is None
    assert programs.wait("one", 0.01) is None
    assert programs.stop("one").status == -signal.SIGTERM


def test_one_that_does_not_listen_is_killed(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{Programs.__module__}._PATIENCE_S", 0.2)
    programs.start("deaf", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
    while programs.of("deaf").so_far() != "ready":
        time.sleep(0.01)
    assert programs.stop("deaf").status == -signal.SIGKILL


def test_it_starts_at_its_instant(programs: Programs) -> None:
    at_s = time.monotonic() + 0.3
    programs.start("later", ["true"], at_s)
    assert programs.of("later").ended() is None
    assert ended(programs, "later").started_s >= at_s


def test_one_that_is_stopped_before_its_instant_never_ran(programs: Programs) -> None:
    programs.start("never", ["true"], time.monotonic() + 60)
    found = programs.stop("never")
    assert (found.status, found.stderr) == (None, "it was stopped before its instant")


def test_a_key_is_free_again_after_the_end(programs: Programs) -> None:
    programs.start("one", ["sleep", "60"])
    with pytest.raises(VirtperfError, match="one runs already"):
        programs.start("one", ["true"])
    programs.stop("one")
    programs.start("one", ["echo", "again"])
    assert ended(programs, "one").stdout == "again\n"


def test_one_that_takes_too_long_is_told_with_its_last_words(programs: Programs) -> None:
    programs.start("slow", ["sh", "-c", "echo half way; sleep 60"])
    while programs.of("slow").so_far() == "nothing":
        time.sleep(0.01)
    error = programs.overdue("slow", 0.1)
    assert "sh did not end within 0.1 s (found: its last words: half way)" in str(error)
    assert programs.of("slow").is_over


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("no-such-program", "no-such-program is not installed. Way out: apt-get install no-such-program"),
        ("netserver-that-is-not", "is not installed"),
    ],
)
def test_what_is_not_installed(programs: Programs, program: str, message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        programs.start("one", [program])


def test_what_cannot_be_run(programs: Programs, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    with pytest.raises(VirtperfError, match="broken cannot be started"):
        programs.start("one", [str(broken)])
    programs.start("two", [str(broken)], time.monotonic() + 0.05)
    with pytest.raises(VirtperfError, match="broken cannot be started"):
        programs.wait("two", 10)


def test_nobody_knows_another_key(programs: Programs) -> None:
    with pytest.raises(VirtperfError, match="no program x was started"):
        programs.wait("x", 0)


def test_close_ends_them_all() -> None:
    programs = Programs()
    for key in ("a", "b"):
        programs.start(key, ["sleep", "60"])
    processes = [programs.of(key)._process for key in ("a", "b")]
    programs.close()
    assert [process.returncode for process in processes if process] == [-signal.SIGTERM] * 2


def test_programs_end_with_whoever_started_them() -> None:
    """Whatever becomes of us, also SIGKILL."""
    text = f"""
import sys, time
sys.path[:0] = {sys.path!r}
sys.path.insert(0, {os.getcwd()!r})
from tests.unit.conftest import provide_collection, ROOT
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.programs import Programs
programs = Programs()
programs.start("one", ["sleep", "60"])
print(programs.of("one")._process.pid, flush=True)
time.sleep(60)
"""
    root = Path(__file__).resolve().parents[5]
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, cwd=root, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    limit_s = time.monotonic() + 5
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < limit_s:
        time.sleep(0.02)
    # A zombie that its new parent has not looked at yet has ended as well.
    assert not os.path.exists(f"/proc/{pid}") or ") Z " in Path(f"/proc/{pid}/stat").read_text()


class TestRun:
    def test_output(self) -> None:
        assert run(["cat"], 5, text="hello") == "hello"

    def test_failure_has_all_its_parts(self) -> None:
        with pytest.raises(VirtperfError, match=r"sh -c .* failed with status 4 \(found: oh\)") as caught:
            run(["sh", "-c", "echo out; echo oh >&2; exit 4"], 5)
        facts = caught.value.facts
        assert (facts["rc"], facts["stdout"], facts["stderr"], facts["cmd"][0]) == (4, "out\n", "oh\n", "sh")

    def test_too_slow_or_not_there(self) -> None:
        with pytest.raises(VirtperfError, match=r"sleep 60 takes longer than 0\.1 s"):
            run(["sleep", "60"], 0.1)
        with pytest.raises(VirtperfError, match="no-such-program is not installed"):
            run(["no-such-program"], 1)
