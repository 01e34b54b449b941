# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of images, in a directory of the test's."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.cache import Cache, remove_tree
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(Host(), str(tmp_path / "images"))


def put(cache: Cache, name: str = "one", disk: str = "disk") -> None:
    with cache.locked(name, 0), cache.building() as built:
        Path(built, "disk.raw").write_text(disk)
        Path(built, "manifest.json").write_text(json.dumps({"files": {"disk.raw": 4}}))
        cache.publish(built, name)


def test_an_image_is_there_once_it_was_published(cache: Cache) -> None:
    assert cache.manifest("one") is None
    put(cache)
    assert cache.manifest("one") == {"files": {"disk.raw": 4}}
    assert sorted(os.listdir(cache.path)) == ["lock", "one"]


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"files": 1}', '{"files": {"gone": 4}}'])
def test_a_damaged_image_counts_as_none(cache: Cache, text: str) -> None:
    put(cache)
    Path(cache.directory("one"), "manifest.json").write_text(text)
    assert cache.manifest("one") is None


def test_a_disk_of_another_size_counts_as_none_and_is_replaced(cache: Cache) -> None:
    put(cache, disk="truncated?")
    assert cache.manifest("one") is None
    put(cache)
    assert cache.manifest("one") is not None
    assert sorted(os.listdir(cache.path)) == ["lock", "one"]


def test_a_build_that_fails_leaves_nothing(cache: Cache) -> None:
    def fail() -> None:
        with cache.locked("one", 0), cache.building() as built:
            Path(built, "tree").mkdir()
            raise VirtperfError("no")

    with pytest.raises(VirtperfError):
        fail()
    assert os.listdir(cache.path) == ["lock"]


def test_what_was_interrupted_is_removed_and_images_are_not(cache: Cache) -> None:
    put(cache)
    left = Path(cache.path, ".building-x1", "tree", "etc")
    left.mkdir(parents=True)
    (left / "link").symlink_to("/etc/passwd")
    assert cache.clean() == [str(left.parents[1])]
    assert sorted(os.listdir(cache.path)) == ["lock", "one"]
    assert Path("/etc/passwd").exists()
    assert cache.clean() == []


def test_nothing_to_clean_where_there_is_no_cache_yet(cache: Cache) -> None:
    assert cache.stale() == []
    assert not os.path.exists(cache.path), "looking makes nothing"


def test_a_tree_with_a_mount_in_it_stays(tmp_path: Path) -> None:
    tree = tmp_path / "a tree"
    (tree / "dev").mkdir(parents=True)
    mount = str(tree / "dev").replace(" ", "\\040")
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_text(f"36 35 98:0 / {mount} rw shared:1 - devtmpfs dev rw\n")
    with pytest.raises(VirtperfError, match="mounted"):
        remove_tree(Host(proc=str(tmp_path)), str(tree))
    assert (tree / "dev").exists()


def _hold(path: str, held: Event, release: Event) -> None:
    with Cache(Host(), path).locked("theirs", 0):
        held.set()
        release.wait(20)


def test_a_second_builder_is_told_who_the_first_is_or_waits_for_it(cache: Cache) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(cache.path, held, release))
    other.start()
    try:
        assert held.wait(20)
        with pytest.raises(VirtperfError) as caught, cache.locked("ours", 0.3):
            pass
        assert f"process {other.pid} builds theirs since 20" in str(caught.value)
        assert caught.value.facts["holder"]["pid"] == other.pid
        release.set()
        begun = time.monotonic()
        with cache.locked("ours", 20) as waited:
            assert waited <= time.monotonic() - begun
    finally:
        release.set()
        other.join()


def test_a_killed_builder_holds_nothing(cache: Cache) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(cache.path, held, release))
    other.start()
    assert held.wait(20)
    other.kill()
    other.join()
    with cache.locked("ours", 5):
        assert json.loads(Path(cache.path, "lock").read_text())["image"] == "ours"
    assert Path(cache.path, "lock").read_text() == "", "who ended names nobody"


def test_space(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=100, f_frsize=1 << 20))
    cache.check_space(100)
    with pytest.raises(VirtperfError) as caught:
        cache.check_space(101)
    assert "100 MiB free, 101 MiB needed" in str(caught.value)
    assert "free 1 MiB there" in str(caught.value)
    assert caught.value.facts == {"free_mib": 100, "needed_mib": 101}
