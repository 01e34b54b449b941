# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bpftrace prints: files of two versions of it that watched a reader of a tap, and what nobody expects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace_output import Part, middle, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.trace_program import FIGURES

FILES = Path(__file__).parent
NUMBERS = st.one_of(st.integers(), st.none(), st.text(max_size=3), st.floats(allow_nan=False), st.booleans())
BUCKETS = st.lists(st.one_of(NUMBERS, st.dictionaries(st.sampled_from(["min", "max", "count"]), NUMBERS)))
KEYS = st.one_of(st.text(alphabet="0123456789,²x", max_size=8), st.just("2,41"), st.just("2,3,87,tun_net_xmit"))
MAPS = st.dictionaries(
    st.sampled_from([f"@{figure.name}" for figure in FIGURES] + ["@phase", "@other"]),
    st.one_of(NUMBERS, BUCKETS, st.dictionaries(KEYS, st.one_of(NUMBERS, BUCKETS))),
)
LINES = st.fixed_dictionaries({"type": st.sampled_from(["map", "hist", "printf"]), "data": st.one_of(NUMBERS, MAPS)})


@pytest.mark.parametrize(
    ("version", "worker", "tap", "dropped", "woken"),
    [("0.17", 10810, 2, (5055, 7537), (196, 293)), ("0.23", 11064, 3, (4698, 7177), (197, 292))],
)
def test_each_phase_apart(
    version: str, worker: int, tap: int, dropped: tuple[int, int], woken: tuple[int, int]
) -> None:
    maps = parse((FILES / f"bpftrace-{version}.jsonl").read_text().splitlines())
    assert maps.phases == 5
    for phase, packets, times in zip((2, 3), dropped, woken, strict=True):
        part = maps.parts[phase]
        assert part.drops == {(tap, 80, "tun_net_xmit"): packets}
        buckets = part.histograms["wakeup_delay_us"][worker]
        assert sum(count for _from, _to, count in buckets) == times
        assert all(count for _from, _to, count in buckets)
        assert middle(buckets) == next(bucket for bucket in buckets if bucket[0] == 8)
    assert set(maps.parts[3].histograms) == {"wakeup_delay_us"}


def test_a_vhost_worker_that_was_throttled() -> None:
    """Of the worker of a guest in an emulated hypervisor: Linux 6.12, 4000 packets of 1000 bytes a second."""
    maps = parse((FILES / "bpftrace-0.23-vhost.jsonl").read_text().splitlines())
    assert maps.phases == 5
    free, throttled = (maps.parts[phase].histograms for phase in (2, 3))
    assert {name for name in free if name.startswith(("rx_", "wakeup_"))} == {
        *("rx_run_bytes", "rx_run_packets", "wakeup_bytes", "wakeup_delay_us", "wakeup_packets")
    }
    assert middle(free["rx_run_packets"][275]) == (2, 3, 1018)
    assert throttled["rx_run_packets"] == {275: [(4, 7, 1), (64, 127, 1), (256, 511, 2)]}
    assert throttled["wakeup_delay_us"] == {275: [(32, 63, 1), (524288, 1048575, 1)]}
    assert maps.parts[3].drops == {(3, 67, "tun_net_xmit"): 28495}


def test_what_was_cut_off_gives_the_maps_before() -> None:
    text = (FILES / "bpftrace-0.23.jsonl").read_text()
    maps = parse(text[: text.index('"@wakeup_delay_us"')].splitlines())
    assert maps.phases == 5
    assert maps.parts[2] == Part(drops={(3, 80, "tun_net_xmit"): 4698})
    assert parse(text[: text.index('"@phase"')].splitlines()).phases is None


def test_the_bucket_of_the_median() -> None:
    assert middle([]) is None
    assert middle([(8, 15, 1), (0, 0, 1), (1, 1, 1)]) == (1, 1, 1)
    assert middle([(0, 0, 2), (1, 1, 2)]) == (0, 0, 2)
    assert middle([(0, 0, 1), (1024, 2047, 9)]) == (1024, 2047, 9)


@given(st.lists(st.one_of(st.text(), LINES.map(json.dumps))))
def test_whatever_is_printed_it_is_read(lines: list[str]) -> None:
    maps = parse(lines)
    for part in maps.parts.values():
        for histograms in part.histograms.values():
            for buckets in histograms.values():
                assert all(type(number) is int for bucket in buckets for number in bucket)
        assert all(isinstance(count, int) for counts in part.counts.values() for count in counts.values())
