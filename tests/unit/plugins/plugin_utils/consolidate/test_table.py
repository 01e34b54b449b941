# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study consolidate on the screen."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.consolidate.table import WIDTH
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import results_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table import render_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import consolidate_factory as make
from ansible_collections.virtperf.vhost.tests.unit import record_factory


def table(raws: list[dict[str, Any]], definition: dict[str, Any] | None = None) -> str:
    """The table of a run."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    studies = {"consolidate": definition or make.definition()}
    manifest = {
        "run_id": make.RUN_ID,
        "tool": {"name": "virtperf.vhost", "version": "0.1.0"},
        "created_at": "2026-11-20T10:00:00Z",
        "studies": studies,
        "facts": {"localhost": record_factory.FACTS},
        "failures": [],
    }
    return render_table(results_of(records, wanted_cells(studies, ["localhost"])), manifest, [])


def test_a_table_for_each_workload() -> None:
    text = table(make.curves(scatter=0.0))
    lines = text.splitlines()
    for workload in make.DEFAULT:
        assert sum(line.startswith(f"{workload}, ") for line in lines) == 1
    begin = lines.index("tcp_rr, transactions/s")
    assert lines[begin + 1].split() == [
        *("guests", "policy", "transactions/s", "min", "to", "max", "ratio", "95", "%", "interval", "verdict", "limit")
    ]
    assert lines[begin + 2].split() == ["1", "baseline", "4,500", "4,500", "to", "4,500", "-", "-", "-", "io-cpu"]
    assert lines[begin + 3].split()[6:11] == ["1.30", "1.30", "to", "1.30", "matters"]
    assert max(map(len, lines)) <= WIDTH


def test_it_says_what_it_emulates_and_what_is_missing() -> None:
    text = " ".join(table(make.curves()).split())
    for words in (
        "This emulates ELVIS (shared vhost) with what mainline Linux has.",
        "Missing of ELVIS: one thread that serves many guests",
        "exitless interrupts",
        "Guests were emulated: the effects count, not the absolute numbers.",
    ):
        assert words in text
    raws = make.curves()
    for raw in raws:
        raw["observed"]["accel"] = "kvm"
    assert "the effects count" not in table(raws)


def test_what_is_missing_is_marked_and_told() -> None:
    asked = make.cells(guests=(1,), workloads=("tcp_rr",))
    raws = [raw for raw in make.curves(asked) if (raw["cell"]["policy"], raw["trial"]) != ("sidecore", 5)]
    raws += [make.invalid(of=make.cell("sidecore", 1), trial=5)]
    skipped = [{"cell": make.cell("sidecore", 9), "reason": "fewer CPUs than the partition asks for"}]
    text = table(raws, make.definition(asked, skipped=skipped))
    assert "! 5," in text
    assert "tcp_rr, sidecore, 1 guest: 4 of 5 valid; trial 5: guest2 started 1.31 s late" in text
    assert "tcp_rr, sidecore, 9 guests: fewer CPUs than the partition asks for" in text
    assert "no valid trial" in table([], make.definition(asked))


def test_a_terminal_obeys_nothing_that_a_host_says() -> None:
    evil = "\x1b[2J" + "policy" * 30
    text = table([make.record(make.cell(evil, 2, evil), limit=evil)])
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= WIDTH
