# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt's side, with a libvirt that is made of objects."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import domain as libvirt_domain
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.domain import connect, pin_with_virsh


class FakeError(Exception):
    """libvirtError."""


class FakeDomain:
    """virDomain."""

    def __init__(self, name: str, *, active: bool = True) -> None:
        self._name, self._active = name, active
        self.pinned: list[Any] = []

    def name(self) -> str:
        return self._name

    def UUIDString(self) -> str:
        return f"uuid-{self._name}"

    def isActive(self) -> bool:
        return self._active

    def vcpuPinInfo(self, _flags: int) -> list[tuple[bool, ...]]:
        return [(True, True), (False, True)]

    def emulatorPinInfo(self, _flags: int) -> tuple[bool, ...]:
        return (True, False)

    def ioThreadInfo(self, _flags: int) -> list[Any]:
        return [[1, [True, False]]]

    def pinVcpuFlags(self, *given: Any) -> None:
        self.pinned.append(given)

    def pinEmulator(self, *given: Any) -> None:
        self.pinned.append(given)

    def pinIOThread(self, *given: Any) -> None:
        raise FakeError("out of range")


@pytest.fixture
def domains(monkeypatch: pytest.MonkeyPatch) -> list[FakeDomain]:
    domains = [FakeDomain("on"), FakeDomain("off", active=False)]

    def open_it(uri: str) -> Any:
        if uri != "qemu:///system":
            raise FakeError("no such socket")
        return SimpleNamespace(listAllDomains=lambda: domains, close=lambda: None)

    api = SimpleNamespace(
        libvirtError=FakeError, open=open_it, registerErrorHandler=lambda *_: None, VIR_DOMAIN_AFFECT_LIVE=1
    )

    def command(_domain: Any, text: str, _flags: int) -> str:
        name = json.loads(text)["execute"]
        return json.dumps({"return": [name]} if name.startswith("query") else {"error": {"desc": "no"}})

    monkeypatch.setitem(sys.modules, "libvirt", api)
    monkeypatch.setitem(sys.modules, "libvirt_qemu", SimpleNamespace(qemuMonitorCommand=command))
    return domains


@pytest.mark.parametrize("name", ["on", "uuid-on"])
def test_found_asked_and_pinned(domains: list[FakeDomain], name: str) -> None:
    with connect("qemu:///system") as find:
        domain = find(name)
        assert (domain.name, domain.uuid) == ("on", "uuid-on")
        assert domain.ask("query-iothreads") == ["query-iothreads"]
        assert (domain.pins("vcpu", "1"), domain.pins("vcpu", "7")) == ([1], None)
        assert (domain.pins("emulator", ""), domain.pins("iothread", "iothread1")) == ([0], [0])
        domain.pin("vcpu", "1", (0, 2))
        domain.pin("emulator", "", (1,))
    assert domains[0].pinned == [(1, (True, False, True), 1), ((False, True), 1)]


@pytest.mark.parametrize(
    ("name", "message"), [("gone", r"no domain 'gone' .found: off, on"), ("off", "domain off is not running")]
)
def test_not_to_be_had(domains: list[FakeDomain], name: str, message: str) -> None:
    with connect("qemu:///system") as find, pytest.raises(VirtperfError, match=message):
        find(name)


def test_failures_are_told(domains: list[FakeDomain]) -> None:
    with connect("qemu:///system") as find:
        with pytest.raises(VirtperfError, match=r"does not pin iothread iothread9 .found: out of range"):
            find("on").pin("iothread", "iothread9", (0,))
        with pytest.raises(VirtperfError, match="QEMU refuses stop"):
            find("on").ask("stop")
    with pytest.raises(VirtperfError, match="libvirt at test:///x cannot be reached"), connect("test:///x"):
        pass


def test_without_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    with pytest.raises(VirtperfError, match=r"python3-libvirt.*/usr/bin/python3"), connect("qemu:///system"):
        pass


class TestVirsh:
    def test_what_it_is_called_with(self, monkeypatch: pytest.MonkeyPatch) -> None:
        called: list[list[str]] = []

        def run(command: list[str], **_: Any) -> Any:
            called.append(command)
            return SimpleNamespace(returncode=len(called) // 3, stderr="no\n")

        monkeypatch.setattr(libvirt_domain.subprocess, "run", run)
        pin_with_virsh("u", "id", [("emulator", "", "0-1"), ("vcpu", "3", "2")])
        with pytest.raises(VirtperfError, match=r"iothreadpin id 2 1 --live failed .found: no"):
            pin_with_virsh("u", "id", [("iothread", "iothread2", "1")])
        assert called[:2] == [
            ["virsh", "-c", "u", "emulatorpin", "id", "0-1", "--live"],
            ["virsh", "-c", "u", "vcpupin", "id", "3", "2", "--live"],
        ]

    def test_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
            raise FileNotFoundError

        monkeypatch.setattr(libvirt_domain.subprocess, "run", run)
        with pytest.raises(VirtperfError, match="neither libvirt's Python module nor virsh"):
            pin_with_virsh("u", "id", [("vcpu", "0", "1")])
