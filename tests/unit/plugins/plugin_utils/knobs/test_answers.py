# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line for each question, with the number."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import Screening, lay_out_screenings
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.answers import FIGURES, Answer, answers, gone_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import METRICS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import knobs_factory as make


def screening(raws: list[dict[str, Any]], definition: dict[str, Any]) -> Screening:
    """Of one host."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    (found,) = lay_out_screenings(gather(records, wanted_cells({"knobs": definition}, ["localhost"])))
    return found


def answer(knob: str, raws: list[dict[str, Any]], **more: Any) -> Answer:
    """That to one knob's question."""
    definition = make.definition(make.cells([knob]), **more)
    (found,) = answers(screening(raws, definition), gone_of(definition, "localhost"))
    return found


def test_every_question_of_the_list_has_its_line_in_its_order() -> None:
    found = answers(screening(make.screening(), make.definition()), [])
    assert [one.knob for one in found] == list(KNOBS)
    assert [one.question for one in found] == [knob.question for knob in KNOBS.values()]
    assert all(one.lines for one in found)
    # and every question asks for some number beside the rate
    assert set(FIGURES) == set(KNOBS)
    assert {figure.metric for figures in FIGURES.values() for figure in figures} <= set(METRICS)


def test_interrupts_per_n_packets() -> None:
    raws = make.screening(make.cells(["vectors"]), scatter=0.0)
    found = answer("vectors", raws)
    assert found.question.endswith("interrupts per N packets, N = ?")
    # 0.114 an packet, and 2.4 times as many
    assert found.lines[0].startswith(
        "tcp_from_host_64k, default -> 0: an interrupt per N packets, N = 8.77 -> 3.65 (matters)"
    )
    assert found.lines[0].endswith("; Mbit/s x 0.72 (0.72 to 0.72), matters")


def test_what_never_happened() -> None:
    raws = make.screening(make.cells(["event_idx"], ["udp_out"]), scatter=0.0)
    for raw in raws:
        raw["metrics"]["tx_kicks_per_packet"] = 0.0
    (line, *_others) = answer("event_idx", raws).lines
    assert "a kick per N packets, N = none -> none (does not matter)" in line


def test_what_more_pairs_would_tell() -> None:
    raws = make.screening(make.cells(["host_tso4"]), scatter=0.04)
    (line,) = answer("host_tso4", raws).lines
    assert "cannot tell yet (" in line
    assert line.endswith(" more pairs)")


def test_a_figure_that_was_not_counted_is_left_out() -> None:
    raws = make.screening(make.cells(["vectors"], ["tcp_rr"]), scatter=0.0)
    for raw in raws:
        raw["metrics"]["interrupts_per_packet"] = None
    line = answer("vectors", raws).lines[0]
    assert line.startswith("tcp_rr, default -> 0: transactions/s x 0.72")


def test_gone_with_what_replaced_it_and_since_when() -> None:
    gone = [{"knob": "tx_queue_size", "level": "1024", "since": "QEMU 2.10", "replaced_by": "ethtool -G"}]
    asked = make.cells(["tx_queue_size"])[:2]
    definition = make.definition(asked, gone=gone)
    (found,) = answers(screening(make.screening(asked), definition), gone_of(definition, "localhost"))
    assert found.lines[-1] == "1024: gone since QEMU 2.10: ethtool -G"
    assert len(found.lines) == 2


def test_gone_altogether() -> None:
    gone = [{"knob": "zcopytx", "since": "Linux 7.0", "replaced_by": "MSG_ZEROCOPY"}] * 2
    asked = make.cells(["vhost"])
    definition = make.definition(asked, gone=gone)
    found = answers(screening(make.screening(asked), definition), gone_of(definition, "localhost"))
    assert [(one.knob, one.lines) for one in found[1:]] == [("zcopytx", ["gone since Linux 7.0: MSG_ZEROCOPY"])]
    assert found[1].note.startswith("Linux has it off by default")


def test_gone_on_one_host_only() -> None:
    gone = [{"knob": "zcopytx", "since": "Linux 7.0", "replaced_by": "nothing", "host": "a"}]
    assert [one.knob for one in gone_of({"gone": gone}, "a")] == ["zcopytx"]
    assert gone_of({"gone": gone}, "b") == []
    assert gone_of({}, "b") == []


def test_not_measured_and_why() -> None:
    (line,) = answer(
        "host_tso4", [make.invalid("the guest died", of=make.cell("host_tso4", "off", "tcp_out_64k"))]
    ).lines
    assert line == "tcp_out_64k, on -> off: Mbit/s cannot tell yet: no pair of valid trials"
    asked = make.cells(["host_tso4"])
    definition = make.definition([], skipped=[{"cell": one, "reason": "no such feature"} for one in asked])
    definition["cells"] = asked
    (found,) = answers(screening([], definition), [])
    assert found.lines == ["not measured: no such feature"]


def test_knobs_that_are_crossed_come_last() -> None:
    asked = [
        *make.cells(["vhost"]),
        make.cell("event_idx,vectors", "on,default"),
        make.cell("event_idx,vectors", "off,0"),
    ]
    found = answers(screening(make.screening(asked), make.definition(asked)), [])
    assert [one.question for one in found][1:] == ["What do event_idx,vectors do together?"]
