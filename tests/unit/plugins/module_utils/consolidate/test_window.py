# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters at both ends of a window."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.window import (
    Counters,
    Look,
    Window,
    parse_stat,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Watched
from ansible_collections.virtperf.vhost.tests.unit.consolidate_stations import FakeProc

THREAD = Watched("g1/worker0", 100, 110)


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    proc = FakeProc(tmp_path, {"tap1": 10})
    proc.write()
    proc.thread(100, 110, 1_000, 2_000)
    return proc


def counters(proc: FakeProc, *instants: float) -> Counters:
    clock = iter(instants)
    return Counters(Host(proc=str(proc.root)), ["tap1"], [THREAD], lambda: next(clock))


def test_what_grew_in_the_window(proc: FakeProc) -> None:
    with counters(proc, 5.0, 7.0) as found:
        before = found.look()
        proc.taps["tap1"] = 2010
        proc.ticks[3] = [100, 0, 20, 50, 10, 5, 5, 10]  # user nice system idle iowait irq softirq steal
        proc.write()
        proc.thread(100, 110, 1_000_001_000, 500_002_000)
        window = Window(before, found.look())
        assert found.ended() == []
    assert window.seconds == 2.0
    assert window.mbps("tap1", "rx_bytes") == pytest.approx(8.0)  # 2 MB in 2 s
    assert window.packets("tap1") == 4000
    assert window.share("g1/worker0", "run_ns") == pytest.approx(0.5)
    assert window.share("g1/worker0", "wait_ns") == pytest.approx(0.25)
    assert window.busy([3]) == pytest.approx(130 / 200)
    assert window.busy([0]) is None  # it has no ticks at all: nothing was told


def test_what_has_gone_is_none(proc: FakeProc) -> None:
    with counters(proc, 1.0, 2.0) as found:
        before = found.look()
        proc.taps.clear()
        proc.write()
        (proc.root / "100/task/110/schedstat").write_text("")
        window = Window(before, found.look())
        assert found.ended() == ["g1/worker0"]
    assert window.mbps("tap1", "rx_bytes") is None
    assert window.packets("tap1") is None
    assert window.share("g1/worker0", "run_ns") is None
    # A counter that went back belongs to another interface of the name.
    column = ("net", "tap1", "rx_bytes")
    assert Window(Look(0.0, {column: 5}), Look(1.0, {column: 4})).grown(column) is None


def test_what_is_not_there(proc: FakeProc) -> None:
    host = Host(proc=str(proc.root))
    with pytest.raises(VirtperfError, match="there is no network interface tap9"):
        Counters(host, ["tap9"], [])
    with pytest.raises(VirtperfError, match="g9/worker0 is not there"):
        Counters(host, ["tap1"], [Watched("g9/worker0", 100, 999)])


def test_lines_of_stat() -> None:
    text = b"cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 4 5 6 7 8 0 0\ncpu12 1 0 0 9 0 0 0 0 0 0\ncpufreq 1\nintr 5\n"
    assert parse_stat(text.replace(b"cpufreq 1\n", b"")) == {0: (19, 36), 12: (1, 10)}
