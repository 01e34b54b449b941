# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue holds together, and is what the issue's table has."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.workloads import WORKLOADS

TABLE = (
    *("vhost", "mrg_rxbuf", "event_idx", "indirect_desc", "vectors", "tx", "txtimer", "txburst", "rx_queue_size"),
    *("tx_queue_size", "sndbuf", "txqueuelen", "zcopytx", "csum", "gso", "guest_tso4", "host_tso4", "macvtap"),
    *("bridge_nf", "poll_us", "napi_tx", "queues"),
)


def test_it_has_all_of_the_table() -> None:
    assert tuple(name for name, knob in KNOBS.items() if knob.is_listed) == TABLE


@pytest.mark.parametrize("name", KNOBS)
def test_each_knob(name: str) -> None:
    knob = KNOBS[name]
    assert knob.name == name
    assert knob.question.endswith("?")
    assert knob.place
    assert knob.variants
    assert knob.workloads
    assert set(knob.workloads) <= set(WORKLOADS)
    for other, level in knob.requires.items():
        assert level in KNOBS[other].levels
        # What a required knob requires itself is named too.
        assert KNOBS[other].requires.items() <= knob.requires.items()
    for gone in knob.gone:
        assert set(gone.levels) <= set(knob.variants)
        assert bool(gone.since) != bool(gone.parameter)
        assert gone.replaced_by
    for level in knob.levels:
        # Cells of two crossed have commas between.
        assert "," not in level
        assert "=" not in level


def test_each_workload_goes_over_the_device_that_is_varied() -> None:
    for name, workload in WORKLOADS.items():
        spec = workload.spec(1234)
        assert spec["name"] == name
        assert "dut" in (spec["from"], spec["to"])
        assert spec["from"] != spec["to"]
        assert ("rate_pps" in spec) == (workload.kind == "pktgen")
    assert WORKLOADS["udp_to_host"].spec(1234)["rate_pps"] == 1234
