# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which trials make a pair, and what a screening is laid out as."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.analysis import (
    Screening,
    baseline_level,
    lay_out_screenings,
)
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.effects import MATTERS, UNKNOWN
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.metrics import NOT_KNOWN
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import gather
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import knobs_factory as make

PAIR = [make.cell("event_idx", "on"), make.cell("event_idx", "off")]


def screenings(raws: list[dict[str, Any]], definition: dict[str, Any] | None = None) -> list[Screening]:
    """As the report gets them."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    hosts = sorted({raw["host"] for raw in raws}) or ["localhost"]
    return lay_out_screenings(gather(records, wanted_cells({"knobs": definition} if definition else {}, hosts)))


def screening(raws: list[dict[str, Any]], definition: dict[str, Any] | None = None) -> Screening:
    """The only one."""
    (found,) = screenings(raws, definition)
    return found


def test_the_largest_effect_comes_first_with_the_right_sign() -> None:
    found = screening(make.screening(), make.definition())
    told = [(one.variant.knob, one.variant.level) for one in found.comparisons]
    assert len(told) == sum(len(of.levels) - 1 for of in make.KNOBS.values() for _workload in of.workloads)
    assert set(told[:2]) == {("vhost", "off")}
    vhost = found.comparisons[0]
    assert vhost.effect is not None
    assert vhost.change == "on -> off"
    assert vhost.effect.value == pytest.approx(0.31, rel=0.1)
    assert vhost.effect.verdict == MATTERS
    sizes = [one.effect.size for one in found.comparisons if one.effect]
    assert sizes == sorted(sizes, reverse=True)


def test_legacy_interrupts_matter_for_interrupts_per_packet() -> None:
    for seed in range(5):
        found = screening(make.screening(scatter=0.1, seed=seed), make.definition())
        for one in found.by_knob["vectors"]:
            effect = one.effects["interrupts_per_packet"]
            assert effect is not None
            assert (effect.verdict, effect.value > 1.5) == (MATTERS, True)


def test_a_pair_has_one_number_and_both_trials() -> None:
    raws = make.screening(PAIR, scatter=0.0)
    # a baseline that is not valid, and a variant that was not measured
    raws = [raw for raw in raws if (raw["trial"], raw["cell"]["level"]) not in ((2, "on"), (4, "off"))]
    raws.append(make.invalid(of=PAIR[0], trial=2))
    found = screening(raws, make.definition(PAIR))
    (only,) = found.comparisons
    assert [(before.trial, after.trial) for before, after in only.pairs] == [(1, 1), (3, 3), (5, 5)]
    assert all((before.cell["level"], after.cell["level"]) == ("on", "off") for before, after in only.pairs)
    assert [record.line for record in only.records] == sorted(record.line for record in only.records)
    assert only.effect is not None
    assert only.effect.pairs == 3
    assert [len(cell.counted) for cell in found.cells] == [4, 4]
    assert len(found.incomplete) == 2


def test_of_a_number_measured_twice_the_newest_counts() -> None:
    raws = [make.record(of, trial=trial) for of in PAIR for trial in (1, 2, 3)]
    again = make.record(PAIR[1], trial=1, started_at="2026-11-20T12:00:00Z", truth={"rate": 0.5})
    (only,) = screening([*raws, again], make.definition(PAIR, trials=3)).comparisons
    (first, *_others) = only.pairs
    assert first[1].started_at == "2026-11-20T12:00:00Z"
    # without a number wanted nothing is superseded, and still the newest is the one
    (only,) = screening([*raws, again]).comparisons
    assert [after.started_at[11:13] for _before, after in only.pairs] == ["12", "10", "10"]


def test_a_metric_that_one_side_lacks_is_no_pair_of_that_metric() -> None:
    raws = make.screening(PAIR)
    for raw in raws:
        if raw["trial"] < 3 and raw["cell"]["level"] == "off":
            raw["metrics"]["exits_per_packet"] = None
            raw["counters"]["absent"] = {"exits": "no tracepoint kvm:kvm_exit"}
    (only,) = screening(raws).comparisons
    exits, rate = only.effects["exits_per_packet"], only.effect
    assert exits is not None
    assert rate is not None
    assert (exits.pairs, rate.pairs) == (3, 5)
    assert only.absent("exits_per_packet") == ""


def test_why_a_metric_is_missing() -> None:
    raws = make.screening(PAIR)
    for raw in raws:
        raw["metrics"] |= {"exits_per_packet": None, "queue_stops": None, "latency_p50_us": None}
        raw["counters"]["absent"] = {"exits": "bpftrace is missing", "queue_stops": "this kernel does not tell"}
    (only,) = screening(raws).comparisons
    assert only.effects["exits_per_packet"] is None
    assert only.absent("exits_per_packet") == "bpftrace is missing"
    assert only.absent("queue_stops") == "this kernel does not tell"
    assert only.absent("latency_p50_us") == NOT_KNOWN
    nothing = screening([], make.definition(PAIR)).comparisons[0]
    assert nothing.absent("exits_per_packet") == "no pair of valid trials"


def test_nothing_measured() -> None:
    found = screening([], make.definition(PAIR))
    (only,) = found.comparisons
    assert (only.effect, only.pairs, only.change) == (None, [], "on -> off")
    assert [cell.verdict.limit for cell in found.cells] == ["no valid trial"] * 2
    assert found.cells[0].primary is None
    assert screenings([]) == []


def test_a_variant_without_a_baseline_is_compared_with_nothing() -> None:
    skipped = [{"cell": PAIR[0], "reason": "it was not"}]
    (only,) = screening([make.record(PAIR[1])], make.definition([PAIR[1]], skipped=skipped)).comparisons
    assert (only.pairs, only.effect) == ([], None)


def test_what_was_skipped_is_no_comparison() -> None:
    gone = make.cell("tx_queue_size", "1024")
    asked = [make.cell("tx_queue_size", "default"), make.cell("tx_queue_size", "64")]
    found = screening(
        make.screening(asked), make.definition(asked, skipped=[{"cell": gone, "reason": "gone since QEMU 2.10"}])
    )
    assert [one.variant.level for one in found.comparisons] == ["64"]
    assert list(found.skipped()) == ["gone since QEMU 2.10"]
    assert list(found.by_knob) == ["tx_queue_size"]


def test_two_knobs_crossed() -> None:
    asked = [
        make.cell("event_idx,vectors", f"{one},{other}", "tcp_rr")
        for one in ("on", "off")
        for other in ("default", "0")
    ]
    found = screening(make.screening(asked))
    assert {one.change for one in found.comparisons} == {
        "on,default -> on,0",
        "on,default -> off,default",
        "on,default -> off,0",
    }


@pytest.mark.parametrize(
    ("knob", "levels", "level"),
    [
        ("vhost", ["off", "on"], "on"),
        ("vhost", ["off"], "on"),
        ("event_idx,vectors", ["off,0", "on,default"], "on,default"),
        ("a stranger", ["b", "a"], "b"),
        ("vhost", ["half", "off"], "half"),
        ("vhost,a stranger", ["off,1", "on,1"], "off,1"),
    ],
)
def test_what_the_baseline_is(knob: str, levels: list[str], level: str) -> None:
    assert baseline_level(knob, levels) == level


def test_hosts_apart() -> None:
    found = screenings([*make.screening(PAIR, host="a"), *make.screening(PAIR, host="b")], make.definition(PAIR))
    assert [(one.host, len(one.comparisons), len(one.incomplete)) for one in found] == [("a", 1, 0), ("b", 1, 0)]


def test_the_cpu_of_what_is_not_there_is_none() -> None:
    raws = make.screening([make.cell("vhost", "on", "tcp_rr"), make.cell("vhost", "off", "tcp_rr")], scatter=0.0)
    for raw in raws:
        raw["cpu"] = {"vcpu": 1.0, "worker": 0.5, "emulator": 0.0}
        if raw["cell"]["level"] == "off":
            raw["cpu"] = {"vcpu": 1.0, "worker": None, "emulator": 0.8}
    (only,) = screening(raws).comparisons
    effect = only.effects["cpu"]
    assert effect is not None
    assert effect.value == pytest.approx(1.2)


def test_a_cell_has_the_verdict_of_its_trials() -> None:
    raws = [make.record(PAIR[0], trial=trial, limit=limit) for trial, limit in enumerate(("vcpu-cpu",) * 2 + ("x",), 1)]
    assert screening(raws).cells[0].verdict.limit == "vcpu-cpu"


def test_equal_trials_are_equal_whatever_the_knob_is_called() -> None:
    found = []
    for seed in range(60):
        (only,) = screening(make.screening(PAIR, truth={}, scatter=0.05, seed=seed)).comparisons
        found.append(only.effect is not None and only.effect.verdict == MATTERS)
    assert sum(found) <= 3
    assert UNKNOWN != MATTERS
