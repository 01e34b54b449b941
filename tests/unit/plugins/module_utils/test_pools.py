# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools as the kernel has them, and what becomes of them when a number is written."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import pools
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pools import Pool, observe
from ansible_collections.virtperf.vhost.tests.unit.fake_hugetlb import KB_1G, KB_2M, FakeHost, FakeSystem, fake_host

COUNTS = st.integers(0, 60)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path, nodes=2)


def test_sizes(host: FakeHost, tmp_path: Path) -> None:
    (tmp_path / "sys/kernel/mm/hugepages/other").mkdir()
    assert pools.sizes(host) == (KB_2M, KB_1G)
    assert pools.sizes(Host(sys=str(tmp_path / "none"))) == ()


def test_the_host_and_its_nodes(host: FakeHost) -> None:
    host.kernel.has(10, used=3, surplus=1, node=0)
    host.kernel.has(6, used=1, node=1)
    host.kernel.promise(2)
    whole = observe(host, KB_2M)
    assert whole == Pool(KB_2M, None, total=16, free=12, reserved=2, surplus=1)
    assert (whole.kept, whole.in_use, whole.available) == (15, 6, 10)
    assert whole.counts() == {"total": 16, "free": 12, "reserved": 2, "surplus": 1}
    assert observe(host, KB_2M, 0) == Pool(KB_2M, 0, total=10, free=7, reserved=0, surplus=1)
    assert observe(host, KB_1G).counts() == {"total": 0, "free": 0, "reserved": 0, "surplus": 0}


def test_reservations_of_a_node_are_those_no_other_can_honour(host: FakeHost) -> None:
    host.kernel.has(10, node=0)
    host.kernel.has(3, node=1)
    host.kernel.promise(5)
    assert [observe(host, KB_2M, node).reserved for node in (0, 1, None)] == [2, 0, 5]


def test_a_pool_that_is_not_there(host: FakeHost) -> None:
    with pytest.raises(FileNotFoundError):
        observe(host, 64)
    with pytest.raises(FileNotFoundError):
        observe(host, KB_2M, 7)


def test_who_holds_pages(host: FakeHost, tmp_path: Path) -> None:
    assert pools.holders(host) == []
    assert pools.held_by(host) == ""
    for pid, text in (
        (41, "Name:\tsh\nHugetlbPages:\t       0 kB\n"),
        (4711, "Name:\tq e m u\nHugetlbPages: 4096 kB\n"),
    ):
        status = Path(host.proc, str(pid), "status")
        status.parent.mkdir()
        status.write_text(text)
    Path(host.proc, "42").mkdir()  # it ended while we looked
    mount = tmp_path / "huge"
    mount.mkdir()
    FakeSystem(host).add(str(mount), "rw,pagesize=2M", device="hugetlbfs")
    FakeSystem(host).add(str(tmp_path / "gone"), "rw,pagesize=2M", device="hugetlbfs")
    assert pools.holders(host) == [{"pid": 4711, "name": "q e m u", "size_kb": 4096}]
    assert pools.held_by(host) == "; hugepages are held by q e m u (pid 4711, 4.0 MiB)"
    (mount / "rtemap_0").touch()
    assert pools.held_by(host).endswith(f"4.0 MiB), files in {mount} (1)")


@given(total=COUNTS, used=COUNTS, surplus=COUNTS, count=COUNTS)
def test_what_is_predicted_is_what_the_kernel_does(total: int, used: int, surplus: int, count: int) -> None:
    used = min(used, total)
    surplus = min(surplus, used)
    with tempfile.TemporaryDirectory() as directory:
        host = fake_host(Path(directory))
        host.kernel.has(total, used=used, surplus=surplus)
        before = observe(host, KB_2M)
        if count >= before.in_use or count >= before.kept:
            host.write_kernel(f"{host.sys}/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", str(count))
            assert observe(host, KB_2M) == before.with_kept(count)


def test_a_pool_knows_its_name() -> None:
    pool = Pool(KB_1G, None, 0, 0, 0, 0)
    assert pool.name == "hugepages of 1GiB"
    assert replace(pool, node=1).name == "hugepages of 1GiB on node 1"
