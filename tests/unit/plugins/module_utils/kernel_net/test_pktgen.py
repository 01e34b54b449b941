# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pktgen, told by its files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net import pktgen as pktgen_module
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net.pktgen import (
    Device,
    Pktgen,
    running_devices,
    settings,
)
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.kernel_net.fake_kernel import Kernel, build

DEVICES = [Device("eth1", 0, 0), Device("eth1", 1, 1), Device("eth2", 0, 0)]


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return build(tmp_path)


@pytest.fixture
def pktgen(kernel: Kernel) -> Iterator[Pktgen]:
    pktgen = Pktgen(kernel, DEVICES)
    yield pktgen
    pktgen.stop()
    pktgen.remove()
    assert not any(kernel.threads.values())


class TestParsers:
    def test_settings(self, kernel: Kernel, pktgen: Pktgen) -> None:
        pktgen.prepare()
        found = settings(kernel.read(f"{kernel.proc}/net/pktgen/eth1@1"))
        assert (found["queue_map_max"], found["min_pkt_size"], found["errors"]) == ("1", "60", "0")
        assert found["ifname"] == "eth1@1"

    def test_running(self) -> None:
        assert running_devices("Running: eth1@0 eth2@0 \nStopped: eth1@1 \nResult: OK\n") == ["eth1@0", "eth2@0"]
        assert running_devices("Running: \nStopped: eth1@0 \nResult: NA\n") == []

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        assert all(key and value for key, value in settings(text).items())
        running_devices(text)


def test_each_queue_goes_to_the_thread_of_its_cpu(kernel: Kernel, pktgen: Pktgen) -> None:
    pktgen.prepare()
    assert kernel.threads == {"kpktgend_0": ["eth1@0", "eth2@0"], "kpktgend_1": ["eth1@1"]}
    told = kernel.settings["eth1@1"]
    assert (told["queue_map_min"], told["queue_map_max"]) == ("1", "1")
    assert (told["count"], told["delay"], told["clone_skb"], told["burst"]) == ("0", "0", "1024", "32")
    assert [thread.tid for thread in pktgen.threads()] == [200, 201]


def test_a_driver_that_wants_every_packet_for_itself(tmp_path: Path) -> None:
    kernel = build(tmp_path, copies=False)
    pktgen = Pktgen(kernel, DEVICES)
    pktgen.prepare()
    assert (kernel.settings["eth1@0"]["clone_skb"], kernel.settings["eth1@0"]["burst"]) == ("0", "1")
    assert pktgen.command().endswith("clone_skb 0, burst 1")


def test_sending_and_not(kernel: Kernel, pktgen: Pktgen) -> None:
    pktgen.prepare()
    assert not pktgen.is_sending()
    pktgen.start(1024)
    assert pktgen.is_sending()
    assert pktgen.is_healthy()
    assert kernel.settings["eth2@0"]["pkt_size"] == "1020", "without the FCS"
    pktgen.stop()
    assert not pktgen.is_sending()
    assert pktgen.is_healthy(), "told to stop, it is well"
    assert "pkts-sofar: 238" in pktgen.log()


def test_when_it_ends_by_itself_it_is_not_well(kernel: Kernel, pktgen: Pktgen) -> None:
    pktgen.prepare()
    pktgen.start(64)
    kernel.stopped.set()
    assert pktgen._starter is not None
    pktgen._starter.join(5)
    assert not pktgen.is_healthy()


def test_when_it_does_not_begin_its_own_words_say_why(tmp_path: Path) -> None:
    pktgen = Pktgen(build(tmp_path, sends=False), DEVICES)
    pktgen.prepare()
    began_s = time.monotonic()
    with pytest.raises(VirtperfError, match="pktgen does not send") as caught:
        pktgen.start(64)
    assert time.monotonic() - began_s < 2, "it has ended, nothing more will come"
    assert "Result:" in caught.value.found


def test_what_it_did_not_take_is_told(kernel: Kernel, pktgen: Pktgen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pktgen_module, "settings", lambda text: {**settings(text), "max_pkt_size": "1500"})
    pktgen.prepare()
    with pytest.raises(VirtperfError, match="did not take") as caught:
        pktgen.start(64)
    assert caught.value.found == "max_pkt_size 1500, asked 60"


def test_a_cpu_without_a_thread(kernel: Kernel) -> None:
    with pytest.raises(VirtperfError, match="no thread for CPU 7"):
        Pktgen(kernel, [Device("eth1", 0, 7)]).prepare()
    assert not os.path.exists(f"{kernel.proc}/net/pktgen/eth1@0")
