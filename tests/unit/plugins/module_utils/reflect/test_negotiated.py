# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both ends agreed on is read back, and every difference from what was asked is named."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, cast

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Identity, Thread
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.negotiated import mismatches, observe

FAR_END_LOG = """\
virtio_ethdev_negotiate_features(): features after negotiate = d10018020
virtio_init_queue(): setting up queue: 0 on NUMA node -1
virtio_init_queue(): vq_size: 256
virtio_init_queue(): setting up queue: 1 on NUMA node -1
virtio_init_queue(): vq_size: 256
set_rxtx_funcs(): virtio: using packed ring standard Tx path on port 0
set_rxtx_funcs(): virtio: using packed ring mergeable buffer Rx path on port 0
"""
VSWITCH_LOG = "VHOST_CONFIG: (/run/virtperf/vswitch.sock) negotiated Virtio features: 0xd50008000\n"
ASKED = {
    "queues": 1,
    "ring_size": 256,
    "packed": True,
    "in_order": True,
    "mrg_rxbuf": True,
    "vectorized": False,
}
ENDS = {"vswitch": [0], "generator": [1]}


@dataclass
class FakeTelemetry:
    queue_pairs: tuple[int, int]
    state: tuple[bool, int | None]
    greeting: dict[str, Any] = field(default_factory=lambda: {"version": "DPDK 22.11.11"})

    def __enter__(self) -> FakeTelemetry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def queues(self) -> tuple[int, int]:
        return self.queue_pairs

    def link(self) -> tuple[bool, int | None]:
        return self.state


@dataclass
class FakeEnd:
    name: str
    text: str
    cpus: list[str]
    link: tuple[bool, int | None] = (True, None)

    def log(self) -> str:
        return self.text

    def telemetry(self) -> FakeTelemetry:
        return FakeTelemetry((1, 1), self.link)

    def workers(self) -> list[Thread]:
        return [Thread(100 + number, "rte-worker-1", cpus, 0.0) for number, cpus in enumerate(self.cpus)]

    def identity(self) -> Identity:
        return Identity(4711, 1, "b")

    def definition(self) -> None:
        return None


def look(vswitch_log: str = VSWITCH_LOG, far_end_log: str = FAR_END_LOG, queues: int = 1) -> dict[str, Any]:
    vswitch = FakeEnd("vswitch", vswitch_log, ["0"], (True, 10000))
    generator = FakeEnd("generator", far_end_log, ["1"])
    return observe(cast(Instance, vswitch), cast(Instance, generator), queues)


@pytest.fixture
def observed() -> dict[str, Any]:
    return look()


class TestObserve:
    def test_everything_that_was_negotiated(self, observed: dict[str, Any]) -> None:
        assert observed["features_word"] == "0xd50008000"
        assert "ring_packed" in observed["features"]
        assert observed["ring_sizes"] == [256]
        assert observed["ring_size"] == 256
        assert observed["queues"] == 1
        assert observed["datapaths"] == {"Tx": "packed ring standard", "Rx": "packed ring mergeable buffer"}
        assert observed["dpdk"] == "DPDK 22.11.11"
        assert observed["vswitch"] == {
            "rx_queues": 1,
            "tx_queues": 1,
            "link_up": True,
            "link_speed_mbps": 10000,
            "cpus": [0],
            "pid": 4711,
            "command": None,
        }

    def test_the_link_that_can_cap_is_the_far_end_s(self, observed: dict[str, Any]) -> None:
        assert observed["link_speed_mbps"] is None

    def test_the_driver_s_word_counts_where_the_vswitch_says_none(self) -> None:
        assert look(vswitch_log="")["features_word"] == "0xd10018020"

    def test_two_ring_sizes_are_no_ring_size(self) -> None:
        log = FAR_END_LOG.replace("queue: 1 on NUMA node -1\nvirtio_init_queue(): vq_size: 256",
                                  "queue: 1 on NUMA node -1\nvirtio_init_queue(): vq_size: 128")  # fmt: skip
        found = look(far_end_log=log)
        assert found["ring_sizes"] == [128, 256]
        assert found["ring_size"] is None

    def test_silent_logs_show_nothing(self) -> None:
        found = look("", "")
        assert (found["features"], found["ring_sizes"], found["datapaths"]) == ([], [], {})


class TestMismatches:
    def test_what_was_asked_has_none(self, observed: dict[str, Any]) -> None:
        assert mismatches(ASKED, observed, ENDS) == []

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"queues": 2}, "vswitch has 1 receive and 1 transmit queues, asked 2"),
            ({"ring_size": 1024}, "ring sizes are [256], asked 1024"),
            ({"packed": False}, "ring_packed was negotiated, asked packed=False"),
            ({"in_order": False}, "in_order was negotiated, asked in_order=False"),
            ({"mrg_rxbuf": False}, "mrg_rxbuf was negotiated, asked mrg_rxbuf=False"),
            ({"vectorized": True}, "no vectorized path was chosen"),
        ],
    )
    def test_each_difference_is_named(self, observed: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
        assert any(found.startswith(reason) for found in mismatches({**ASKED, **changes}, observed, ENDS))

    def test_a_feature_that_was_not_to_be_had(self, observed: dict[str, Any]) -> None:
        observed["features"].remove("in_order")
        assert mismatches(ASKED, observed, ENDS) == ["in_order was not negotiated, asked in_order=True"]

    def test_other_cpus_than_asked(self, observed: dict[str, Any]) -> None:
        assert mismatches(ASKED, observed, {"vswitch": [0], "generator": [3, 2]}) == [
            "generator forwards on CPUs [1], asked [2, 3]"
        ]

    def test_a_link_that_is_down(self, observed: dict[str, Any]) -> None:
        observed["generator"]["link_up"] = False
        assert mismatches(ASKED, observed, ENDS) == ["the link of generator is down"]

    def test_a_vectorized_path_is_enough(self, observed: dict[str, Any]) -> None:
        observed["datapaths"] = {"Rx": "packed ring vectorized", "Tx": "packed ring vectorized"}
        assert mismatches({**ASKED, "vectorized": True}, observed, ENDS) == []

    def test_neither_side_is_changed_by_looking(self, observed: dict[str, Any]) -> None:
        before = copy.deepcopy((ASKED, observed, ENDS))
        mismatches(ASKED, observed, ENDS)
        assert (ASKED, observed, ENDS) == before
