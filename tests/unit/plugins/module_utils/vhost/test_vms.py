# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU processes, and which one is meant."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import identify
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import vms
from ansible_collections.virtperf.vhost.tests.unit.fake_cgroups import FakeHost, fake_host


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Ours (100), libvirt's (200), somebody's without a name (300), one that only looks like it (400)."""
    host = fake_host(tmp_path, monkeypatch)
    kernel = host.kernel
    kernel.qemu(100, "theirs", "/", [])
    directory = Path(host.run, "qemu", "ours")
    directory.mkdir(parents=True)
    (directory / "process.json").write_text(json.dumps(identify(host, 100).as_dict()))
    kernel.qemu(200, "dom,,1", "/", [], "-uuid", "u-2", "-mon", "chardev=charmonitor,id=monitor,mode=control")
    kernel.put("proc/200/cmdline", Path(host.proc, "200/cmdline").read_text().replace("chardev=", "id="))
    kernel.qemu(300, "x", "/", [])
    kernel.put("proc/300/cmdline", "qemu-system-x86_64\0-S\0")
    kernel.qemu(400, "y", "/", [])
    (tmp_path / "proc/400/exe").unlink()
    os.symlink("/usr/bin/python3.11", tmp_path / "proc/400/exe")
    return host


def test_found(host: FakeHost) -> None:
    found = [(vm.name, vm.manager, vm.pid, vm.uuid) for vm in vms.find(host)]
    assert found == [("ours", "virtperf", 100, ""), ("dom,1", "libvirt", 200, "u-2"), ("pid 300", "other", 300, "")]


def test_whoever_may_not_see_which_are_ours_is_told_so(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(_host: object) -> list[str]:
        raise PermissionError(13, "Permission denied", "/var/lib/virtperf/qemu")

    monkeypatch.setattr(vms.instance, "names", names)
    unreadable: list[str] = []
    assert [vm.manager for vm in vms.find(host, unreadable)] == ["other", "libvirt", "other"]
    assert unreadable == ["/var/lib/virtperf/qemu"]


def test_one_of_ours_that_ended_lends_its_name_to_nobody(host: FakeHost) -> None:
    file = Path(host.run, "qemu/ours/process.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "start": 1}))
    assert vms.find(host)[0].name == "theirs"


def test_whoever_may_not_see_the_program_believes_its_first_word(host: FakeHost) -> None:
    for pid in (100, 400):
        (Path(host.proc) / f"{pid}/exe").unlink()
    assert [vm.pid for vm in vms.find(host)] == [100, 200, 300, 400]


def test_an_upgraded_program_runs_on(host: FakeHost) -> None:
    (Path(host.proc) / "300/exe").unlink()
    os.symlink("/usr/bin/qemu-system-x86_64 (deleted)", Path(host.proc) / "300/exe")
    assert 300 in [vm.pid for vm in vms.find(host)]


def test_picked(host: FakeHost) -> None:
    found = vms.find(host)
    assert vms.pick(found, "ours", None).pid == 100
    assert vms.pick(found, "u-2", None).pid == 200
    assert vms.pick(found, "", 300).pid == 300
    with pytest.raises(VirtperfError, match="no running VM with the name 'ours' and pid 300"):
        vms.pick(found, "ours", 300)
    host.kernel.qemu(500, "dom,,1", "/", [])
    with pytest.raises(
        VirtperfError, match=r"2 VMs have the name 'dom,1' .found: dom,1 \(pid 200\), dom,1 \(pid 500\)"
    ):
        vms.pick(vms.find(host), "dom,1", None)
    with pytest.raises(VirtperfError, match="no QEMU process at all"):
        vms.pick([], "a", None)
