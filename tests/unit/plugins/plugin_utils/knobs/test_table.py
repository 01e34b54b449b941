# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study knobs on the screen."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.table import WIDTH
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import results_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table import render_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import knobs_factory as make
from ansible_collections.virtperf.vhost.tests.unit import record_factory

PAIR = make.cells(["vectors"], ["tcp_rr"])


def table(raws: list[dict[str, Any]], definition: dict[str, Any] | None = None, **facts: Any) -> str:
    """The table of a run."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    studies = {"knobs": definition or make.definition()}
    manifest = {
        "run_id": make.RUN_ID,
        "tool": {"name": "virtperf.vhost", "version": "0.1.0"},
        "created_at": "2026-11-20T10:00:00Z",
        "studies": studies,
        "facts": {"localhost": record_factory.FACTS | facts},
        "failures": [],
    }
    return render_table(results_of(records, wanted_cells(studies, ["localhost"])), manifest, [])


def test_a_line_for_each_comparison_the_largest_first() -> None:
    lines = table(make.screening(), make.definition()).splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith("knob "))
    assert lines[begin].split() == [
        *("knob", "workload", "ratio", "95", "%", "interval", "verdict", "more"),
        *("kicks", "interrupts", "exits", "CPU"),
    ]
    assert lines[begin + 1].startswith("vhost on -> off")
    rows = lines[begin + 1 : lines.index("", begin)]
    assert len(rows) == sum((len(knob.levels) - 1) * len(knob.workloads) for knob in make.KNOBS.values())
    assert any(line.startswith("vectors default -> 0") and " matters " in line for line in rows)
    assert max(map(len, lines)) <= WIDTH
    assert lines[2] == "effects against the baseline in pairs of trials, the largest first; 5 trials a cell"
    assert "Guests were emulated: the effects count, not the absolute numbers." in lines
    assert "answers to the questions of the list" in lines
    assert "in which nothing can matter, 0 came out as matters." in table(make.screening(), make.definition())


def test_a_column_says_why_it_has_gaps() -> None:
    raws = make.screening(PAIR, scatter=0.0, absent={"exits": "bpftrace is missing: apt-get install bpftrace"})
    for raw in raws:
        raw["metrics"] |= {"exits_per_packet": None, "interrupts_per_packet": None}
    text = table(raws, make.definition(PAIR))
    (row,) = (line for line in text.splitlines() if line.startswith("vectors default"))
    assert row.split()[-4:] == ["1.00=", "n/c", "n/c", "1.00="]
    assert "n/c exits: bpftrace is missing: apt-get install bpftrace" in text
    assert "n/c interrupts: the records do not say why" in text


def test_gone_knobs_are_told_with_their_answer() -> None:
    gone = [{"knob": "zcopytx", "level": "1", "since": "Linux 7.0", "replaced_by": "MSG_ZEROCOPY"}]
    skipped = [{"cell": make.cell("zcopytx", "1", "tcp_out_64k"), "reason": "gone since Linux 7.0: MSG_ZEROCOPY"}]
    text = table(make.screening(PAIR), make.definition(PAIR, gone=gone, skipped=skipped))
    assert "zcopytx=1, tcp_out_64k: gone since Linux 7.0: MSG_ZEROCOPY" in text
    assert "zcopytx: Does it pay to transmit without a copy in the host?\n    1: gone since Linux 7.0" in text


def test_nothing_measured() -> None:
    text = table([], make.definition(PAIR))
    assert "cannot tell yet" in text
    assert "vectors=0, tcp_rr: 0 of 5 valid; 5 of 5 trials not measured" in text
    assert "no level was measured against a baseline" in table([make.record(PAIR[0])], make.definition(PAIR[:1]))


def test_a_terminal_obeys_nothing_that_a_host_says() -> None:
    evil = "\x1b[2Jvectors\nfoo"
    raws = make.screening([make.cell(evil, "a"), make.cell(evil, "b" * 90), make.cell(evil, "c", evil)])
    for raw in raws:
        raw["metrics"]["exits_per_packet"] = None
        raw["counters"]["absent"] = {"exits": evil}
    text = table(raws, make.definition([raws[0]["cell"]], gone=[{"knob": evil, "since": evil, "replaced_by": evil}]))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_host_that_is_a_vm_itself() -> None:
    raws = make.screening(PAIR)
    for raw in raws:
        del raw["observed"]["accel"]
    said = "The measured host is a virtual machine itself: the effects count"
    assert said in table(raws, make.definition(PAIR), cpus={"virtual": True})
    assert said not in table(raws, make.definition(PAIR), cpus={"virtual": False})


def test_pairs_that_were_not_taken_next_to_each_other() -> None:
    said = "Of vectors baseline and level needed boots of their own"
    assert said in table(make.screening(PAIR), make.definition(PAIR, apart=["vectors", "zcopytx"]))
    assert "boots of their own" not in table(make.screening(PAIR), make.definition(PAIR, apart=["zcopytx"]))
