# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs beside the samples, with real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle import pump as pump_module
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import Pump, leashed


def read_all(pump: Pump, seconds: float = 5.0) -> None:
    """Until all programs have ended."""
    limit_s = time.monotonic() + seconds
    while any(child.status is None for child in pump.children) and time.monotonic() < limit_s:
        pump.wait_until(time.monotonic() + 0.02)
    pump.wait_until(time.monotonic() + 0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 5.0) -> bool:
    limit_s = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < limit_s:
        time.sleep(0.01)
    return not is_running(pid)


def test_lines_with_the_instants_at_which_they_came() -> None:
    with Pump() as pump:
        began_s = time.monotonic()
        child = pump.start("talker", leashed(["sh", "-c", "printf a; sleep 0.2; echo b; printf 'c\\nrest'"]))
        read_all(pump)
        assert [line for _at, line in child.lines] == ["ab", "c"]
        assert 0.2 <= child.lines[0][0] - began_s < 2.0
        assert child.status == 0


def test_waiting_ends_in_time_whatever_is_read() -> None:
    with Pump() as pump:
        pump.start("chatter", leashed(["sh", "-c", "while :; do echo x; done"]))
        began_s = time.monotonic()
        pump.wait_until(began_s + 0.2)
        assert 0.2 <= time.monotonic() - began_s < 0.4
    with Pump() as pump:
        pump.wait_until(time.monotonic() - 1)


def test_its_status_and_last_words_are_known() -> None:
    with Pump() as pump:
        child = pump.start("client", leashed(["sh", "-c", "echo out; echo 'cannot connect' >&2; exit 7"]))
        quiet = pump.start("quiet", leashed(["echo", "all I say"]))
        read_all(pump)
        assert (child.status, child.last_words()) == (7, "cannot connect")
        assert quiet.last_words() == "all I say"


def test_who_does_not_end_with_its_leash_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump_module, "_PATIENCE_S", 0.2)
    with Pump() as pump:
        stubborn = pump.start("stubborn", ["sh", "-c", "echo $$; trap '' TERM; while :; do sleep 1; done"])
        while not stubborn.lines:
            pump.wait_until(time.monotonic() + 0.01)
    assert gone(int(stubborn.lines[0][1]))


def test_all_end_at_the_end() -> None:
    with Pump() as pump:
        child = pump.start("sleeper", leashed(["sh", "-c", "echo $$; exec sleep 60"]))
        while not child.lines:
            pump.wait_until(time.monotonic() + 0.01)
        pid = int(child.lines[0][1])
        assert is_running(pid)
    assert gone(pid)


def test_they_end_when_we_are_killed(tmp_path: Path) -> None:
    """The other end of the leash is a pipe: it closes with whoever holds it."""
    command = leashed(["sh", "-c", "echo $$; exec sleep 60"])
    program = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", program, *command], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    pid = int(holder.stdout.readline())
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert gone(pid)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_program_that_is_not_there() -> None:
    with Pump() as pump, pytest.raises(VirtperfError, match="ghost cannot be started"):
        pump.start("ghost", ["/nowhere/ghost"])
