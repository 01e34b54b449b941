# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pktgen as an end: it offers what it is told, counts, and says of itself what it keeps to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.pktgen.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.end import End
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.pktgen_end import PktgenEnd
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pktgen.fake_pktgen import (
    GENERATOR,
    Lab,
    installed,
)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(tmp_path, monkeypatch) as lab:
        yield lab


def started(lab: Lab, definition: Definition) -> PktgenEnd:
    Instance(lab.host, definition.name).start(definition)
    return PktgenEnd(lab.host, definition)


def test_it_is_an_end(lab: Lab) -> None:
    end: End = PktgenEnd(lab.host, lab.pktgen())
    assert end.name == "generator"
    assert end.statistics() is None


def test_it_sends_packets_of_the_size_asked_for_until_it_is_told_to_stop(lab: Lab) -> None:
    end = started(lab, lab.pktgen())
    assert end.counters().tx_packets == 0
    end.offer(256, forwarding=True)
    time.sleep(0.01)
    end.offer(256, forwarding=False)
    counters = end.counters()
    assert counters.tx_packets > 0
    assert counters.tx_bytes == counters.tx_packets * 252
    assert end.counters().tx_packets == counters.tx_packets


def test_every_start_is_a_new_one_and_silence_is_asked_for_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    end, told = started(lab, lab.pktgen()), []
    ask = Instance.ask
    monkeypatch.setattr(Instance, "ask", lambda self, order: told.append(order) or ask(self, order))
    for size, forwarding in [(64, False), (64, True), (64, True), (128, True), (128, False), (64, False)]:
        end.offer(size, forwarding=forwarding)
    assert [order.count("start") for order in told] == [0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("size", [63, 1519])
def test_a_size_that_it_would_change_silently_is_refused(lab: Lab, size: int) -> None:
    with pytest.raises(VirtperfError, match=f"does not make packets of {size} bytes"):
        PktgenEnd(lab.host, lab.pktgen()).offer(size, forwarding=True)


def test_what_it_says_of_itself(lab: Lab) -> None:
    end = started(lab, lab.pktgen())
    setup = end.setup()
    assert (setup["rx_queues"], setup["tx_queues"], setup["link_up"]) == (1, 1, True)
    assert setup["cpus"] == [lab.cpus[-1]]
    assert setup["version"] == "pktgen 24.10.3, DPDK 22.11.11"
    assert setup["ring_sizes"] == [256]
    assert setup["command"].startswith("pktgen --lcores=")
    assert len(end.cpu_seconds()) == 1
    # The device does not know a speed: this is what pktgen keeps to.
    assert setup["link_speed_mbps"] == 10000


def test_the_speed_of_its_link_is_lifted(lab: Lab) -> None:
    assert started(lab, lab.pktgen(link_speed_mbps=100000)).setup()["link_speed_mbps"] == 100000


def test_a_link_that_is_down_has_no_speed(lab: Lab) -> None:
    lab.behave(**{GENERATOR: {"down": [0]}})
    setup = started(lab, lab.pktgen()).setup()
    assert (setup["link_up"], setup["link_speed_mbps"]) == (False, None)


def test_a_speed_that_cannot_be_read_is_none(lab: Lab) -> None:
    lab.behave(**{GENERATOR: {"says_of_links": "fine, thanks"}})
    assert started(lab, lab.pktgen()).setup()["link_speed_mbps"] is None


def test_its_end(lab: Lab) -> None:
    end = started(lab, lab.pktgen())
    end.counters()
    assert end.is_running()
    assert end.stop() == "quit"
    assert not end.is_running()
    assert "Bye" in end.log()
    assert "pktgen generator has died" in str(end.died())
