# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overlays: made over a base, used again, refused where they would harm."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import disks
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with installed(monkeypatch) as lab:
        yield lab


def test_made_once_and_used_again(lab: Lab) -> None:
    vm = lab.vm(disks=[{"base": lab.base("a b,c;.img")}, {"base": lab.base(), "readonly": True}])
    first, read_only = disks.plan_overlays(lab.host, vm)
    assert (first.makes, read_only.path, read_only.makes) == (True, "", False)
    assert not os.path.exists(first.path), "a plan makes nothing"
    disks.make_overlays(lab.host, [first, read_only])
    assert stat.S_IMODE(os.stat(first.path).st_mode) == 0o600
    assert not disks.plan_overlays(lab.host, vm)[0].makes


def test_another_base_is_another_overlay(lab: Lab) -> None:
    disks.make_overlays(lab.host, disks.plan_overlays(lab.host, lab.vm(disks=[{"base": lab.base()}])))
    assert disks.plan_overlays(lab.host, lab.vm(disks=[{"base": lab.base("other.img")}]))[0].makes


def test_a_base_that_changed_beneath_its_overlay(lab: Lab) -> None:
    vm = lab.vm(disks=[{"base": lab.base()}])
    overlays = disks.plan_overlays(lab.host, vm)
    disks.make_overlays(lab.host, overlays)
    os.utime(overlays[0].path, (0, 0))
    with pytest.raises(VirtperfError, match=r"has changed beneath its overlay.*state: absent"):
        disks.plan_overlays(lab.host, vm)


def test_no_space_known_before(lab: Lab) -> None:
    vm = lab.vm(disks=[{"base": lab.base(), "min_free": "999999GiB"}])
    with pytest.raises(VirtperfError, match=r"VM guest: no space for the overlay of .*base\.img"):
        disks.plan_overlays(lab.host, vm)


def test_no_space_met_on_the_way_leaves_nothing(lab: Lab) -> None:
    overlays = disks.plan_overlays(lab.host, lab.vm(disks=[{"base": lab.base()}]))
    lab.behave(no_space=True)
    with pytest.raises(VirtperfError, match="No space left on device"):
        disks.make_overlays(lab.host, overlays)
    assert not os.path.exists(overlays[0].path)


@pytest.mark.parametrize(("name", "words"), [("none.img", "No such file"), (".", "neither a file")])
def test_a_base_that_is_none(lab: Lab, name: str, words: str) -> None:
    with pytest.raises(VirtperfError, match=words):
        disks.plan_overlays(lab.host, lab.vm(disks=[{"base": str(lab.directory / name)}]))


def test_qemu_img_is_missing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/none")
    with pytest.raises(VirtperfError, match=r"qemu-img is not installed.*qemu-utils"):
        disks.plan_overlays(lab.host, lab.vm(disks=[{"base": lab.base()}]))


def test_removing_takes_its_directory_along_and_no_other(lab: Lab) -> None:
    vm = lab.vm(disks=[{"base": lab.base()}], overlay_dir=str(lab.directory))
    overlays = disks.plan_overlays(lab.host, vm)
    disks.make_overlays(lab.host, overlays)
    own = disks.own_directory(lab.host, "guest")
    lab.host.private_directory(own)
    paths = list(disks.overlay_paths(lab.host, vm))
    assert disks.remove_overlays(paths, own) == paths
    assert not Path(own).parent.exists()
    assert Path(vm.disks[0].base).exists()
    assert disks.remove_overlays(paths, own) == []
