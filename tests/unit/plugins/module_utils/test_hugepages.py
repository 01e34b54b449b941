# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools on a kernel that grants less than it is asked for, and says nothing about it."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import hugepages
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.hugepages import Patience, ensure, undo_pool
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pools import observe
from ansible_collections.virtperf.vhost.tests.unit.fake_hugetlb import KB_1G, KB_2M, FakeHost, FakeSystem, fake_host

QUICK = Patience(pause_ms=0)


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path)


@pytest.fixture
def two_nodes(tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path, nodes=2)


def pool(count: int, size: str = "2MiB", **more: Any) -> dict[str, Any]:
    return {"size": size, "count": count, **more}


def ask(host: FakeHost, *pools: dict[str, Any], **more: Any) -> dict[str, Any]:
    more.setdefault("patience", QUICK)
    return ensure(host, pools, **more)


def numbers(host: FakeHost, size_kb: int = KB_2M, node: int | None = None) -> dict[str, int]:
    return observe(host, size_kb, node).counts()


def restore(host: FakeHost) -> list[str]:
    """As the journal's replay does it."""
    journal = Journal(host)
    entries = [entry for entry in journal.entries() if entry.resource == "hugepages"]
    done = [undo_pool(host, entry.undo) for entry in reversed(entries)]
    journal.keep_only([])
    return done


class TestWhatIsAskedFor:
    def test_a_pool_grows_and_tells_what_it_did(self, host: FakeHost) -> None:
        host.kernel.has(10, used=4)
        result = ask(host, pool(64))
        assert result == {
            "changed": True,
            "pools": [
                {
                    "size": "2MiB",
                    "node": None,
                    "policy": "at_least",
                    "count_means": "total",
                    "requested": 64,
                    "effective": 64,
                    "before": {"total": 10, "free": 6, "reserved": 0, "surplus": 0},
                    "after": {"total": 64, "free": 60, "reserved": 0, "surplus": 0},
                    "changed": True,
                }
            ],
            "mounts": [],
            "actions": ["hugepages of 2MiB: from 10 to 64"],
            "diff": {
                "before": {"pools": {"hugepages of 2MiB": 10}, "mounts": {}},
                "after": {"pools": {"hugepages of 2MiB": 64}, "mounts": {}},
            },
        }
        assert numbers(host) == result["pools"][0]["after"]

    @pytest.mark.parametrize(
        ("count", "policy", "means", "kept"),
        [
            (5, "at_least", "total", 10),
            (10, "at_least", "total", 10),
            (11, "at_least", "total", 11),
            (9, "exact", "total", 9),
            (11, "exact", "total", 11),
            # 10 pages, 4 used, 1 promised: 5 are left for the next asker.
            (5, "at_least", "free", 10),
            (4, "at_least", "free", 10),
            (8, "at_least", "free", 13),
            (3, "exact", "free", 8),
            (0, "exact", "free", 5),
        ],
    )
    def test_policy_and_meaning(self, host: FakeHost, count: int, policy: str, means: str, kept: int) -> None:
        host.kernel.has(10, used=4)
        host.kernel.promise(1)
        request = pool(count, policy=policy, count_means=means)
        predicted = ask(host, request, check_mode=True)
        assert not host.kernel.written
        done = ask(host, request)
        assert predicted == done
        assert observe(host, KB_2M).kept == kept
        assert done["changed"] == (kept != 10)
        again = ask(host, request)
        assert not again["changed"]
        assert again["actions"] == []
        assert again["pools"][0]["after"] == done["pools"][0]["after"]

    def test_surplus_pages_do_not_count_as_kept_and_are_kept_when_growing(self, host: FakeHost) -> None:
        host.kernel.has(12, used=12, surplus=2)
        assert not ask(host, pool(10, policy="exact"))["changed"]
        done = ask(host, pool(11))
        assert done["pools"][0]["after"] == {"total": 12, "free": 0, "reserved": 0, "surplus": 1}
        assert numbers(host)["surplus"] == 1

    def test_free_pages_are_added_to_surplus_ones_in_use(self, host: FakeHost) -> None:
        host.kernel.has(12, used=12, surplus=2)
        predicted = ask(host, pool(5, count_means="free"), check_mode=True)
        assert ask(host, pool(5, count_means="free")) == predicted
        assert numbers(host) == {"total": 17, "free": 5, "reserved": 0, "surplus": 0}

    def test_sizes_and_nodes_apart(self, two_nodes: FakeHost) -> None:
        ask(two_nodes, pool(6, node=0), pool(8, node=1), pool(2, "1GiB"))
        assert [two_nodes.kernel.pool(KB_2M, node).total for node in (0, 1)] == [6, 8]
        assert [two_nodes.kernel.pool(KB_1G, node).total for node in (0, 1)] == [1, 1]
        assert numbers(two_nodes, KB_2M, 1)["total"] == 8

    def test_what_nobody_asked_about_is_left_alone(self, two_nodes: FakeHost) -> None:
        two_nodes.kernel.has(7, node=1)
        two_nodes.kernel.has(3, size=KB_1G)
        ask(two_nodes, pool(0, node=0, policy="exact"))
        assert not two_nodes.kernel.written
        assert numbers(two_nodes, KB_2M)["total"] == 7

    def test_shrinking_comes_first_to_make_room_for_growing(self, host: FakeHost) -> None:
        host.kernel.has(512, size=KB_2M)
        host.kernel.room_kb[0] = 0
        host.kernel.show()
        result = ask(host, pool(1, "1GiB"), pool(0, policy="exact"))
        assert result["actions"] == ["hugepages of 2MiB: from 512 to 0", "hugepages of 1GiB: from 0 to 1"]
        assert [entry["size"] for entry in result["pools"]] == ["1GiB", "2MiB"]


class TestTooLittle:
    def test_less_than_asked_fails_with_numbers_and_all_is_back(self, host: FakeHost) -> None:
        host.kernel.has(10, used=4)
        host.kernel.room_kb[0] = 20 * KB_2M
        host.kernel.pools[KB_1G, 0].total = 0
        host.kernel.show()
        # The kernel's estimate says yes; it is in pieces too small.
        (Path(host.proc) / "meminfo").write_text(f"MemTotal: {KB_1G * 16} kB\nMemAvailable: {KB_1G * 8} kB\n")
        with pytest.raises(VirtperfError) as caught:
            ask(host, pool(100))
        facts = caught.value.facts
        assert (facts["granted"], facts["was"], facts["free"], facts["most"]) == (30, 10, 26, 30)
        assert facts["free_blocks"] == 4 + 2 * 2
        assert facts["left_changed"] == []
        text = str(caught.value)
        assert "cannot have 100 hugepages of 2MiB: the kernel granted 30 in 4 attempts; everything is as it was" in text
        assert "granted 30 of 100; total 30, free 26" in text
        assert "ask for at most 30" in text
        assert "hugepagesz=2M hugepages=100 on the kernel's command line" in text
        assert numbers(host) == {"total": 10, "free": 6, "reserved": 0, "surplus": 0}
        assert Journal(host).entries() == []

    def test_free_ones_too_few(self, host: FakeHost) -> None:
        host.kernel.has(10, used=8)
        host.kernel.room_kb[0] = 20 * KB_2M
        host.kernel.show()
        (Path(host.proc) / "meminfo").write_text(f"MemTotal: {KB_1G * 16} kB\nMemAvailable: {KB_1G * 8} kB\n")
        with pytest.raises(VirtperfError, match="cannot have 40 free hugepages of 2MiB") as caught:
            ask(host, pool(40, count_means="free"))
        assert caught.value.facts["most"] == 22
        assert ask(host, pool(22, count_means="free"))["pools"][0]["effective"] == 22

    def test_compaction_makes_room(self, host: FakeHost) -> None:
        host.kernel.room_kb[0] = 0
        host.kernel.broken_kb[0] = 30 * KB_2M
        host.kernel.show()
        assert ask(host, pool(30))["pools"][0]["effective"] == 30
        assert ("proc/sys/vm/compact_memory", "1") in host.kernel.written
        assert not [name for name, _ in host.kernel.written if "drop_caches" in name]

    def test_compaction_only_when_it_is_wanted(self, host: FakeHost) -> None:
        host.kernel.room_kb[0] = 0
        host.kernel.broken_kb[0] = 30 * KB_2M
        host.kernel.show()
        with pytest.raises(VirtperfError, match="granted 0 in 3 attempts"):
            ask(host, pool(30), patience=Patience(compact=False, retries=2, pause_ms=0))
        assert {name.rpartition("/")[2] for name, _ in host.kernel.written} == {"nr_hugepages"}

    def test_caches_are_dropped_when_it_is_wanted(self, host: FakeHost) -> None:
        host.kernel.room_kb[0] = 0
        host.kernel.show()
        with pytest.raises(VirtperfError):
            ask(host, pool(30), patience=Patience(drop_caches=True, retries=1, pause_ms=0))
        assert ("proc/sys/vm/drop_caches", "3") in host.kernel.written

    def test_a_node_is_compacted_alone(self, two_nodes: FakeHost) -> None:
        compact = Path(two_nodes.sys, "devices/system/node/node1/compact")
        compact.write_text("")
        two_nodes.kernel.room_kb[1] = 0
        two_nodes.kernel.broken_kb[1] = 30 * KB_2M
        two_nodes.kernel.show()
        ask(two_nodes, pool(30, node=1))
        assert ("sys/devices/system/node/node1/compact", "1") in two_nodes.kernel.written

    @pytest.mark.parametrize("check_mode", [False, True])
    def test_more_than_the_host_has_is_not_even_tried(self, host: FakeHost, check_mode: bool) -> None:
        host.kernel.has(5)
        with pytest.raises(VirtperfError) as caught:
            ask(host, pool(10_000_000), check_mode=check_mode)
        assert not host.kernel.written
        assert caught.value.facts["granted"] == 5
        assert caught.value.facts["most"] == 5 + 8 * 512
        assert "so it was not tried" in str(caught.value)
        assert f"ask for at most {5 + 8 * 512}, or use a host with more memory" in str(caught.value)

    def test_pools_are_counted_together(self, host: FakeHost) -> None:
        with pytest.raises(VirtperfError, match=r"10\.0 GiB more, so it was not tried") as caught:
            ask(host, pool(1024), pool(8, "1GiB"))
        assert caught.value.facts["most"] == 6
        assert "use smaller pages (2MiB)" in str(caught.value)

    def test_the_second_pool_failing_puts_the_first_back(self, two_nodes: FakeHost) -> None:
        two_nodes.kernel.room_kb[1] = 3 * KB_2M
        two_nodes.kernel.show()
        with pytest.raises(VirtperfError, match="on node 1"):
            ask(two_nodes, pool(6, node=0), pool(8, node=1))
        assert numbers(two_nodes)["total"] == 0
        assert Journal(two_nodes).entries() == []

    def test_a_mount_failing_puts_the_pool_back(self, host: FakeHost, tmp_path: Path) -> None:
        system = FakeSystem(host, fails=errno.EPERM)
        path = tmp_path / "mnt" / "huge"
        with pytest.raises(VirtperfError, match="CAP_SYS_ADMIN"):
            ask(host, pool(6), mounts=[{"path": str(path), "size": "2M"}], system=system)
        assert numbers(host)["total"] == 0
        assert not path.parent.exists()
        assert Journal(host).entries() == []

    def test_what_cannot_be_put_back_is_told_and_stays_in_the_journal(self, host: FakeHost, tmp_path: Path) -> None:
        class Greedy(FakeSystem):
            def mount(self, path: str, size_kb: int) -> None:
                host.kernel.use(4)
                raise OSError(errno.ENOMEM, "no memory", path)

        with pytest.raises(
            VirtperfError, match="not all could be put back: hugepages of 2MiB: 4 instead of 0"
        ) as caught:
            ask(host, pool(6), mounts=[{"path": str(tmp_path / "mnt"), "size": "2M"}], system=Greedy(host))
        assert caught.value.facts["left_changed"] == ["hugepages of 2MiB: 4 instead of 0, with 4 in use"]
        assert "hugepages" in [entry.resource for entry in Journal(host).entries()]
        host.kernel.use(-4)
        restore(host)
        assert numbers(host)["total"] == 0

    def test_a_kernel_that_refuses_is_named(self, host: FakeHost) -> None:
        host.kernel.refuses = errno.EINVAL
        with pytest.raises(VirtperfError, match=r"nr_hugepages: refused by the kernel.*at boot only"):
            ask(host, pool(2, "1GiB"))
        host.kernel.refuses = errno.EROFS
        with pytest.raises(VirtperfError, match="writable /sys"):
            ask(host, pool(2))

    def test_pages_taken_by_somebody_else_at_once(self, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
        resize = host.kernel._resize

        def resize_and_lose(size: int, node: int | None, count: int) -> None:
            resize(size, node, count)
            if count == 10:
                host.kernel.pool().free -= 3

        monkeypatch.setattr(host.kernel, "_resize", resize_and_lose)
        with pytest.raises(VirtperfError, match="somebody else took some"):
            ask(host, pool(10, count_means="free"))


class TestNeverBelowWhatIsInUse:
    def test_shrinking_is_refused_with_numbers(self, host: FakeHost) -> None:
        host.kernel.has(10, used=4)
        host.kernel.promise(2)
        status = Path(host.proc, "4711", "status")
        status.parent.mkdir()
        status.write_text("Name:\tqemu\nHugetlbPages:\t    8192 kB\n")
        for check_mode in (True, False):
            with pytest.raises(VirtperfError, match="from 10 to 5: 6 are in use") as caught:
                ask(host, pool(5, policy="exact"), check_mode=check_mode)
            assert caught.value.facts["in_use"] == 6
            assert caught.value.facts["holders"] == [{"pid": 4711, "name": "qemu", "size_kb": 8192}]
            assert "qemu (pid 4711, 8.0 MiB)" in str(caught.value)
        assert not host.kernel.written
        assert ask(host, pool(6, policy="exact"))["changed"]

    def test_files_that_hold_pages_are_named(self, host: FakeHost, tmp_path: Path) -> None:
        mount = tmp_path / "huge"
        mount.mkdir()
        (mount / "rtemap_0").touch()
        FakeSystem(host).add(str(mount), "rw,pagesize=2M", device="hugetlbfs")
        host.kernel.has(10, used=4)
        with pytest.raises(VirtperfError, match=rf"held by files in {mount} \(1\)"):
            ask(host, pool(1, policy="exact"))

    def test_pages_taken_between_look_and_write_come_back(
        self, host: FakeHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host.kernel.has(10)
        resize = host.kernel._resize

        def take_and_resize(size: int, node: int | None, count: int) -> None:
            if count == 2:
                host.kernel.pool().free -= 5
            resize(size, node, count)

        monkeypatch.setattr(host.kernel, "_resize", take_and_resize)
        with pytest.raises(VirtperfError, match="somebody else took pages meanwhile; everything is as it was"):
            ask(host, pool(2, policy="exact"))
        assert numbers(host) == {"total": 10, "free": 5, "reserved": 0, "surplus": 0}


class TestBadInput:
    @pytest.mark.parametrize(
        ("pools", "message"),
        [
            ([pool(1, "4MiB")], r"no hugepages of 4MiB \(found: 2MiB, 1GiB\)"),
            ([pool(1, "big")], "'big' is not a size"),
            ([pool(1, node=7)], r"no NUMA node 7 \(found: nodes 0\)"),
            ([pool(1, node=-1)], "no NUMA node -1"),
            ([pool(-1)], "cannot have -1"),
            ([pool(1), pool(2, "2048kB")], "asked for twice"),
            ([pool(1), pool(2, node=0)], "asked for twice"),
            ([pool(2, node=0), pool(1)], "asked for twice"),
            ([pool(2, node=0), pool(1, node=0)], "asked for twice"),
        ],
    )
    def test_pools(self, host: FakeHost, pools: list[dict[str, Any]], message: str) -> None:
        with pytest.raises(VirtperfError, match=message) as caught:
            ask(host, pool(1, "1GiB"), *pools)
        assert caught.value.way_out
        assert not host.kernel.written

    def test_a_kernel_without_hugepages_or_numa(self, tmp_path: Path) -> None:
        host = Host(proc=str(tmp_path), sys=str(tmp_path))
        with pytest.raises(VirtperfError, match="without hugepages"):
            ensure(host, [pool(1)])
        (tmp_path / "kernel/mm/hugepages/hugepages-2048kB").mkdir(parents=True)
        with pytest.raises(VirtperfError, match=r"without NUMA.*leave the node out"):
            ensure(host, [pool(1, node=0)])

    @pytest.mark.parametrize("numbers", [{"retries": -1}, {"pause_ms": -1}])
    def test_patience(self, numbers: dict[str, int]) -> None:
        with pytest.raises(VirtperfError, match="cannot retry"):
            Patience(**numbers)


class TestUndo:
    def test_the_journal_has_it_before_the_kernel(self, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
        host.kernel.has(10)
        seen = []
        write = host.kernel.write
        monkeypatch.setattr(
            host.kernel, "write", lambda *args: (seen.append(len(Journal(host).entries())), write(*args))
        )
        ask(host, pool(64), run_id="run-7")
        assert seen == [1]
        (entry,) = Journal(host).entries()
        assert (entry.resource, entry.run_id) == ("hugepages", "run-7")
        assert {key: entry.undo[key] for key in ("size_kb", "node", "was", "requested", "boot")} == {
            "size_kb": 2048,
            "node": None,
            "was": 10,
            "requested": 64,
            "boot": "this-boot",
        }

    def test_growing_and_shrinking_and_again(self, two_nodes: FakeHost) -> None:
        two_nodes.kernel.has(10, used=2)
        two_nodes.kernel.has(6, node=1)
        before = [numbers(two_nodes, KB_2M, node) for node in (0, 1)]
        ask(two_nodes, pool(64))
        ask(two_nodes, pool(4, node=0, policy="exact"))
        ask(two_nodes, pool(40, node=0, count_means="free"))
        assert len(Journal(two_nodes).entries()) == 3
        assert all(restore(two_nodes))
        assert [numbers(two_nodes, KB_2M, node) for node in (0, 1)] == before

    def test_pages_go_back_to_the_nodes_where_they_lay(self, two_nodes: FakeHost) -> None:
        two_nodes.kernel.has(8, node=1)
        two_nodes.kernel.room_kb[1] = 0
        two_nodes.kernel.show()
        ask(two_nodes, pool(16))
        assert [two_nodes.kernel.pool(node=node).total for node in (0, 1)] == [8, 8]
        restore(two_nodes)
        assert [two_nodes.kernel.pool(node=node).total for node in (0, 1)] == [0, 8]

    def test_somebody_else_has_shrunk_one_node(self, two_nodes: FakeHost) -> None:
        two_nodes.kernel.has(8, node=0)
        ask(two_nodes, pool(32))
        two_nodes.kernel.has(4, node=0)
        restore(two_nodes)
        assert numbers(two_nodes)["total"] == 8

    def test_after_a_reboot_there_is_nothing_to_undo(self, host: FakeHost) -> None:
        ask(host, pool(64))
        Path(host.proc, "sys/kernel/random/boot_id").write_text("another-boot")
        assert restore(host) == [""]
        assert numbers(host)["total"] == 64

    def test_a_size_that_is_gone(self, host: FakeHost) -> None:
        assert undo_pool(host, {"size_kb": 4096, "node": None, "was": 0, "requested": 5}) == ""

    def test_pages_in_use_are_not_taken(self, host: FakeHost) -> None:
        ask(host, pool(64))
        host.kernel.use(3)
        with pytest.raises(VirtperfError, match="3 are in use") as caught:
            undo_pool(host, Journal(host).entries()[0].undo)
        assert caught.value.facts["in_use"] == 3
        assert numbers(host)["total"] == 64
        host.kernel.use(-3)
        assert restore(host) == ["hugepages of 2MiB: from 64 back to 0"]

    def test_only_our_part_is_taken_from_what_others_added_and_only_once(self, host: FakeHost) -> None:
        host.kernel.has(10)
        ask(host, pool(20))
        host.kernel.has(300)
        undo = Journal(host).entries()[0].undo
        assert undo_pool(host, undo) == "hugepages of 2MiB: from 300 back to 290"
        # Killed before the journal was cleared: what it was given and what it finds there both do no harm.
        assert undo_pool(host, undo) == ""
        assert undo_pool(host, Journal(host).entries()[0].undo) == ""
        assert numbers(host)["total"] == 290

    def test_killed_between_note_and_write(self, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
        ask(host, pool(20))
        host.kernel.has(300)
        with monkeypatch.context() as patch:
            patch.setattr(host.kernel, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                undo_pool(host, Journal(host).entries()[0].undo)
        assert restore(host) == ["hugepages of 2MiB: from 300 back to 280"]

    def test_pages_taken_while_undoing_come_back(self, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
        ask(host, pool(20))
        resize = host.kernel._resize

        def take_and_resize(size: int, node: int | None, count: int) -> None:
            if count == 0:
                host.kernel.pool().free -= 5
            resize(size, node, count)

        monkeypatch.setattr(host.kernel, "_resize", take_and_resize)
        with pytest.raises(VirtperfError, match="20 could be restored instead of 0"):
            undo_pool(host, Journal(host).entries()[0].undo)
        assert numbers(host) == {"total": 20, "free": 15, "reserved": 0, "surplus": 0}

    def test_memory_gone_meanwhile(self, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hugepages, "PATIENT", QUICK)
        host.kernel.has(20)
        ask(host, pool(5, policy="exact"))
        host.kernel.room_kb[0] = 3 * KB_2M
        with pytest.raises(VirtperfError, match="8 could be restored instead of 20"):
            undo_pool(host, Journal(host).entries()[0].undo)


COUNTS = st.integers(0, 60)


@given(
    was=COUNTS,
    requested=COUNTS,
    others=st.integers(-60, 60),
    used=COUNTS,
    policy=st.sampled_from(["exact", "at_least"]),
)
def test_undo_leaves_what_others_did_and_what_is_in_use(
    was: int, requested: int, others: int, used: int, policy: str
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        host = fake_host(Path(directory))
        host.kernel.has(was)
        ask(host, pool(requested, policy=policy))
        ours = observe(host, KB_2M).kept - was
        host.kernel.has(max(0, was + ours + others))
        used = min(used, host.kernel.pool().free)
        host.kernel.use(used)
        before = observe(host, KB_2M)
        entries = Journal(host).entries()
        assert len(entries) == (ours != 0)
        for entry in entries:
            try:
                undo_pool(host, entry.undo)
            except VirtperfError:
                assert observe(host, KB_2M) == before
            else:
                after = observe(host, KB_2M)
                assert undo_pool(host, entry.undo) == ""
                assert undo_pool(host, Journal(host).entries()[0].undo) == ""
                assert observe(host, KB_2M) == after
                moved = after.kept - before.kept
                assert abs(moved) <= abs(ours)
                assert moved * ours <= 0
                if others == 0:
                    assert after.kept == was
        after = observe(host, KB_2M)
        assert after.kept >= min(before.kept, before.in_use)
        assert after.surplus == 0


@given(was=COUNTS, requested=COUNTS, current=COUNTS)
def test_undone_never_goes_further_than_where_we_began(was: int, requested: int, current: int) -> None:
    count = hugepages.undone(was, requested, current)
    assert count >= 0
    assert abs(current - count) <= abs(requested - was)
    assert min(was, current) <= count <= max(was, current)
