# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A testpmd as an end: what it answers over one or several ports, and that it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.testpmd_end import TestpmdEnd
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.dpdk.fake_testpmd import Lab, installed


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        yield lab


@pytest.fixture
def generator(lab: Lab) -> TestpmdEnd:
    lab.start(lab.vswitch(forwarding=True), lab.generator())
    return TestpmdEnd(lab.host, lab.generator())


def test_it_starts_and_stops_its_traffic(generator: TestpmdEnd, lab: Lab) -> None:
    generator.offer(128, forwarding=True)
    generator.clear()
    before = generator.counters()
    assert generator.counters().tx_packets > before.tx_packets
    assert generator.statistics() is not None
    generator.offer(128, forwarding=False)
    before = generator.counters()
    assert generator.counters().tx_packets == before.tx_packets


def test_it_says_what_it_is(generator: TestpmdEnd, lab: Lab) -> None:
    setup = generator.setup()
    assert (setup["rx_queues"], setup["tx_queues"], setup["link_up"]) == (1, 1, True)
    assert setup["cpus"] == list(lab.generator().cpus)
    assert setup["ring_sizes"] == [256]
    assert "net_virtio_user0" in setup["command"]


def test_its_end_is_told_and_its_log_stays(generator: TestpmdEnd) -> None:
    assert generator.is_running()
    generator.counters()
    assert generator.stop() == "quit"
    assert not generator.is_running()
    assert "EAL" in generator.log()
    assert "has died" in str(generator.died())
