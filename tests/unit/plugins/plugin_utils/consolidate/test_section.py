# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about the study consolidate."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate import section as consolidate_section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.analysis import (
    Consolidation,
    lay_out_consolidations,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.tests.unit import consolidate_factory as make


def consolidations(raws: list[dict[str, Any]]) -> list[Consolidation]:
    """As the report gets them."""
    return lay_out_consolidations(gather([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))


def test_the_headline_counts_gains_and_losses() -> None:
    raws = make.curves(make.cells(guests=(2,), workloads=("tcp_rr",)), scatter=0.0)
    for raw in raws:
        if raw["cell"]["policy"] == "sidecore":
            raw["metrics"]["transactions_per_s"] /= 4
    assert consolidate_section.headline(consolidations(raws)) == (
        "Against workers that float, other policies carried more in 1 and less in 1 of 2 comparisons.",
        "Furthest: sidecore with 2 guests in tcp_rr on localhost, transactions/s x 0.33 (0.33 to 0.33).",
    )


def test_no_headline_without_a_comparison() -> None:
    assert consolidate_section.headline([]) == ("", "")
    assert consolidate_section.headline(consolidations([make.record()])) == ("", "")
    sentence, told = consolidate_section.headline(
        consolidations(make.curves(make.cells(guests=(2,), workloads=("tcp_rr",)), trials=1))
    )
    assert sentence.endswith("more in 0 and less in 0 of 2 comparisons.")
    assert told == ""


def test_a_record_in_a_word() -> None:
    assert consolidate_section.outcome(Record(make.record(make.cell("baseline", 1, "tcp_maerts")), 1)) == "300 Mbit/s"
    missing = make.record(metrics={"transactions_per_s": None})
    assert consolidate_section.outcome(Record(missing, 1)) == "not counted"
