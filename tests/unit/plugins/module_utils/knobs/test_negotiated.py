# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was negotiated, against what an arm asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.negotiated import check, layout, observed, served
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import Arm, setup
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import hypervisor, raw
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.test_metrics import taken

SEEN: dict[str, Any] = {
    "rings": {"rx": 256, "tx": 256},
    "queues": 1,
    "features": ["csum", "guest_tso4", "host_tso4", "mrg_rxbuf", "event_idx", "indirect_desc"],
    "vhost": True,
    "tx_frames": 1,
    "interrupts": ["config", "input.0", "output.0"],
    "txqueuelen": 1000,
}
BASE = {
    "rx_queue_size": "256",
    "tx_queue_size": "256",
    "queues": "1",
    "csum": "on",
    "gso": "on",
    "guest_tso4": "on",
    "host_tso4": "on",
    "mrg_rxbuf": "on",
    "event_idx": "on",
    "indirect_desc": "on",
    "vhost": "on",
    "napi_tx": "on",
    "vectors": "default",
    "txqueuelen": "1000",
    "macvtap": "off",
}


def arm(**settings: str) -> Arm:
    return replace(setup(raw()).arms["baseline"], settings={**BASE, **settings})


def test_as_asked() -> None:
    assert check(arm(), SEEN) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tx_queue_size": "1024"}, "its tx ring has 256 descriptors where 1024 were asked for"),
        ({"rx_queue_size": "1024"}, "its rx ring has 256"),
        ({"queues": "2"}, "it uses 1 pairs of queues where 2 were asked for"),
        ({"event_idx": "off"}, "the feature event_idx is on, which was not asked for"),
        ({"vhost": "off"}, "vhost serves it, which was not asked for"),
        ({"napi_tx": "off"}, "napi_tx is on (tx-frames 1)"),
        ({"vectors": "0"}, "its interrupts are config, input.0, output.0 where vectors=0"),
        ({"txqueuelen": "50"}, "its tap's txqueuelen is 1000 where 50 was asked for"),
    ],
)
def test_not_as_asked(settings: dict[str, str], message: str) -> None:
    (wrong,) = check(arm(**settings), SEEN)
    assert message in wrong


def test_the_other_way_round() -> None:
    seen = {**SEEN, "vhost": False, "features": [], "interrupts": ["intx"], "tx_frames": 0}
    assert len(check(arm(), seen)) == 1 + 6 + 1 + 1


def test_what_goes_with_another_feature() -> None:
    seen = {**SEEN, "features": [name for name in SEEN["features"] if name != "host_tso4"]}
    assert check(arm(gso="off"), seen) == []
    seen["features"].remove("csum")
    assert check(arm(gso="on", csum="off"), seen) == []


def test_of_what_nobody_tells_nothing_is_said() -> None:
    nothing = {"rings": {}, "queues": None, "features": None, "vhost": None, "tx_frames": None, "interrupts": []}
    assert check(arm(event_idx="off", vectors="0"), nothing) == []
    assert check(arm(macvtap="on"), {**SEEN, "txqueuelen": 500}) == []
    assert check(arm(rx_queue_size="many", queues="auto"), SEEN) == []


class TestServed:
    def test_by_the_interface_of_a_worker(self) -> None:
        threads = [{**raw()["threads"][1], "interface": "vpk1"}]
        made = setup(raw(threads=threads))
        assert served(made, made.arms["baseline"], taken()) is True
        assert served(made, made.arms["event_idx=off"], taken()) is False

    def test_by_who_worked(self) -> None:
        made = setup(raw())
        assert served(made, made.arms["baseline"], taken()) is True
        idle = taken(ran_ns=({"dut/worker0": 5}, {"dut/worker0": 6}))
        assert served(made, made.arms["baseline"], idle) is False

    def test_without_workers(self) -> None:
        made = setup(raw(threads=raw()["threads"][:1]))
        assert served(made, made.arms["baseline"], taken()) is False
        made = setup(raw(threads=[]))
        assert served(made, made.arms["baseline"], taken()) is None


def test_how_workers_run() -> None:
    assert layout(setup(raw())) == "qemu-thread"
    kernel = {"label": "w", "role": "worker", "pid": 90, "tid": 90}
    assert layout(setup(raw(threads=[kernel]))) == "kthread"
    assert layout(setup(raw(threads=[*raw()["threads"], kernel]))) == "kthread+qemu-thread"
    assert layout(setup(raw(threads=[]))) is None


def test_for_the_record(tmp_path: Path) -> None:
    made = setup(raw())
    found = observed(made, made.arms["baseline"], {"driver": "virtio_net", "queues": 9}, taken(), hypervisor(tmp_path))
    assert (found["rings"], found["queues"], found["txqueuelen"]) == ({"rx": 256, "tx": 256}, 2, 1000)
    assert (found["driver"], found["vhost"], found["worker_layout"]) == ("virtio_net", True, "qemu-thread")
