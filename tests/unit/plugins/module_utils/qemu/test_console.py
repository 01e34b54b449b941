# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests that get ready, and those that do not."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import console, manager
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.console import Sign
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance, Limits, Observed
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed

SIGN = Sign("virtperf: ready", 5)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(monkeypatch) as lab:
        yield lab


def start(lab: Lab, *names: str, sign: Sign | None = None) -> list[Instance]:
    wanted = [lab.vm(name) for name in names]
    plan = manager.plan_present(lab.host, wanted, paused=False, on_change="restart")
    manager.check(lab.host, wanted, plan)
    manager.apply(lab.host, Journal(lab.host), plan, Limits(0.2, 5, 5), 5, sign)
    return [Instance(lab.host, name) for name in names]


def say(instance: Instance, text: str) -> None:
    with Path(instance.serial_path).open("a", encoding="utf-8") as log:
        log.write(text)


def test_all_are_waited_for_together_and_said_is_said(lab: Lab) -> None:
    first, second = start(lab, "first", "second")
    say(first, "\nLinux\r\nvirtperf: ready\r\nlogin: ")

    def later() -> None:
        for part in ("virtperf: r", "eady"):
            time.sleep(0.15)
            say(second, part)

    thread = threading.Thread(target=later)
    thread.start()
    ready = console.wait([first, second], SIGN)
    thread.join()
    assert ready["first"] < 0.1
    assert ready["second"] >= 0.3


def test_one_that_never_does_is_told_with_its_console(lab: Lab) -> None:
    ready, silent = start(lab, "ready", "silent")
    say(ready, "virtperf: ready\n")
    say(silent, "early\n" * 50 + "\x1b[31mKernel panic\x1b[0m - not syncing\r\n")
    with pytest.raises(VirtperfError) as caught:
        console.wait([ready, silent], Sign("virtperf: ready", 0.1))
    assert caught.value.what == "silent: no 'virtperf: ready' on the console in 0.1 s"
    assert caught.value.facts["not_ready"] == ["silent"]
    assert "-- silent, which QEMU calls running, ends with:\nearly\n" in caught.value.found
    assert caught.value.found.endswith("\nKernel panic - not syncing")


def test_a_death_is_told_at_once(lab: Lab) -> None:
    (guest,) = start(lab, "guest")
    os.kill(lab.pid("guest"), signal.SIGKILL)
    begun = time.monotonic()
    with pytest.raises(VirtperfError, match=r"guest has died[^$]*SeaBIOS"):
        console.wait([guest], SIGN)
    assert time.monotonic() - begun < 2


def test_a_guest_that_will_not_go_on_is_not_waited_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_ASK_S", 0.1)
    (guest,) = start(lab, "guest")
    monkeypatch.setattr(Instance, "observe", lambda _self: Observed("internal-error"))
    say(guest, "Booting\n")
    with pytest.raises(VirtperfError, match=r"guest will not go on: QEMU calls it internal-error[^$]*Booting"):
        console.wait([guest], SIGN)


def test_what_was_started_with_it_is_stopped_again_and_the_rest_stays(lab: Lab) -> None:
    (old,) = start(lab, "old")
    say(old, "virtperf: ready")
    with pytest.raises(VirtperfError, match="new: no"):
        start(lab, "old", "new", sign=Sign("virtperf: ready", 0.1))
    assert lab.running() == ["old"]
    with pytest.raises(VirtperfError, match="old: no"):
        start(lab, "old", sign=Sign("another", 0.1))
    assert lab.running() == ["old"]


def test_one_that_is_paused_is_not_waited_for(lab: Lab) -> None:
    plan = manager.plan_present(lab.host, [lab.vm()], paused=True, on_change="restart")
    manager.check(lab.host, [lab.vm()], plan)
    manager.apply(lab.host, Journal(lab.host), plan, Limits(0.2, 5, 5), 5, Sign("never said", 0.1))
    assert lab.running() == ["guest"]


@pytest.mark.parametrize("text", ["", " ", "two\nlines"])
def test_a_sign_that_says_nothing(text: str) -> None:
    with pytest.raises(VirtperfError, match="not usable"):
        Sign(text, 1)
