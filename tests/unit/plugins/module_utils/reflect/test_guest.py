# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM between both ends: booted once for what it can serve, and gone with what it held. Nothing is started here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import parse
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.far_end.connection import Answer
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import Thread, identify
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.manager import Plan
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect import guest as guest_module
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.guest import GuestSide
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.launch import FarEnd, GuestPart, Image, Launch

IMAGE = Image("/img/disk.raw", "/img/vmlinux", "/img/initrd", "root=/dev/vda", {"name": "img"})
PORT = {"socket": "/run/v.sock", "queues": 1}


class FakeConnection:
    """Takes down what is asked of a guest."""

    made: list[FakeConnection]

    def __init__(self, access: Any) -> None:
        self.access = access
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.closed = False
        self.is_over = False
        FakeConnection.made.append(self)

    def open(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def ask(self, order: str, **arguments: Any) -> Answer:
        self.calls.append((order, arguments))
        return Answer("", 0.0, 0.0, 0.0)

    def call(self, order: str, **arguments: Any) -> Any:
        return self.ask(order, **arguments).result


@pytest.fixture
def boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Definition]:
    """The VMs that were started. A started one is this very process, which surely runs."""
    started: list[Definition] = []
    FakeConnection.made = []

    def apply(host: Host, _journal: Any, plan: Plan, *_limits: Any) -> dict[str, str]:
        for name in plan.removals:
            Instance(host, name).forget()
        for definition in plan.starts:
            started.append(definition)
            instance = Instance(host, definition.name)
            host.private_directory(instance.directory)
            identity = identify(host, os.getpid())
            Path(instance.directory, "process.json").write_text(json.dumps(identity.as_dict()))
            Path(instance.directory, "definition.json").write_text(json.dumps(definition.as_dict()))
            Path(instance.directory, "launch.json").write_text('{"accel": {"used": "tcg", "reason": "no kvm"}}')
        return {}

    monkeypatch.setattr(guest_module.manager, "apply", apply)
    monkeypatch.setattr(guest_module.manager, "check", lambda *_arguments: None)
    monkeypatch.setattr(guest_module, "Connection", FakeConnection)
    monkeypatch.setattr(guest_module, "wait", lambda *_arguments: 1.0)
    threads = [
        {"tid": 4711, "role": "vcpu", "id": "0", "cpus": "0"},
        {"tid": 4712, "role": "vcpu", "id": "1", "cpus": "1"},
        {"tid": 4710, "role": "emulator", "id": "", "cpus": "0"},
    ]
    pinned = {"vms": [{"name": "reflect", "pid": os.getpid(), "threads": threads}], "warnings": ["shared"]}
    monkeypatch.setattr(guest_module.pinner, "ensure", lambda *_arguments, **_more: pinned)
    return started


@pytest.fixture
def side(tmp_path: Path, boots: list[Definition]) -> GuestSide:
    return GuestSide(Host(run=str(tmp_path / "r"), state=str(tmp_path / "s")), "run-1", IMAGE, 30.0)


def launch(
    driver: str = "igb_uio", queues: int = 1, kind: str = "testpmd", mode: str = "io"
) -> tuple[Launch, GuestPart]:
    port = {"device": "net_vhost0", "options": {"iface": "/run/v.sock"}}
    vswitch = parse({"name": "vswitch", "cpus": [1], "ports": [port], "huge_dir": "/h", "forward_mode": mode})
    vm = {
        "name": "reflect",
        "vcpus": 2,
        "memory": {"size": "512MiB", "share": True},
        "vhost_user": [{"socket": "/run/v.sock", "queues": queues}],
    }
    pages = 0 if kind == "kernel" else 64
    part = GuestPart(vm, driver, ("0000:00:11.0",), pages, {"emulator": {"cpus": "0"}})
    return Launch(vswitch, FarEnd(kind, "generator", (1,), {"name": "generator"}), [], part), part


def orders() -> list[str]:
    return [order for order, _arguments in FakeConnection.made[-1].calls]


def test_the_vm_gets_what_the_way_in_needs(side: GuestSide, boots: list[Definition]) -> None:
    side.bring_up(*launch())
    (vm,) = boots
    assert [disk.base for disk in vm.disks] == ["/img/disk.raw"]
    assert (vm.kernel, vm.initrd, vm.append) == ("/img/vmlinux", "/img/initrd", "root=/dev/vda")
    assert vm.credentials["ssh.authorized_keys.root"].startswith("ssh-ed25519 ")
    assert os.stat(vm.credential_files["ssh.host_key.ed25519"]).st_mode & 0o777 == 0o600
    assert vm.ports()[0].mac in vm.credentials["network.network.05-lab0"]
    access = FakeConnection.made[0].access
    assert vm.user_net is not None
    assert (access.guest, access.port) == ("reflect", vm.user_net.forwards[0].host_port)


def test_one_boot_serves_all_drivers(side: GuestSide, boots: list[Definition]) -> None:
    for driver in ("uio_pci_generic", "igb_uio"):
        side.bring_up(*launch(driver))
    assert len(boots) == 1
    assert [arguments["driver"] for order, arguments in FakeConnection.made[0].calls if order == "bind"] == [
        "uio_pci_generic",
        "igb_uio",
    ]
    # The end on the first driver is stopped before its function is taken from it.
    assert orders() == ["hugepages", "bind", "end", "do", "bind", "end"]


def test_other_queues_are_another_vm(side: GuestSide, boots: list[Definition]) -> None:
    side.bring_up(*launch())
    side.bring_up(*launch(queues=2))
    assert [vm.vhost_user[0].queues for vm in boots] == [1, 2]
    assert FakeConnection.made[0].closed


def test_the_kernel_needs_no_hugepages(side: GuestSide) -> None:
    side.bring_up(*launch("virtio-net", kind="kernel"))
    assert orders() == ["bind", "end"]


def test_who_reflects_begins_at_once(side: GuestSide) -> None:
    side.bring_up(*launch(mode="flowgen"))
    order, arguments = FakeConnection.made[0].calls[-1]
    assert (order, arguments["method"], arguments["arguments"]["forwarding"]) == ("do", "offer", True)


def test_records_get_accelerator_pins_and_warnings(side: GuestSide) -> None:
    side.bring_up(*launch())
    facts = side.facts()
    assert (facts["accel"], facts["accel_reason"]) == ("tcg", "no kvm")
    assert facts["pins"][:2] == [{"thread": "vcpu 0", "cpus": "0"}, {"thread": "vcpu 1", "cpus": "1"}]
    assert facts["warnings"] == ["shared"]
    assert facts["image"] == {"name": "img"}


def test_the_end_s_cpu_is_that_of_its_vcpus_threads_here(side: GuestSide, monkeypatch: pytest.MonkeyPatch) -> None:
    end = side.bring_up(*launch())
    found = [Thread(4711, "CPU 0/TCG", "0", 1.0), Thread(4712, "CPU 1/TCG", "1", 2.5)]
    monkeypatch.setattr(guest_module, "threads", lambda _host, pid: found if pid == os.getpid() else [])
    assert end.cpu_seconds() == {4712: 2.5}


def test_removing_hangs_up_and_ends_the_vm(side: GuestSide) -> None:
    side.bring_up(*launch())
    side.remove()
    assert FakeConnection.made[0].closed
    assert not Instance(side.host, "reflect").exists()
    side.remove()


def test_a_vm_that_died_leaves_its_console(side: GuestSide) -> None:
    end = side.bring_up(*launch())
    instance = Instance(side.host, "reflect")
    Path(instance.serial_path).write_text("Kernel panic - not syncing")
    Path(instance.directory, "process.json").unlink()
    assert not end.is_running()
    assert "VM reflect has died" in str(end.died())
    assert "Kernel panic" in dict(side.logs_of_the_dead())["vm-reflect"]


def test_a_vm_that_hung_up_is_seen_to_its_end(side: GuestSide, monkeypatch: pytest.MonkeyPatch) -> None:
    end = side.bring_up(*launch())
    FakeConnection.made[0].is_over = True
    process = Path(Instance(side.host, "reflect").directory, "process.json")
    monkeypatch.setattr(guest_module.time, "sleep", lambda _seconds: process.unlink())
    assert "VM reflect has died" in str(end.died())


def test_without_an_image_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(VirtperfError, match="needs an image"):
        GuestSide(Host(run=str(tmp_path), state=str(tmp_path)), "run-1", None, 1.0).bring_up(*launch())
