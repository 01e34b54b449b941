# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look, plan, check, change, read back, undo, on a VM that is a directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import pinner
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.checks import Policy
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import parse
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.scheduler import Setting
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.pinning.fake_vm import PID, FakeVm

ALL = tuple(range(8))
LAYOUT: dict[str, Any] = {
    "vcpus": [{"vcpu": 0, "cpus": "1"}, {"vcpu": 1, "cpus": "2", "policy": "fifo", "priority": 4}],
    "emulator": {"cpus": "0"},
}


@pytest.fixture
def vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeVm:
    vm = FakeVm(tmp_path)
    for tid in (100, 101, 102, 103, 104):
        vm.cgroup(tid, "/", "0-7")
    monkeypatch.setattr(pinner, "connected", lambda _path: contextlib.nullcontext(SimpleNamespace(execute=vm.ask)))
    monkeypatch.setattr(pinner, "Scheduler", lambda: vm.scheduler)
    return vm


def pin(vm: FakeVm, *, check: bool = False, **wishes: Any) -> dict[str, Any]:
    requests = parse([{"name": "vm", "qmp": "/q", **(wishes or LAYOUT)}])
    return pinner.ensure(vm.host, requests, Policy(), run_id="run-1", check_mode=check)


def undo_all(vm: FakeVm) -> list[str]:
    return [pinner.undo_pins(vm.host, entry.undo) for entry in reversed(Journal(vm.host).entries())]


def test_predicted_done_idempotent(vm: FakeVm) -> None:
    predicted = pin(vm, check=True)
    assert vm.scheduler.calls == []
    assert not Journal(vm.host).entries()
    done = pin(vm)
    assert predicted == done
    assert done["changed"]
    assert vm.scheduler.settings[104] == Setting((2,), "fifo", 4)
    assert vm.scheduler.settings[102] == Setting(ALL), "unset is not zero"
    calls = len(vm.scheduler.calls)
    again = pin(vm)
    assert (again["changed"], again["actions"], again["diff"]) == (False, [], {})
    assert [t["cpus"] for t in again["vms"][0]["threads"]] == ["1", "2", "0-7", "0", "0"]
    assert len(vm.scheduler.calls) == calls
    assert [(entry.resource, entry.run_id) for entry in Journal(vm.host).entries()] == [("vcpu_pin", "run-1")]


class TestUndo:
    def test_all_as_it_was(self, vm: FakeVm) -> None:
        before = dict(vm.scheduler.settings)
        pin(vm)
        pin(vm, vcpus=[{"vcpu": 0, "cpus": "6"}])
        assert undo_all(vm) == [
            "put 1 threads of VM vm (pid 100) back on their CPUs",
            "put 4 threads of VM vm (pid 100) back on their CPUs",
        ]
        assert vm.scheduler.settings == before
        undo_all(vm)
        assert vm.scheduler.settings == before, "twice is as good as once"

    def test_threads_started_since_have_inherited_the_pins(self, vm: FakeVm) -> None:
        pin(vm)
        vm.thread(110, "worker")
        vm.scheduler.settings[110] = Setting((0,))
        vm.thread(111, "worker")
        vm.scheduler.settings[111] = Setting((5,))
        undo_all(vm)
        assert vm.scheduler.settings[110] == Setting(ALL)
        assert vm.scheduler.settings[111] == Setting((5,)), "somebody else's wish"

    def test_a_later_process_of_the_same_pid_is_not_touched(self, vm: FakeVm) -> None:
        pin(vm)
        vm.process(PID, start=501)
        calls = len(vm.scheduler.calls)
        assert undo_all(vm) == [""]
        assert len(vm.scheduler.calls) == calls

    def test_a_later_thread_of_the_same_id_is_not_touched(self, vm: FakeVm) -> None:
        pin(vm)
        stat = vm.root / f"proc/{PID}/task/103/stat"
        stat.write_text(stat.read_text().replace(" 103 0 0", " 777 0 0"))
        undo_all(vm)
        assert vm.scheduler.settings[103] == Setting((1,))
        assert vm.scheduler.settings[104] == Setting(ALL)


class TestFailure:
    def test_the_kernel_grants_less(self, vm: FakeVm) -> None:
        before = dict(vm.scheduler.settings)
        vm.scheduler.grants[104] = {0, 2, *ALL[3:]}
        vm.scheduler.settings[104] = before[104] = Setting((0, 2, *ALL[3:]))
        with pytest.raises(VirtperfError, match=r"vCPU 1, thread 104: asked for 1-2, the kernel granted 2; everything"):
            pin(vm, vcpus=[{"vcpu": 0, "cpus": "1"}, {"vcpu": 1, "cpus": "1-2"}])
        assert vm.scheduler.settings == before
        assert not Journal(vm.host).entries()

    def test_the_kernel_refuses(self, vm: FakeVm) -> None:
        vm.scheduler.refuses[104] = OSError(22, "Invalid argument")
        with pytest.raises(VirtperfError, match=r"the kernel refuses 2; .*Invalid argument; it has 0-7.*cpuset"):
            pin(vm, vcpus=[{"vcpu": 0, "cpus": "1"}, {"vcpu": 1, "cpus": "2"}])
        assert vm.scheduler.settings[103] == Setting(ALL)

    def test_a_thread_that_ends_meanwhile(self, vm: FakeVm, monkeypatch: pytest.MonkeyPatch) -> None:
        append = Journal.append

        def ends(journal: Journal, resource: str, **undo: Any) -> None:
            append(journal, resource, **undo)
            del vm.scheduler.settings[101]
            (vm.root / f"proc/{PID}/task/101/stat").unlink()

        monkeypatch.setattr(Journal, "append", ends)
        assert pin(vm)["changed"]
        assert vm.scheduler.settings[100] == Setting((0,))

    def test_nothing_is_touched_when_something_is_wrong(self, vm: FakeVm) -> None:
        with pytest.raises(VirtperfError, match="no such CPU"):
            pin(vm, vcpus=[{"vcpu": 0, "cpus": "1"}, {"vcpu": 1, "cpus": "9"}])
        assert vm.scheduler.calls == []

    def test_one_vm_under_two_names(self, vm: FakeVm) -> None:
        requests = parse([{"name": name, "qmp": "/q", "emulator": {"cpus": "0"}} for name in ("a", "b")])
        with pytest.raises(VirtperfError, match="a and b are the same VM"):
            pinner.ensure(vm.host, requests, Policy())


class FakeDomain:
    """A domain whose table of pins can be read."""

    uuid = "8d1"

    def __init__(self, vm: FakeVm) -> None:
        self.ask = vm.ask
        self.table: dict[tuple[str, str], list[int]] = {}

    def pins(self, role: str, which: str) -> list[int]:
        return self.table.get((role, which), list(ALL))

    def pin(self, role: str, which: str, cpus: tuple[int, ...]) -> None:
        self.table[(role, which)] = list(cpus)


class TestLibvirt:
    @pytest.fixture
    def domain(self, vm: FakeVm, monkeypatch: pytest.MonkeyPatch) -> FakeDomain:
        domain = FakeDomain(vm)

        @contextlib.contextmanager
        def connect(_uri: str) -> Iterator[Any]:
            yield lambda _name: domain

        monkeypatch.setattr(pinner.libvirt_domain, "connect", connect)
        monkeypatch.setattr(pinner.libvirt_domain, "available", lambda: True)
        return domain

    def pin(self, host: Host, **wishes: Any) -> dict[str, Any]:
        return pinner.ensure(host, parse([{"domain": "d", **(wishes or LAYOUT)}]), Policy())

    def test_it_knows_and_forgets(self, vm: FakeVm, domain: FakeDomain) -> None:
        self.pin(vm.host)
        assert domain.table == {("vcpu", "0"): [1], ("vcpu", "1"): [2], ("emulator", ""): [0]}
        undo_all(vm)
        assert set(map(tuple, domain.table.values())) == {ALL}
        assert vm.scheduler.settings[103] == Setting(ALL)

    def test_a_policy_alone_is_none_of_its_business(self, vm: FakeVm, domain: FakeDomain) -> None:
        self.pin(vm.host, vcpus=[{"vcpu": 0, "policy": "batch"}])
        assert domain.table == {}

    def test_virsh_restores_where_python_cannot(
        self, vm: FakeVm, domain: FakeDomain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Any] = []
        self.pin(vm.host, vcpus=LAYOUT["vcpus"])
        monkeypatch.setattr(pinner.libvirt_domain, "available", lambda: False)
        monkeypatch.setattr(pinner.libvirt_domain, "pin_with_virsh", lambda *given: asked.append(given))
        undo_all(vm)
        assert asked == [("qemu:///system", "8d1", [("vcpu", "0", "0-7"), ("vcpu", "1", "0-7")])]
