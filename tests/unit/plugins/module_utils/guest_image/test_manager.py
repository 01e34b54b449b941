# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having an image, with programs that only pretend to build one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import cache, manager
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.guest_image.fake_programs import FakePrograms


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    return FakePrograms(tmp_path / "bin", monkeypatch)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    return {
        "profile": "essential",
        "packages": [],
        "mirror": "http://mirror/debian",
        "disk_mib": 256,
        "format": "raw",
        "cache_dir": str(tmp_path / "images"),
        "wait_s": 5,
    }


def test_built_once_and_as_predicted(programs: FakePrograms, given: dict[str, Any]) -> None:
    predicted = manager.ensure(Host(), given, check_mode=True)
    assert not os.path.exists(given["cache_dir"]), "check mode makes nothing"
    first = manager.ensure(Host(), given)
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == first[key], key
    for key in ("name", "path", "format", "kernel"):
        assert predicted["image"][key] == first["image"][key], key
    assert os.path.getsize(first["image"]["path"]) == 256 << 20
    again = manager.ensure(Host(), given)
    assert (again["changed"], again["actions"]) == (False, [])
    assert again["image"] == first["image"]
    assert manager.ensure(Host(), given, check_mode=True)["changed"] is False
    assert len(programs.builds) == 1


def test_a_failed_build_leaves_nothing_and_the_next_one_works(programs: FakePrograms, given: dict[str, Any]) -> None:
    programs.fail()
    with pytest.raises(VirtperfError):
        manager.ensure(Host(), given)
    assert os.listdir(given["cache_dir"]) == ["lock"]
    (programs.directory / "mmdebstrap.fail").unlink()
    assert manager.ensure(Host(), given)["changed"]


def test_what_was_interrupted_goes_first(programs: FakePrograms, given: dict[str, Any]) -> None:
    left = Path(given["cache_dir"], ".building-old", "tree")
    left.mkdir(parents=True)
    predicted = manager.ensure(Host(), given, check_mode=True)
    assert left.exists()
    done = manager.ensure(Host(), given)
    assert predicted["actions"] == done["actions"]
    assert done["actions"][0] == f"remove {left.parent}, left by an interrupted build"
    assert sorted(os.listdir(given["cache_dir"])) == sorted(["lock", done["image"]["name"]])


@pytest.mark.parametrize("check_mode", [True, False])
def test_without_space_nothing_is_begun(
    programs: FakePrograms, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    def full(_cache: cache.Cache, needed_mib: int) -> None:
        raise VirtperfError(f"no space for {needed_mib} MiB")

    monkeypatch.setattr(cache.Cache, "check_space", full)
    with pytest.raises(VirtperfError, match="700 MiB"):
        manager.ensure(Host(), given, check_mode=check_mode)
    assert programs.builds == []


@pytest.mark.parametrize("check_mode", [True, False])
def test_without_mmdebstrap_nothing_is_begun(
    programs: FakePrograms, given: dict[str, Any], check_mode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (programs.directory / "mmdebstrap").unlink()
    monkeypatch.setenv("PATH", str(programs.directory))
    with pytest.raises(VirtperfError, match="apt-get install mmdebstrap"):
        manager.ensure(Host(), given, check_mode=check_mode)
    assert not os.path.exists(given["cache_dir"])


def test_what_is_built_already_needs_no_programs(
    programs: FakePrograms, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.ensure(Host(), given)
    monkeypatch.setenv("PATH", "/nowhere")
    assert not manager.ensure(Host(), given)["changed"]
