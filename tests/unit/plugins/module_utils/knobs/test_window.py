# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One window: what is done in which order. Traffic and counting only pretend."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs import window as window_module
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.addresses import Prepared
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exits import Counts
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.load import Outcome
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.metrics import Taken
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import DUT, HOST, PEER, setup
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.window import Windows
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import raw


class Fake:
    """Traffic, counting, places and threads in one. It takes down what matters."""

    def __init__(self, *faults: str) -> None:
        self.done: list[str] = []
        self._faults = [*faults]

    def start(self) -> None:
        self.done.append("traffic")

    def again(self) -> bool:
        return False

    def fault(self) -> str:
        return self._faults.pop(0) if self._faults else ""

    def stop(self) -> Outcome:
        self.done.append("no traffic")
        return Outcome()

    def open(self) -> None:
        self.done.append("count")

    def close(self) -> float:
        self.done.append("count no more")
        return 1.0

    def counts(self, seconds: float) -> Counts:
        self.done.append("print")
        return Counts(seconds)

    def look(self, names: list[str]) -> str:
        return "look"

    def read(self) -> list[int]:
        return []

    def ended(self) -> list[str]:
        return []


def take(fake: Any, monkeypatch: pytest.MonkeyPatch) -> Taken:
    asked = setup(raw())
    monkeypatch.setattr(window_module.load, "load", lambda *_arguments: fake)
    places = dict.fromkeys((DUT, PEER, HOST), fake)
    windows = Windows(asked, Prepared(nics={PEER: "eth1"}), places, fake, fake, fake, lambda _until_s: None)
    return windows.take(asked.workloads["tcp_rr"], asked.arms["baseline"])


def test_counts_are_printed_when_the_traffic_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latencies of netperf's are of all the time that it runs, and printing takes CPU time."""
    fake = Fake()
    assert take(fake, monkeypatch).counts.seconds == 1.0
    assert fake.done == ["traffic", "count", "count no more", "no traffic", "print"]


def test_traffic_that_ended_by_itself_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake("", "iperf3 ended")
    with pytest.raises(VirtperfError, match="iperf3 ended"):
        take(fake, monkeypatch)
    assert fake.done == ["traffic", "count", "count no more", "no traffic"]
