# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference beside a run, as lines."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference import compare_with_reference
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference_table import reference_lines
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make

WIDTH = 100


def test_their_lines_and_ours() -> None:
    raws = [make.record(5.98e6, of=make.cell("igb_uio", 1, size)) for size in (64, 128, 256)]
    (grid,) = lay_out(analyse([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))
    comparison = compare_with_reference(grid, {})
    assert comparison
    lines = list(reference_lines(comparison, WIDTH))
    assert max(map(len, lines)) <= WIDTH
    at = next(number for number, line in enumerate(lines) if line.startswith("igb_uio, 1 queue"))
    assert [line.split() for line in lines[at : at + 5]] == [
        ["igb_uio,", "1", "queue", "theirs,", "L1", "Mbit/s", "8,040", "not", "known", "9,99x"],
        ["ours,", "L1", "Mbit/s", "4,019", "7,080", "13,204"],
        ["theirs,", "Mpps", "11.96", "-", "4.53"],
        ["ours,", "Mpps", "5.98", "5.98", "5.98"],
        ["ours", "/", "theirs", "0.50", "-", "1.32"],
    ]
    at = lines.index("what differs in the setup")
    assert lines[at + 1].split() == ["accelerator", "theirs:", "kvm"]
    assert lines[at + 2].split() == ["ours:", "none:", "no", "guest"]
