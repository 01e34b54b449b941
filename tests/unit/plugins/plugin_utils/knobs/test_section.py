# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about the study knobs."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import section as knobs_section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Screening, lay_out_screenings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.tests.unit import knobs_factory as make


def screenings(raws: list[dict[str, Any]]) -> list[Screening]:
    """As the report gets them."""
    return lay_out_screenings(gather([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))


def test_the_headline_counts_verdicts_and_names_the_largest_effect() -> None:
    raws = make.screening(make.cells(["vhost", "host_tso4"], ["tcp_out_64k"]), scatter=0.002)
    sentence, told = knobs_section.headline(screenings(raws))
    assert sentence == "Of 2 changes of a knob 1 matter and 1 do not; 0 cannot be told yet."
    assert told.startswith("The largest: vhost on -> off, tcp_out_64k: Mbit/s x 0.31 (0.31 to 0.31) on localhost.")


def test_no_headline_without_an_effect() -> None:
    assert knobs_section.headline([]) == ("", "")
    assert knobs_section.headline(screenings([make.record()])) == ("", "")
    raws = make.screening(make.cells(["vhost"], ["tcp_rr"]), trials=2)
    assert knobs_section.headline(screenings(raws)) == (
        "Of 1 change of a knob 0 matter and 0 do not; 1 cannot be told yet.",
        "",
    )


def test_a_record_in_a_word() -> None:
    assert knobs_section.outcome(Record(make.record(make.cell("vhost", "on", "tcp_rr")), 1)) == "3,100 transactions/s"
    assert knobs_section.outcome(Record(make.record(make.cell("vhost", "on", "tcp_out_64k")), 1)) == "820 Mbit/s"
    assert knobs_section.outcome(Record(make.record(metrics={"received_pps": None}), 1)) == "not counted"
