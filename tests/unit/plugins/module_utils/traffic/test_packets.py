# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets of pktgen's to somebody, from a kernel that only pretends."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_net import pktgen as pktgen_module
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.packets import Packets
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.kernel_net.fake_kernel import (
    FakeSystem,
    Kernel,
    build,
)


def packets(kernel: Kernel, pps: int = 5000) -> Packets:
    return Packets(
        kernel,
        via="eth1",
        mac="52:54:00:00:00:02",
        source="198.18.1.1",
        destination="198.18.1.2",
        packet_size=64,
        pps=pps,
        system=FakeSystem(),
    )


def test_what_the_kernel_is_told(tmp_path: Path) -> None:
    kernel = build(tmp_path)
    made = packets(kernel)
    made.start()
    told = [line for path, line in kernel.written if path.endswith("eth1@0")]
    assert {"ratep 5000", "dst_mac 52:54:00:00:00:02", "src_min 198.18.1.1", "dst_max 198.18.1.2"} <= set(told)
    assert {"pkt_size 60", "clone_skb 0", "burst 1"} <= set(told)
    assert told.index("delay 0") < told.index("ratep 5000"), "a delay of nothing undoes a rate"
    assert made.command() == "pktgen eth1@0 on CPU 1, clone_skb 0, burst 1, 5000 packets/s"
    assert "pkts-sofar: 238" in made.stop()
    assert not any(kernel.threads.values()), "the device is given back"


def test_as_many_as_can_be(tmp_path: Path) -> None:
    kernel = build(tmp_path)
    made = packets(kernel, pps=0)
    made.start()
    made.stop()
    assert not [line for _path, line in kernel.written if line.startswith("ratep")]


def test_a_kernel_that_does_not_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pktgen_module, "_PATIENCE_S", 0.05)
    kernel = build(tmp_path, sends=False)
    with pytest.raises(VirtperfError, match="pktgen does not send"):
        packets(kernel).start()
    assert not any(kernel.threads.values())
