# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VM the sandbox is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.keys import Keys
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel
from ansible_collections.virtperf.vhost.plugins.module_utils.sandbox.definition import choose, definition

IMAGE = {"path": "/i/disk.raw", "kernel": "/i/vmlinux", "initrd": "/i/initrd", "command_line": "root=/dev/vda"}
ASKED: dict[str, Any] = {"image": IMAGE, "vcpus": 2, "memory": "1GiB", "authorized_keys": ["ssh-ed25519 AAAA me"]}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(sys=str(tmp_path / "sys"), run=str(tmp_path / "run"), state=str(tmp_path / "state"))


def kvm(monkeypatch: pytest.MonkeyPatch, says: str = "") -> None:
    monkeypatch.setattr(accel, "find", lambda: accel.Qemu("/usr/bin/qemu-system-x86_64", (10, 0, 2)))
    monkeypatch.setattr(accel, "probe_kvm", lambda _qemu: says)


def nested(host: Host, module: str, value: str) -> None:
    path = Path(host.sys, "module", module, "parameters")
    path.mkdir(parents=True)
    (path / "nested").write_text(f"{value}\n")


@pytest.mark.parametrize(("module", "value"), [("kvm_intel", "Y"), ("kvm_amd", "1")])
def test_kvm_where_guests_can_have_guests(host: Host, monkeypatch: pytest.MonkeyPatch, module: str, value: str) -> None:
    kvm(monkeypatch)
    nested(host, module, value)
    assert choose(host, "auto") == accel.Accelerator("auto", "kvm")


def test_emulation_where_kvm_does_not_nest(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    kvm(monkeypatch)
    nested(host, "kvm_intel", "N")
    found = choose(host, "auto")
    assert found.used == "tcg"
    assert "nested=1" in found.warning
    with pytest.raises(VirtperfError, match="modprobe kvm_intel nested=1"):
        choose(host, "kvm")


def test_emulation_where_there_is_no_kvm(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    kvm(monkeypatch, "there is no /dev/kvm")
    found = choose(host, "auto")
    assert (found.used, found.reason) == ("tcg", "there is no /dev/kvm")


def test_the_vm(host: Host) -> None:
    keys = Keys(host, "sandbox")
    vm = definition(ASKED, accel.Accelerator("auto", "tcg"), keys, 40123)
    assert (vm.accel, vm.vcpus, vm.memory.size) == ("tcg", 2, "1GiB")
    assert {"+svm", "-cx16"} <= set(vm.cpu.split(","))
    assert [(disk.base, disk.readonly) for disk in vm.disks] == [("/i/disk.raw", False), ("/i/disk.raw", True)]
    assert {"root=/dev/vda", "systemd.unit=virtperf-hypervisor.target", "oops=panic"} <= set(vm.append.split())
    # A panic ends it, so that the next start is one from its image.
    assert "panic=-1" in vm.append.split()
    assert vm.arguments == ("-no-reboot",)
    assert vm.user_net
    assert [(forward.host_port, forward.guest_port) for forward in vm.user_net.forwards] == [(40123, 22)]
    assert vm.credentials["ssh.authorized_keys.root"] == "ssh-ed25519 AAAA me\n"
    assert vm.credential_files == {"ssh.host_key.ed25519": keys.host_key_path("sandbox")}
    assert definition(ASKED, accel.Accelerator("auto", "kvm"), keys, 40123).cpu == "host"


@pytest.mark.parametrize("used", ["tcg", "kvm"])
def test_guests_are_kept_off_its_first_cpu(host: Host, used: str) -> None:
    """There QEMU's emulation corrupts them, and the hypervisor with them."""
    keys = Keys(host, "sandbox")
    vm = definition(ASKED, accel.Accelerator("auto", used), keys, 40123)
    assert "isolcpus=0" in vm.append.split()
    with pytest.raises(VirtperfError, match=r"cannot have 1 virtual CPUs.*guests run on the others"):
        definition({**ASKED, "vcpus": 1}, accel.Accelerator("auto", used), keys, 40123)


@pytest.mark.parametrize("part", ["path", "kernel", "command_line"])
def test_an_image_that_is_none_of_a_hypervisor(host: Host, part: str) -> None:
    with pytest.raises(VirtperfError, match=f"no {part}.*profile hypervisor"):
        definition({**ASKED, "image": {**IMAGE, part: None}}, accel.Accelerator("tcg", "tcg"), Keys(host, "s"), 1)
