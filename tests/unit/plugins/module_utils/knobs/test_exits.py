# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting by a bpftrace that only pretends."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs import exits
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exit_program import WANTED
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.exits import ExitCounter, growth, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import Pump
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import fake_bpftrace, raw

MAPS = {"exits": {"4711,2,1024": 30, "4711,2,120": 5}, "mmio": {"4711": 10}, "msi": {}, "tx_kicks": {"4730": 10}}


def traceable(base: Path, *missing: str) -> Host:
    """A host with all that counting takes."""
    functions = []
    for probe in WANTED:
        kind, _colon, name = probe.partition(":")
        if any(one in probe for one in missing):
            continue
        if kind == "tracepoint":
            (base / "sys/kernel/tracing/events" / name.replace(":", "/")).mkdir(parents=True)
        else:
            functions.append(f"0000000000000000 t {name}\t[vhost]\n")
    (base / "sys/kernel/btf").mkdir(parents=True)
    (base / "sys/kernel/btf/vmlinux").touch()
    (base / "sys/bus/event_source/devices/kprobe").mkdir(parents=True)
    (base / "proc").mkdir(exist_ok=True)
    (base / "proc/kallsyms").write_text("".join(functions))
    return Host(proc=str(base / "proc"), sys=str(base / "sys"))


Make = Callable[..., ExitCounter]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(exits, "_SETTLES_S", 0.0)
    with Pump() as pump:

        def make(
            maps: Mapping[str, Mapping[str, int]] = MAPS, *missing: str, dies: int = -1, **changes: Any
        ) -> ExitCounter:
            folder = fake_bpftrace(tmp_path, maps, dies)

            def name_myself(name: str) -> None:
                with open(folder / "names", "a", encoding="utf-8") as names:
                    names.write(f"{name}\n")

            monkeypatch.setattr(processes, "name_myself", name_myself)
            monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
            counter = ExitCounter(traceable(tmp_path, *missing), pump, setup(raw(counters=True, **changes)))
            counter.start()
            return counter

        yield make


def window(counter: ExitCounter) -> Any:
    counter.open()
    return counter.counts(counter.close())


def test_each_window_has_its_own(make: Make) -> None:
    counter = make()
    assert counter.absent == {}
    for _window in range(3):
        counts = window(counter)
        assert counts.maps["exits"] == {(4711, 2, 1024): 30, (4711, 2, 120): 5}
        assert counts.maps["tx_kicks"] == {(4730,): 10}
        assert counts.maps.get("msi", {}) == {}
        assert 0 < counts.seconds < 5
    counter.stop()
    assert window(counter).maps == {}


def test_a_window_that_nobody_asked_about_is_no_part_of_the_next(make: Make) -> None:
    counter = make()
    counter.open()
    counter.close()
    assert window(counter).maps["mmio"] == {(4711,): 10}


def test_it_settles_before_the_first_window(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exits, "_SETTLES_S", 0.3)
    began_s = time.monotonic()
    make()
    assert time.monotonic() - began_s > 0.3


def test_exits_alone(make: Make) -> None:
    counter = make(second_sources=False)
    assert "exits" not in counter.absent
    counts = window(counter)
    assert counts.maps["exits"] == {(4711, 2, 1024): 30, (4711, 2, 120): 5}
    assert counts.absent["msi"] == counts.absent["tx_kicks"] == "not asked for"


def test_without_it_the_kernel_has_settled_as_well(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = make()
    monkeypatch.setattr(exits, "_SETTLES_S", 0.3)
    began_s = time.monotonic()
    with counter.away():
        assert time.monotonic() - began_s > 0.3
        assert window(counter).absent["exits"] == "not asked for"
    assert counter.absent == {}


def test_a_tracepoint_that_is_not_there_leaves_the_others(make: Make) -> None:
    counter = make({"mmio": {"4711": 3}}, "kvm_exit")
    counts = window(counter)
    assert counts.maps["mmio"] == {(4711,): 3}
    assert counts.absent == {"exits": "not available: no tracepoint kvm:kvm_exit"}
    assert (counts.has("mmio"), counts.has("exits")) == (True, False)


def test_no_bpftrace(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    counter = make()
    counts = window(counter)
    assert counts.maps == {}
    assert "no program bpftrace" in counts.absent["exits"]
    assert set(counts.absent) >= {"exits", "mmio", "msi", "tx_kicks", "rx_kicks"}


def test_not_asked_for(tmp_path: Path) -> None:
    with Pump() as pump:
        counter = ExitCounter(Host(), pump, setup(raw(counters=False)))
        counter.start()
        assert window(counter).absent["exits"] == "not asked for"


def test_one_that_dies_between_two_windows(make: Make) -> None:
    counter = make(dies=1)
    assert window(counter).maps["mmio"] == {(4711,): 10}
    counts = window(counter)
    assert counts.maps == {}
    assert "status 1: oh no" in counts.absent["exits"]
    assert window(counter).absent == counts.absent


class TestParse:
    def test_the_last_of_each_map(self) -> None:
        lines = [json.dumps({"type": "map", "data": {"@mmio": {"1": number}}}) for number in (3, 5)]
        other = json.dumps({"type": "map", "data": {"@on": 1, "@adding": {"7": 0}}})
        assert parse([*lines, "", "what?", other]) == {"mmio": {(1,): 5}}

    def test_keys_of_another_size_are_none_of_ours(self) -> None:
        assert parse([json.dumps({"type": "map", "data": {"@exits": {"1,2": 3, "1,2,x": 4, "1,2,3": 5}}})]) == {
            "exits": {(1, 2, 3): 5}
        }

    @given(st.lists(st.text()))
    def test_any_lines(self, lines: list[str]) -> None:
        assert parse(lines) == {}

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "data", "map", "@mmio"]), inner),
        )
    )
    def test_any_json(self, value: Any) -> None:
        parse([json.dumps(value)])

    @given(
        st.dictionaries(st.integers(0, 9), st.integers(0, 100)), st.dictionaries(st.integers(0, 9), st.integers(1, 9))
    )
    def test_growth(self, before: dict[int, int], added: dict[int, int]) -> None:
        old = {(key,): number for key, number in before.items()}
        new = {(key,): before.get(key, 0) + added.get(key, 0) for key in {*before, *added}}
        assert growth(old, new) == {(key,): number for key, number in added.items()}


def test_nothing_is_counted_while_it_is_away_and_all_is_after(make: Make) -> None:
    counter = make()
    counter.start()
    with counter.away():
        counter.open()
        away = counter.counts(counter.close())
        assert not away.has("exits")
        assert away.absent["exits"] == "not asked for"
    counter.open()
    back = counter.counts(counter.close())
    assert back.has("exits")
    assert sum(back.maps["exits"].values()) > 0
