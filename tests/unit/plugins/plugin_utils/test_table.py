# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table import WIDTH, render_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def table(
    raws: Sequence[dict[str, Any]],
    definition: dict[str, Any] | None = None,
    hosts: Sequence[str] = ("localhost",),
    failures: Sequence[str] = (),
    notes: Sequence[str] = (),
    reference: bool = False,
) -> str:
    """The table of a run."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    wanted = wanted_cells({"reflect": definition or make.definition()}, hosts)
    manifest = {
        "run_id": make.RUN_ID,
        "tool": {"name": "virtperf.vhost", "version": "0.1.0"},
        "created_at": "2026-11-20T10:00:00Z",
        "facts": {"localhost": make.FACTS},
        "failures": list(failures),
    }
    return render_table(lay_out(analyse(records, wanted)), manifest, notes, reference=reference)


def small(*raws: dict[str, Any], **arguments: Any) -> str:
    """The table of one cell."""
    return table(raws, make.definition([make.cell()]), **arguments)


def trials(*mpps: float) -> list[dict[str, Any]]:
    """Valid trials of one cell."""
    return [make.record(rate * 1e6, trial=number) for number, rate in enumerate(mpps, start=1)]


def test_all_of_it() -> None:
    asked = [make.cell("virtio_user_split", 1, 64), make.cell("virtio_user_split", 1, 1518), make.cell(queues=2)]
    raws = [
        *(make.record(rate, of=asked[0], trial=n) for n, rate in enumerate((11.9e6, 11.96e6, 12e6), start=1)),
        *(make.record(rate, of=asked[1], trial=n) for n, rate in enumerate((2e6, 4e6, 4.01e6), start=1)),
        make.record(9e6, of=asked[2], trial=1, limit="generator-cpu"),
        make.invalid("ring size 128 instead of 256", of=asked[2], trial=2),
    ]
    skipped = [{"cell": make.cell(queues=4), "reason": "needs 8 CPUs, there are 2"}]
    # 11.96 Mpps and 8,037 Mbit/s: what the original measured at 64 bytes.
    assert table(raws, make.definition(asked, skipped=skipped)) == (
        """\
reflect, run 20261120T100000Z-1a2b, host localhost
virtperf.vhost 0.1.0, DPDK 22.11.11, libvirt 9.0.0, Linux 6.1.0-40-amd64, 2026-11-20 10:00:00 UTC
medians of 1 to 3 trials a cell; L1 = packet size + 20 bytes

driver              queues                  64          1518
virtio_user_split        1  L1 Mbit/s    8,037        49,216
                            Mpps         11.96  2 modes 4.00
virtio_user_packed       2  L1 Mbit/s  ! 6,048
                            Mpps          9.00
virtio_user_packed       4  L1 Mbit/s  skipped
                            Mpps             -

2 modes  trials fall into two groups with a gap between; the median shows but one of them, or neither
         (where one group is a single trial, that is a hint and no proof: measure more trials)
!        fewer valid trials than asked for, in 1 of 3 cells:
         virtio_user_packed, 2 queues, 64 bytes: 1 of 3 valid; trial 2: ring size 128 instead of 256; 1 of 3 trials n...
skipped  not measured, and not asked to be:
         virtio_user_packed, 4 queues, 64 bytes: needs 8 CPUs, there are 2
verdicts
  vswitch-cpu: 1 of 3 cells
  unstable: 1 of 3 cells
  generator-cpu: 1 of 3 cells
"""
    )


def test_a_good_run_has_no_marks_and_no_footnotes() -> None:
    text = small(*trials(15.2, 15.3, 15.25))
    assert not any(mark in text for mark in ("~", "!", "2 modes", "skipped"))
    assert "  vswitch-cpu: 1 of 1 cell" in text


def test_a_wide_spread_is_marked() -> None:
    text = small(*trials(13, 14, 15))
    assert "~ 14.00" in text
    assert "more than 10 % of their median apart" in text


def test_a_proven_second_mode_is_no_hint() -> None:
    text = table(trials(7.1, 7.2, 15.2, 15.3), make.definition([make.cell()], trials=4))
    assert "2 modes 11.20" in text
    assert "hint" not in text


def test_the_default_sweep_fits_a_terminal_whatever_happens_in_it() -> None:
    raws = []
    for cell in make.cells():
        pps = 1e11 / 8 / (cell["packet_size"] + 20) / 1.2
        raws += [make.record(rate * pps, of=cell, trial=n) for n, rate in enumerate((0.4, 1, 1.01), start=1)]
    text = table(raws)
    assert text.count("2 modes ") > 24
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_table_for_each_host() -> None:
    text = table(
        [make.record(host="a"), make.record(host="b")], make.definition([make.cell()], trials=1), hosts=("a", "b")
    )
    assert text.count("\nverdicts\n") == 2
    assert "host a\n" in text
    assert "host b\n" in text


def test_further_factors_are_columns() -> None:
    asked = [make.cell(burst=burst, in_order=True) for burst in (32, 64)]
    text = table([], make.definition(asked))
    assert "driver              queues  burst  in order" in text
    assert "virtio_user_packed       1     64" in text


def test_failures_and_notes_come_first_and_in_full() -> None:
    text = small(failures=["localhost: measure: " + "testpmd died " * 20], notes=["line 3 is left out"])
    lines = text.splitlines()
    assert lines[0].startswith("FAILED  localhost: measure: testpmd died")
    assert text.count("died") == 20
    assert "NOTE    line 3 is left out" in lines
    assert max(map(len, lines)) <= WIDTH


def test_a_thousand_broken_cells_do_not_push_the_table_away() -> None:
    text = table([], make.definition(make.cells(queues=range(1, 50))))
    assert "and 558 more: see report.html" in text


@pytest.mark.parametrize("field", ["driver", "reason", "limit"])
def test_what_hosts_say_cannot_command_the_terminal(field: str) -> None:
    evil = "\x1b]0;owned\x07\n\rx"
    raws = {
        "driver": make.record(of=make.cell(evil)),
        "reason": make.invalid(evil),
        "limit": make.record(limit=evil),
    }
    text = table([raws[field]], make.definition([make.cell()]))
    assert "owned" in text
    assert all(character == "\n" or character.isprintable() for character in text)


def test_what_ran_the_guests_and_what_was_warned_of() -> None:
    raw = make.record()
    raw["observed"] |= {"accel": "tcg", "warnings": ["VM reflect: no KVM here"]}
    lines = small(raw).splitlines()
    assert lines[3] == "guests run by tcg (emulation)"
    assert "WARNING VM reflect: no KVM here" in lines
    assert not any(line.startswith(("guests run", "WARNING")) for line in small(make.record()).splitlines())


def test_the_reference_only_on_request() -> None:
    title = "beside the measurement that this study follows"
    assert title in small(make.record(), reference=True)
    assert title not in small(make.record())
