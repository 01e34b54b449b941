# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference beside a run: only what is known of it, and each difference."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference import (
    NOT_KNOWN,
    Comparison,
    compare_with_reference,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def compared(*raws: dict[str, Any], facts: dict[str, Any] | None = None) -> Comparison:
    """The comparison of a run with these records, and a cell without any."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    cells = [*(raw["cell"] for raw in raws), make.cell("igb_uio", 2, 64)]
    (grid,) = lay_out(analyse(records, wanted_cells({"reflect": make.definition(cells, trials=1)}, ["localhost"])))
    comparison = compare_with_reference(grid, facts or {})
    assert comparison
    return comparison


def guest(driver: str = "igb_uio", queues: int = 1, size: int = 64) -> dict[str, Any]:
    """A record of a guest."""
    raw = make.record(5.98e6, of=make.cell(driver, queues, size))
    raw["asked"] |= {"place": "guest", "generator": "testpmd", "links": 1}
    raw["observed"] |= {"accel": "tcg", "qemu": "10.0.2", "pins": [{"thread": "vcpu 1", "cpus": "3"}]}
    raw["observed"]["generator"] = {"version": "DPDK 24.11.4"}
    return raw


def test_64_bytes_of_one_queue_and_the_ceiling_from_256_on_are_all_that_is_known() -> None:
    sizes = (64, 128, 256, 512, 1518)
    comparison = compared(*(guest(queues=queues, size=size) for queues in (1, 2) for size in sizes))
    shown = {
        (row.factors["queues"], size): pair.theirs.shown if pair.theirs else None
        for row, pairs in comparison.rows
        for size, pair in pairs.items()
    }
    assert shown == {(queues, size): "9,99x" if size >= 256 else None for queues in (1, 2) for size in sizes} | {
        (1, 64): "8,040"
    }


def test_a_ratio_is_of_ours_to_theirs() -> None:
    ((_row, pairs), (_missing, unmeasured)) = compared(guest()).rows
    assert pairs[64].theirs
    assert pairs[64].theirs.pps == pytest.approx(11.96e6, rel=0.001)
    assert pairs[64].ratio == pytest.approx(0.5, rel=0.001)
    assert unmeasured[64].ratio is None


def test_other_drivers_have_nothing_beside_them() -> None:
    comparison = compared(guest("virtio-net"), guest("uio_pci_generic"))
    assert [row.factors["driver"] for row, _pairs in comparison.rows] == ["uio_pci_generic", "igb_uio"]


def test_each_difference_from_what_was_observed() -> None:
    facts = {"cpus": {"model": "EPYC"}, "dpdk": {"version": "22.11.11"}}
    differing = {subject: (theirs, ours) for subject, theirs, ours in compared(guest(), facts=facts).differences}
    assert differing["accelerator"] == ("kvm", "tcg")
    assert differing["generator"] == ("pktgen", "testpmd")
    assert differing["vCPUs on CPUs"][1] == "vCPU 1: 3"
    assert differing["rate the generator holds to"][1] == "none, it sends all it can"
    assert differing["processor"] == (NOT_KNOWN, "EPYC")
    assert (differing["DPDK"][1], differing["QEMU"][1]) == ("22.11.11, 24.11.4 in the guest", "10.0.2")
    assert (differing["drivers"][1], differing["queues"][1]) == ("igb_uio", "1")
    # The same in both.
    assert not {"place of the generator", "links"} & set(differing)


def test_what_is_the_same_is_no_difference() -> None:
    raws = [guest(driver, queues) for driver in ("uio_pci_generic", "igb_uio") for queues in (1, 2)]
    for raw in raws:
        raw["asked"]["generator"] = "pktgen"
        raw["observed"] |= {"accel": "kvm", "link_speed_mbps": 10000}
    differing = {subject: ours for subject, _theirs, ours in compared(*raws).differences}
    assert not {"accelerator", "generator", "drivers", "queues"} & set(differing)
    assert differing["rate the generator holds to"].startswith("10000 Mbit/s")


def test_a_run_without_their_drivers_says_so() -> None:
    records = [Record(make.record(), 1)]
    (grid,) = lay_out(analyse(records, []))
    comparison = compare_with_reference(grid, {})
    assert comparison
    assert not comparison.rows
    assert comparison.notes[-1] == "no row of this run has a driver of theirs: uio_pci_generic, igb_uio"
    assert ("accelerator", "kvm", "none: no guest") in comparison.differences
