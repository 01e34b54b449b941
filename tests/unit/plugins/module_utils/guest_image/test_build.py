# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building with programs that only pretend to."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import build, contents, recipe
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.guest_image.fake_programs import FakePrograms

ESSENTIAL = recipe.Recipe("essential", (), "http://mirror/debian", 256, "raw")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    return FakePrograms(tmp_path / "bin", monkeypatch)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "a directory"
    directory.mkdir()
    return directory


def test_an_image_and_its_manifest(programs: FakePrograms, directory: Path) -> None:
    manifest = build.build(ESSENTIAL, str(directory))
    assert sorted(os.listdir(directory)) == ["build.log", "disk.raw", "manifest.json"]
    assert manifest["packages"] == {"bash": "5.2-1"}
    assert manifest["files"] == {"disk.raw": 256 << 20}
    assert manifest["recipe"] == ESSENTIAL.as_dict()
    assert set(manifest["seconds"]) == {"packages", "disk", "all"}
    assert stat.S_IMODE((directory / "disk.raw").stat().st_mode) == 0o444


def test_apts_configuration_is_handed_over_in_a_file(programs: FakePrograms, directory: Path) -> None:
    build.build(ESSENTIAL, str(directory))
    assert not any("secret" in call for call in programs.builds)
    options = (programs.directory / "mmdebstrap.options").read_text().splitlines()
    assert options == ['Acquire::http::Proxy "http://me:secret@proxy:3128";', 'Acquire::Check-Date "false";']
    assert not (directory / "apt.conf").exists()


def test_a_failure_tells_what_the_log_ends_with(programs: FakePrograms, directory: Path) -> None:
    programs.fail()
    with pytest.raises(VirtperfError) as caught:
        build.build(ESSENTIAL, str(directory))
    assert "E: no such mirror" in str(caught.value)
    assert caught.value.facts == {"log_end": "I: trying\nE: no such mirror", "rc": 100}


def test_a_broken_apt(programs: FakePrograms, directory: Path) -> None:
    programs.write("apt-config", "echo 'E: Syntax error' >&2; exit 100")
    with pytest.raises(VirtperfError, match="E: Syntax error"):
        build.build(ESSENTIAL, str(directory))


def test_all_missing_programs_are_told_at_once(programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(VirtperfError) as caught:
        build.check_tools(ESSENTIAL)
    assert caught.value.facts["missing"] == ["apt", "e2fsprogs", "mmdebstrap", "util-linux"]
    assert "apt-get install apt e2fsprogs mmdebstrap util-linux" in str(caught.value)


def test_a_missing_keyring_is_told(programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "KEYRING", "/nowhere/keyring.gpg")
    with pytest.raises(VirtperfError, match="debian-archive-keyring"):
        build.check_tools(ESSENTIAL)


def test_another_kind_of_machine(programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.os, "uname", lambda: SimpleNamespace(machine="aarch64"))
    build.check_tools(ESSENTIAL)
    with pytest.raises(VirtperfError, match="x86_64 only"):
        build.check_tools(recipe.Recipe("reflect", (), "http://mirror/debian", 4096, "raw"))


def test_a_disk_too_small(programs: FakePrograms, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_size_mib", lambda _tree: 200)
    with pytest.raises(VirtperfError, match="a disk_mib of 516 or more"):
        build.build(ESSENTIAL, str(directory))


def test_modules_that_a_kernel_lacks(tmp_path: Path) -> None:
    base = tmp_path / "lib/modules/6.12"
    base.mkdir(parents=True)
    (base / "modules.dep").write_text("extra/igb_uio.ko.xz: kernel/uio.ko.xz\nkernel/vfio-pci.ko:\n")
    (base / "modules.builtin").write_text("kernel/virtio_pci.ko\n")
    wanted = ("igb_uio", "vfio_pci", "virtio_pci", "virtio_blk")
    assert build.missing_modules(str(tmp_path), "6.12", wanted) == ["virtio_blk"]


def test_a_kernel_without_igb_uio_is_no_image(tmp_path: Path) -> None:
    base = tmp_path / "lib/modules/6.12"
    base.mkdir(parents=True)
    (base / "modules.dep").touch()
    (base / "modules.builtin").touch()
    reflect: Any = recipe.Recipe("reflect", (), "http://mirror/debian", 4096, "raw")
    with pytest.raises(VirtperfError, match="igb_uio"):
        build._take_kernel(reflect, str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(("profile", "kept"), [("hypervisor", ["initrd", "vmlinux"]), ("reflect", [])])
def test_a_hypervisor_has_the_kernel_for_its_guests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, kept: list[str]
) -> None:
    tree = tmp_path / "tree"
    (tree / "lib/modules/6.12").mkdir(parents=True)
    (tree / "boot").mkdir()
    for name in ("vmlinux", "vmlinuz-6.12", "System.map-6.12"):
        (tree / "boot" / name).write_text(name)
    monkeypatch.setattr(build, "missing_modules", lambda *_given: [])
    monkeypatch.setattr(build.initrd, "build", lambda *_given: b"initrd")
    assert build._take_kernel(recipe.Recipe(profile, (), "http://m", 4096, "raw"), str(tmp_path), str(tree)) == "6.12"
    assert (tmp_path / "vmlinuz").read_text() == "vmlinuz-6.12"
    guest = tree / contents.GUEST_BOOT
    assert sorted(os.listdir(guest) if guest.exists() else []) == kept
    assert all((guest / name).read_bytes() == name.encode() for name in kept)
