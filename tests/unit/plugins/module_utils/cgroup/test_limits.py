# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits: read, checked, compared by meaning, and set at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup import limits
from ansible_collections.virtperf.vhost.plugins.module_utils.cgroup.limits import CpuMax, Limits, parse_cpu_max
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

NUMBERS = st.integers(0, 10**15 - 1)


@given(st.none() | NUMBERS, st.none() | NUMBERS)
def test_what_is_written_reads_the_same(quota: int | None, period: int | None) -> None:
    limit = CpuMax(quota, period)
    assert parse_cpu_max(str(limit)) == limit
    assert parse_cpu_max(f"  {str(limit).replace(' ', chr(9))} ") == limit


@given(st.text(alphabet="max0123456789 -.k%"))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        limit = parse_cpu_max(text)
    except VirtperfError:
        return
    assert parse_cpu_max(str(limit)) == limit


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("999 1000000", None, None, None), "quota is below the kernel's minimum of 1000 µs.*0.1 %"),
        (("1000 1000001", None, None, None), "periods from 1000 to 1000000 µs"),
        (("max 999", None, None, None), "periods from"),
        (("half", None, None, None), "'half' is no limit of CPU time"),
        ((None, 0, None, None), "weight 0: the kernel takes 1 to 10000"),
        ((None, 10001, None, None), "weight 10001"),
        ((None, None, "3-1", None), "cpus: '3-1' is not a list"),
        ((None, None, None, "x"), "mems: 'x' is not a list"),
    ],
)
def test_refused(given: tuple[Any, Any, Any, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        limits.parse(*given)


def test_the_smallest_and_the_largest() -> None:
    parsed = limits.parse("1000 1000000", 10000, "0", "")
    assert parsed == Limits(CpuMax(1000, 1_000_000), 10000, (0,), ())
    assert dict(parsed.wishes()) == {"cpu_max": CpuMax(1000, 1_000_000), "weight": 10000, "cpus": (0,), "mems": ()}
    assert parsed.controllers() == ["cpu", "cpuset"]
    assert Limits().controllers() == []
    assert limits.parse("max 1000", 1, None, None).controllers() == ["cpu"]


@pytest.mark.parametrize(
    ("key", "wish", "now", "after"),
    [
        ("cpu_max", CpuMax(5000), "max 20000", "5000 20000"),
        ("cpu_max", CpuMax(None), "", "max 100000"),
        ("cpu_max", CpuMax(None, 1000), "5000 20000", "max 1000"),
        ("cpus", (0, 1, 2, 5), "", "0-2,5"),
        ("weight", 7, "100", "7"),
    ],
)
def test_what_the_file_then_reads(key: str, wish: Any, now: str, after: str) -> None:
    assert limits.after(key, wish, now) == after


def test_compared_by_meaning() -> None:
    assert limits.same("cpus", "0-3", "0,1,2,3")
    assert not limits.same("mems", "0", "")
    assert limits.same("cpu_max", "max  100000", "max 100000")
    assert not limits.same("weight", "1", "10")
