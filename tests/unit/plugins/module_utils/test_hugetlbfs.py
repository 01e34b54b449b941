# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of hugetlbfs: read as the kernel writes them, made where nothing is hidden by it, and undone."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils import hugetlbfs
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.hugetlbfs import (
    Mount,
    apply_mount,
    plan_mount,
    plan_mounts,
    undo_mount,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.tests.unit.fake_hugetlb import KB_1G, KB_2M, FakeHost, FakeSystem, fake_host


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path)


@pytest.fixture
def system(host: FakeHost) -> FakeSystem:
    return FakeSystem(host)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to mount; the directory above is missing as well."""
    return tmp_path / "mnt" / "huge pages"


def have(host: FakeHost, path: Path, system: FakeSystem) -> None:
    plan = plan_mount(host, str(path), KB_2M)
    assert plan.mounts
    apply_mount(host, Journal(host, "run-7"), plan, system)


def undo(host: FakeHost, system: FakeSystem) -> list[str]:
    return [undo_mount(host, entry.undo, system) for entry in reversed(Journal(host).entries())]


def process(host: FakeHost, pid: int, name: str, *, maps: str = "", **links: str) -> None:
    base = Path(host.proc, str(pid))
    (base / "fd").mkdir(parents=True)
    (base / "comm").write_text(f"{name}\n")
    (base / "maps").write_text(maps)
    for link, target in links.items():
        os.symlink(target, base / link.replace("_", "/"))


class TestReading:
    def test_fields_and_escapes(self, host: FakeHost, system: FakeSystem) -> None:
        system.table.write_text(
            "none /dev/shm tmpfs rw 0 0\n"
            "hugetlbfs /mnt/a\\040b\\134c\\011d hugetlbfs rw,relatime,pagesize=1024M 0 0\n"
            "broken\n"
        )
        mount = hugetlbfs.mounts(host)[1]
        assert mount == Mount("hugetlbfs", "/mnt/a b\\c\td", "hugetlbfs", ("rw", "relatime", "pagesize=1024M"))
        assert hugetlbfs.page_kb(host, mount) == KB_1G
        assert not mount.is_ours
        assert len(hugetlbfs.mounts(host)) == 2

    def test_the_default_size_when_none_is_named(self, host: FakeHost) -> None:
        assert hugetlbfs.page_kb(host, Mount("none", "/x", "hugetlbfs", ("rw",))) == 2048

    def test_of_two_at_one_path_the_last_is_seen(self, host: FakeHost, system: FakeSystem) -> None:
        system.add("/mnt/x", "rw", device="first")
        system.add("/mnt/x", "rw", device="second")
        mount = hugetlbfs.mount_at(host, "/mnt/x")
        assert mount
        assert mount.device == "second"

    @given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
    def test_what_the_kernel_escapes_is_read_back(self, name: str) -> None:
        escaped = re.sub(r"[ \t\n\\#]", lambda match: f"\\{ord(match[0]):03o}", name)
        assert hugetlbfs._unescape(escaped) == name


class TestPlanning:
    def test_directories_that_are_missing(self, host: FakeHost, path: Path) -> None:
        plan = plan_mount(host, str(path), KB_2M)
        assert (plan.path, plan.mounts, plan.makes) == (str(path), True, str(path.parent))
        assert plan.describe() == f"mount hugetlbfs with pages of 2MiB at {path}, making the directory {path.parent}"

    def test_an_empty_directory(self, host: FakeHost, path: Path) -> None:
        path.mkdir(parents=True)
        plan = plan_mount(host, str(path), KB_2M)
        assert (plan.mounts, plan.makes) == (True, "")
        assert plan.describe() == f"mount hugetlbfs with pages of 2MiB at {path}"

    def test_links_are_followed(self, host: FakeHost, path: Path, tmp_path: Path) -> None:
        path.mkdir(parents=True)
        (tmp_path / "link").symlink_to(path.parent)
        assert plan_mount(host, str(tmp_path / "link" / path.name), KB_2M).path == str(path)

    def test_one_mounted_already_is_fine(self, host: FakeHost, system: FakeSystem, path: Path) -> None:
        path.mkdir(parents=True)
        (path / "somebody's").touch()
        system.add(str(path), "rw,relatime,pagesize=2M", device="none")
        assert not plan_mount(host, str(path), KB_2M).mounts

    @pytest.mark.parametrize(
        ("options", "kind", "message"),
        [
            ("rw,pagesize=1024M", "hugetlbfs", "found: pages of 1GiB"),
            ("ro,pagesize=2M", "hugetlbfs", "found: pages of 2MiB, options ro"),
            ("rw", "tmpfs", "something else is mounted there .found: tmpfs of none"),
        ],
    )
    def test_another_one_is_not(
        self, host: FakeHost, system: FakeSystem, path: Path, options: str, kind: str, message: str
    ) -> None:
        path.mkdir(parents=True)
        system.add(str(path), options, device="none", kind=kind)
        with pytest.raises(VirtperfError, match=message):
            plan_mount(host, str(path), KB_2M)

    @pytest.mark.parametrize("bad", ["", "huge", "./huge", "/", "//", "/tmp/.."])
    def test_paths_that_are_none(self, host: FakeHost, bad: str) -> None:
        with pytest.raises(VirtperfError, match="absolute path"):
            plan_mount(host, bad, KB_2M)

    def test_nothing_is_hidden(self, host: FakeHost, path: Path) -> None:
        path.mkdir(parents=True)
        (path / "precious").touch()
        with pytest.raises(VirtperfError, match=r"would hide what is there \(found: precious\)"):
            plan_mount(host, str(path), KB_2M)
        (path / "rest").mkdir()
        with pytest.raises(VirtperfError, match=r"\(found: precious and 1 more\)"):
            plan_mount(host, str(path), KB_2M)
        with pytest.raises(VirtperfError, match="not a directory"):
            plan_mount(host, str(path / "precious"), KB_2M)

    @pytest.mark.parametrize(("one", "other"), [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a/../b", "b")])
    def test_two_at_one_place(self, host: FakeHost, tmp_path: Path, one: str, other: str) -> None:
        with pytest.raises(VirtperfError, match="name each mount once"):
            plan_mounts(host, [(f"{tmp_path}/{one}", KB_2M), (f"{tmp_path}/{other}", KB_2M)])

    def test_two_side_by_side(self, host: FakeHost, tmp_path: Path) -> None:
        plans = plan_mounts(host, [(f"{tmp_path}/ab", KB_2M), (f"{tmp_path}/a", KB_1G)])
        assert [plan.size_kb for plan in plans] == [KB_2M, KB_1G]


class TestMounting:
    def test_journal_then_mount_then_read_back(self, host: FakeHost, system: FakeSystem, path: Path) -> None:
        have(host, path, system)
        (entry,) = Journal(host).entries()
        assert (entry.resource, entry.run_id) == ("hugetlbfs", "run-7")
        assert entry.undo == {"path": str(path), "made_directory": str(path.parent)}
        mount = hugetlbfs.mount_at(host, str(path))
        assert mount
        assert mount.is_ours
        assert path.stat().st_mode & 0o777 == 0o700
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_what_is_mounted_over_it_at_once_is_noticed(
        self, host: FakeHost, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        system = FakeSystem(host)
        monkeypatch.setattr(system, "mount", lambda path, size: system.add(path, "rw", kind="tmpfs"))
        with pytest.raises(VirtperfError, match="not what is seen there"):
            have(host, path, system)

    def test_a_refusal_names_path_and_way_out(self, host: FakeHost, path: Path) -> None:
        with pytest.raises(VirtperfError, match=f"{path} .found: refused by the kernel.*CAP_SYS_ADMIN"):
            have(host, path, FakeSystem(host, fails=errno.EPERM))

    @pytest.mark.parametrize("call", ["mount", "unmount"])
    def test_the_real_calls_say_no_where_they_cannot(self, tmp_path: Path, call: str) -> None:
        missing = str(tmp_path / "missing")
        with pytest.raises(OSError, match="missing") as caught:
            getattr(hugetlbfs.LIBC, call)(*([missing, KB_2M] if call == "mount" else [missing]))
        assert caught.value.errno in (errno.ENOENT, errno.EPERM)


class TestUndo:
    def test_everything_goes_and_twice_does_no_harm(self, host: FakeHost, system: FakeSystem, path: Path) -> None:
        have(host, path, system)
        assert undo(host, system) == [f"unmounted {path}, removed {path.parent}"]
        assert not path.parent.exists()
        assert not hugetlbfs.mount_at(host, str(path))
        assert undo(host, system) == [""]

    def test_a_directory_that_was_there_stays(self, host: FakeHost, system: FakeSystem, path: Path) -> None:
        path.mkdir(parents=True)
        have(host, path, system)
        assert undo(host, system) == [f"unmounted {path}"]
        assert path.is_dir()

    def test_directories_that_others_use_stay(self, host: FakeHost, system: FakeSystem, path: Path) -> None:
        have(host, path, system)
        (path.parent / "other").touch()
        assert undo(host, system) == [f"unmounted {path}"]
        assert not path.exists()
        assert path.parent.is_dir()

    def test_journaled_but_not_mounted_yet(self, host: FakeHost, system: FakeSystem, path: Path) -> None:
        Journal(host).append("hugetlbfs", path=str(path), made_directory=str(path.parent))
        assert undo(host, system) == [""]
        path.parent.mkdir()
        assert undo(host, system) == [f"removed {path.parent}"]

    def test_mounts_of_others_stay(self, host: FakeHost, system: FakeSystem, path: Path) -> None:
        have(host, path, system)
        system.unmount(str(path))
        system.add(str(path), "rw,pagesize=2M", device="hugetlbfs")
        (path / "theirs").touch()
        assert undo(host, system) == [""]
        assert (path / "theirs").exists()
        assert system.calls[-1].startswith("unmount")

    def test_files_of_dead_processes_go(self, host: FakeHost, system: FakeSystem, path: Path, tmp_path: Path) -> None:
        have(host, path, system)
        (path / "rtemap_0").touch()
        (path / "libvirt" / "qemu").mkdir(parents=True)
        (path / "libvirt" / "qemu" / "ram").touch()
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "precious").touch()
        (path / "link").symlink_to(outside)
        assert undo(host, system) == [f"unmounted {path} (left-over files removed: 2), removed {path.parent}"]
        assert (outside / "precious").exists()

    @pytest.mark.parametrize("how", ["fd_3", "deleted", "maps", "cwd"])
    def test_while_it_is_used_nothing_is_touched(
        self, host: FakeHost, system: FakeSystem, path: Path, how: str
    ) -> None:
        have(host, path, system)
        file = path / "rtemap_0"
        file.touch()
        process(host, 41, "bystander", maps=f"7f00-7f01 rw-s 00000000 00:2f 5    {path}2/x\n", fd_0="/dev/null")
        links = {"fd_3": {"fd_3": str(file)}, "deleted": {"fd_3": f"{file} (deleted)"}, "cwd": {"cwd": str(path)}}
        mapped = f"7f00-7f01 rw-s 00000000 00:2f 5    {file} (deleted)\n" if how == "maps" else "7f-80 rw-p 0 0:0 0\n"
        process(host, 4711, "dpdk-testpmd", maps=mapped, **links.get(how, {}))
        with pytest.raises(VirtperfError, match=r"is in use \(found: dpdk-testpmd \(pid 4711\)\)") as caught:
            undo(host, system)
        assert caught.value.facts["users"] == ["dpdk-testpmd (pid 4711)"]
        assert file.exists()
        assert not [call for call in system.calls if call.startswith("unmount")]

    def test_busy_although_nobody_is_seen(self, host: FakeHost, system: FakeSystem, path: Path) -> None:
        have(host, path, system)
        system.fails = errno.EBUSY
        with pytest.raises(VirtperfError, match=r"is in use \(found: a process that cannot be seen"):
            undo(host, system)
        system.fails = errno.EPERM
        with pytest.raises(VirtperfError, match="cannot unmount"):
            undo(host, system)
        system.fails = 0
        assert undo(host, system)[0]


def test_on_this_machine_it_reads_what_there_is() -> None:
    assert any(mount.kind == "proc" for mount in hugetlbfs.mounts(Host()))
