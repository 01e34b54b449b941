# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A libvirt that is made of objects, and the host on which it runs domains: processes that are files only."""

from __future__ import annotations

import contextlib
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import instance
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.daemon import Daemon, connected
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.qemu.fake_qemu import Lab, installed

URI = "qemu:///system"
XML = """
<domain type='qemu'>
  <memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><target dev='vda' bus='virtio'/></disk>
    <interface type='ethernet'><mac address='52:54:00:00:00:01'/><target dev='tap0' managed='no'/></interface>
    <serial type='file'/>
  </devices>
</domain>
"""
CAPABILITIES = """
<capabilities><host>
  <secmodel><model>apparmor</model></secmodel><secmodel><model>dac</model></secmodel>
</host></capabilities>
"""
# Beyond what a kernel gives out: nothing real is ever signalled.
_FIRST_PID = 5_000_000


class FakeError(Exception):
    """libvirtError."""


class FakeDomain:
    """virDomain."""

    def __init__(self, libvirtd: Libvirtd, root: ET.Element, pid: int) -> None:
        self.libvirtd, self.root, self.pid = libvirtd, root, pid
        self.number = 1
        self.obeys = False

    def name(self) -> str:
        return self.root.findtext("name") or ""

    def UUIDString(self) -> str:
        return self.root.findtext("uuid") or ""

    def isActive(self) -> bool:
        return bool(self.pid)

    def state(self) -> list[int]:
        return [self.number, 0]

    def XMLDesc(self) -> str:
        return ET.tostring(self.root, encoding="unicode")

    def resume(self) -> None:
        self.number = 1

    def shutdown(self) -> None:
        if self.obeys:
            self.libvirtd.end(self)

    def destroy(self) -> None:
        if self not in self.libvirtd.domains:
            raise FakeError("Domain not found")
        self.libvirtd.end(self)


class Libvirtd:
    """Its domains. ``refuses`` is what it says to the next start, ``dies`` has the next one end at once."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.directory = lab.directory
        self.host = Host(str(lab.directory / "proc"), lab.host.sys, lab.host.run, lab.host.state)
        self.logs = lab.directory / "logs"
        self.logs.mkdir()
        (lab.directory / "sys/class/net/tap0").mkdir(parents=True)
        self.domains: list[FakeDomain] = []
        self.refuses = ""
        self.dies = False
        self.there = True
        self._put("sys/kernel/random/boot_id", "boot\n")

    def open(self, uri: str) -> Any:
        if not self.there or uri != URI:
            raise FakeError("Failed to connect socket")
        return SimpleNamespace(
            listAllDomains=lambda: list(self.domains),
            getCapabilities=lambda: CAPABILITIES,
            createXML=self.create,
            close=lambda: None,
        )

    def create(self, xml: str, flags: int) -> FakeDomain:
        """Start a transient domain."""
        assert flags == 16, "validated"
        root = ET.fromstring(xml)
        name = root.findtext("name")
        (self.logs / f"{name}.log").write_text("qemu: starting\n")
        if self.refuses:
            raise FakeError(self.refuses)
        pid = _FIRST_PID + len(list((self.directory / "proc").iterdir())) + len(self.domains)
        domain = FakeDomain(self, root, pid)
        serial = root.find("devices/serial/source")
        assert serial is not None
        Path(serial.get("path", "")).write_text("Linux version 6\n")
        if not self.dies:
            words = ["/usr/bin/qemu-system-x86_64", "-name", f"guest={name}", "-uuid", domain.UUIDString()]
            self._put(f"{pid}/cmdline", "\0".join([*words, "-mon", "chardev=m,id=charmonitor"]) + "\0")
            self._put(f"{pid}/stat", f"{pid} (qemu) S " + " ".join(["0"] * 18) + f" {pid}")
            self.domains.append(domain)
        return domain

    def end(self, domain: FakeDomain) -> None:
        """Its process ends, and libvirt forgets it."""
        shutil.rmtree(self.directory / "proc" / str(domain.pid))
        self.domains.remove(domain)

    def somebody_s(self, name: str, *, running: bool = True) -> FakeDomain:
        """A domain that is not ours."""
        root = ET.fromstring(f"<domain><name>{name}</name><uuid>theirs</uuid></domain>")
        domain = FakeDomain(self, root, 1 if running else 0)
        self.domains.append(domain)
        return domain

    def request(self, name: str = "guest", xml: str = XML, **more: Any) -> dict[str, Any]:
        """What the module takes, with an overlay."""
        return {"name": name, "xml": xml, "disks": [{"target": "vda", "base": self.lab.base()}], **more}

    def left(self) -> list[str]:
        """Files of ours, and libvirt's logs."""
        places = (Path(self.host.run), Path(self.host.state), self.logs)
        return sorted(path.name for place in places for path in place.rglob("*") if path.is_file())

    def _put(self, path: str, text: str) -> None:
        file = self.directory / "proc" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@contextlib.contextmanager
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Libvirtd]:
    """A host with it."""
    with installed(monkeypatch) as lab:
        libvirtd = Libvirtd(lab)
        api = SimpleNamespace(
            libvirtError=FakeError,
            open=libvirtd.open,
            registerErrorHandler=lambda *_: None,
            VIR_DOMAIN_START_VALIDATE=16,
            __spec__=SimpleNamespace(),
        )
        monkeypatch.setitem(sys.modules, "libvirt", api)
        monkeypatch.setitem(sys.modules, "libvirt_qemu", SimpleNamespace(__spec__=SimpleNamespace()))
        monkeypatch.setattr(instance, "LOGS", str(libvirtd.logs))
        yield libvirtd


@contextlib.contextmanager
def daemon() -> Iterator[Daemon]:
    """A connection to it."""
    with connected(URI) as connection:
        yield connection
