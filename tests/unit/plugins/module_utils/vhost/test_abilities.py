# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host can do, without a change by looking."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.system import System
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import abilities


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(str(tmp_path / "proc"), str(tmp_path / "sys"))


def put(path: str, text: str = "") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text + "\n")


@pytest.mark.parametrize(("said", "usable"), [("", True), ("failed to set MSR", False)])
def test_kvm_is_tried(monkeypatch: pytest.MonkeyPatch, said: str, usable: bool) -> None:
    monkeypatch.setattr(accel, "find", lambda: accel.Qemu("/q", (10,)))
    monkeypatch.setattr(accel, "probe_kvm", lambda qemu, device: said if (qemu.path, device) == ("/q", "/") else "?")
    assert abilities.kvm(probe=True, device="/") == {"usable": usable, "reason": said or None}
    assert abilities.kvm(probe=False, device="/") == {"usable": None, "reason": "not tried"}
    assert abilities.kvm(probe=False, device="/none") == {"usable": False, "reason": "there is no /none"}


def test_kvm_without_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> accel.Qemu:
        raise VirtperfError("QEMU is not installed")

    monkeypatch.setattr(accel, "find", missing)
    assert abilities.kvm(probe=True, device="/") == {"usable": None, "reason": "QEMU is not installed"}


def test_modules(host: Host, tmp_path: Path) -> None:
    nothing = {
        "net": "missing",
        "vsock": "missing",
        "fork_from_owner_default": None,
        "max_mem_regions": None,
        "net_parameters": None,
    }
    assert abilities.vhost(host, str(tmp_path)) == nothing
    put(f"{tmp_path}/{platform.release()}/modules.dep", "kernel/drivers/vhost/vhost_vsock.ko.xz: x")
    os.makedirs(f"{host.sys}/class/misc/vhost-net")
    put(f"{host.sys}/module/vhost/parameters/fork_from_owner_default", "N")
    put(f"{host.sys}/module/vhost/parameters/max_mem_regions", "64")
    found = abilities.vhost(host, str(tmp_path))
    assert found == {
        "net": "loaded",
        "vsock": "loadable",
        "fork_from_owner_default": False,
        "max_mem_regions": 64,
        "net_parameters": [],
    }


class Modinfo(System):
    """What modinfo would tell of a module that is not loaded."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self.told = parameters

    def parameters(self, name: str) -> dict[str, str]:
        return self.told


def test_parameters_of_vhost_net(host: Host, tmp_path: Path) -> None:
    put(f"{tmp_path}/{platform.release()}/modules.dep", "kernel/drivers/vhost/vhost_net.ko.xz: x")
    told = Modinfo({"experimental_zcopytx": "int"})
    assert abilities.vhost(host, str(tmp_path), told)["net_parameters"] == ["experimental_zcopytx"]
    # One without modinfo tells nothing.
    assert abilities.vhost(host, str(tmp_path), Modinfo({}))["net_parameters"] is None
    put(f"{host.sys}/module/vhost_net/parameters/other", "0")
    assert abilities.vhost(host, str(tmp_path), told)["net_parameters"] == ["other"]


def test_busy_poll(host: Host) -> None:
    put(f"{host.proc}/sys/net/core/busy_poll", "50")
    assert abilities.busy_poll(host) == {"busy_poll_us": 50, "busy_read_us": None}


def test_tracing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    unreadable: list[str] = []
    assert abilities.tracing(host, unreadable) == {"tracepoints": None, "kprobes": False, "btf": False}
    os.makedirs(f"{host.sys}/kernel/debug/tracing/events/kvm/kvm_exit")
    os.makedirs(f"{host.sys}/bus/event_source/devices/kprobe")
    put(f"{host.sys}/kernel/btf/vmlinux")
    assert abilities.tracing(host, unreadable) == {"tracepoints": ["kvm:kvm_exit"], "kprobes": True, "btf": True}
    assert not unreadable

    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert abilities.tracing(host, unreadable)["tracepoints"] is None
    assert unreadable == [f"{host.sys}/kernel/tracing"]
