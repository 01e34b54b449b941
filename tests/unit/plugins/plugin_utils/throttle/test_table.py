# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The study throttle on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.studies import results_of
from ansible_collections.virtperf.vhost.plugins.plugin_utils.table import render_table
from ansible_collections.virtperf.vhost.plugins.plugin_utils.throttle.table import WIDTH
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wanted import wanted_cells
from ansible_collections.virtperf.vhost.tests.unit import record_factory, throttle_factory

ONE = [("iperf3", "qemu-thread")]


def table(raws: list[dict[str, Any]], studies: dict[str, Any], **manifest: Any) -> str:
    """The table of a run."""
    records = [Record(raw, line) for line, raw in enumerate(raws, start=1)]
    whole = {
        "run_id": throttle_factory.RUN_ID,
        "tool": {"name": "virtperf.vhost", "version": "0.1.0"},
        "created_at": "2026-11-20T10:00:00Z",
        "facts": {},
        "failures": [],
    }
    return render_table(results_of(records, wanted_cells(studies, ["localhost"])), whole | manifest, [])


def with_numbers(raws: list[dict[str, Any]], phase: str, *mbps: float, **metrics: float) -> None:
    """Give the trials of a phase these rates and numbers."""
    for raw, rate in zip((raw for raw in raws if raw["cell"]["phase"] == phase), mbps, strict=True):
        raw["metrics"] |= {"received_mbps": rate, "payload_mbps": rate, **metrics}


def test_all_of_it(tmp_path: Path) -> None:
    phases = throttle_factory.timeline_phases(6.0, (0.1,), 6.0)
    raws = throttle_factory.records(throttle_factory.measure(tmp_path, phases=phases, ends_in="0.1%"))
    with_numbers(raws, "baseline", 812.4, 790.1, 830.6, retransmits=3)
    with_numbers(raws, "throttled", 0.35, 0.55, 0.61, baseline_ratio=0.00068, retransmits=1204)
    with_numbers(raws, "recovered", 809.0, 801.0, 815.0, baseline_ratio=0.9958, retransmits=12)
    with_numbers(raws, "0.1%", 1.5, 1.4, 99.0, baseline_ratio=0.0185)
    raws[1]["verdict"] = {"limit": "receiver", "evidence": "it waited"}
    assert table(raws, {"throttle": throttle_factory.definition(ONE, phases)}) == (
        """\
throttle, run 20261120T100000Z-1a2b, host localhost
virtperf.vhost 0.1.0, 2026-11-20 10:00:00 UTC
medians of 2 to 3 trials a phase; Mbit/s as they arrived, headers included

iperf3, workers as qemu-thread
phase     cpu.max      Mbit/s   min to max  ratio worker  held drops resent verdict
baseline  max             812   790 to 831      -   80 %   0 %     0      3 undetermined
throttled 1000 1000000   0.55 0.35 to 0.61 0.0007  0.1 % 100 % 2,340  1,204 worker-throttled (2/3)
recovered max             809   801 to 815   1.00   80 %   0 %     0     12 undetermined
0.1%      1000 1000000 ! 1.45 1.40 to 1.50 0.0185  0.1 % 100 % 2,340      - worker-throttled
90 % of the baseline was back 1.30 s (1.30 to 1.30) after the limit was lifted, in recovered.

ratio: to the baseline. worker: CPU time of the busiest vhost worker. held: share of the periods in
which the workers were throttled. drops: packets that the taps' queues dropped. resent: TCP
segments.
!        fewer valid trials than asked for, in 1 of 4 cells:
         iperf3, qemu-thread, 0.1%: 2 of 3 valid; trial 3: client ended with status 1, its last w...
verdicts
  undetermined: 2 of 4 cells
  worker-throttled: 2 of 4 cells
"""
    )


def test_a_picture_has_lines_of_its_own(tmp_path: Path) -> None:
    phases = throttle_factory.timeline_phases(44.0, (), 12.0)
    raws = throttle_factory.records(throttle_factory.measure(tmp_path, workload="vnc", phases=phases))
    lines = table(raws, {"throttle": throttle_factory.definition([("vnc", "qemu-thread")], phases)}).splitlines()
    assert lines[10:13] == [
        "phase     bytes a change             min to max peak made shown skipped pending  delay longest",
        "baseline       4,101,000 4,101,000 to 4,101,000  313   30    30       0       0 0.25 s  0.25 s",
        "throttled              -                      - 0.00   30     0      30       0      -       -",
    ]
    assert any(line.startswith("bytes a change: on the client's tap") for line in lines)


def test_it_fits_a_narrow_terminal_whatever_happens_in_it(tmp_path: Path) -> None:
    phases = throttle_factory.timeline_phases()
    raws = throttle_factory.records(throttle_factory.measure(tmp_path, phases=phases))
    for raw in raws:
        raw["metrics"] |= {"received_mbps": 1234.5, "tap_dropped": 1_234_567, "retransmits": 12_345}
        raw["reasons"], raw["verdict"]["evidence"] = ["very " * 50], "long " * 100
    text = table(raws, {"throttle": throttle_factory.definition(ONE, phases)})
    assert max(map(len, text.splitlines())) <= WIDTH


def test_what_was_never_measured_and_what_was_skipped() -> None:
    phases = throttle_factory.timeline_phases()
    definition = throttle_factory.definition(ONE, phases)
    definition["skipped"] = [{"cell": definition["cells"][0], "reason": "no iperf3"}]
    text = table([], {"throttle": definition})
    assert "baseline   -        skipped" in text
    assert "throttled  -              !" in text
    assert "         iperf3, qemu-thread, baseline: no iperf3" in text
    assert "3 of 3 trials not measured" in text


def test_both_studies_one_below_the_other(tmp_path: Path) -> None:
    phases = throttle_factory.timeline_phases()
    raws = [record_factory.record(), *throttle_factory.records(throttle_factory.measure(tmp_path, phases=phases))]
    text = table(
        raws,
        {
            "reflect": record_factory.definition([record_factory.cell()], trials=1),
            "throttle": throttle_factory.definition(ONE, phases),
        },
    )
    assert text.index("reflect, run") < text.index("Mpps") < text.index("throttle, run") < text.index("cpu.max")
    assert "!" not in text


def test_what_hosts_say_cannot_command_the_terminal(tmp_path: Path) -> None:
    raws = throttle_factory.records(throttle_factory.measure(tmp_path, phases=throttle_factory.timeline_phases()))
    for raw in raws:
        raw["cell"] |= {"phase": "\x1b[31mred", "workload": "\x07"}
        raw["asked"]["cpu_max"] = "\x1b[2J"
        raw["verdict"]["limit"] = "\x1b]0;x\x07"
    text = table(raws, {})
    assert all(character.isprintable() or character == "\n" for character in text)
