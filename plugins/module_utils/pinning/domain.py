# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domains of libvirt's: asked through libvirt's own connection to QEMU, pinned through libvirt where it has a say.

libvirt keeps a cgroup for each vCPU and I/O thread, and a table of pins. Pinned through it, cgroup, table and affinity
agree; pinned past it, the cgroup could refuse, and ``virsh vcpupin`` would tell what is no longer true.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning.request import EMULATOR, IOTHREAD, VCPU

_MISSING = "install Debian's python3-libvirt, and run the task with ansible_python_interpreter=/usr/bin/python3"
_NOT_THERE = (
    "install Debian's libvirt-daemon-system, start libvirtd or virtqemud (systemctl start libvirtd), or give another "
    "libvirt_uri"
)


class Domain:
    """A running domain."""

    def __init__(self, domain: Any, api: Any, qemu_api: Any) -> None:
        self.domain = domain
        self._api = api
        self._qemu_api = qemu_api
        self.name = str(domain.name())
        self.uuid = str(domain.UUIDString())

    def ask(self, command: str) -> Any:
        """A query of QMP's; libvirt marks the domain as tainted by a custom monitor command, and no more than that."""
        with told(self._api, f"domain {self.name}: {command}"):
            text = self._qemu_api.qemuMonitorCommand(self.domain, json.dumps({"execute": command}), 0)
        answer = json.loads(text)
        if "return" not in answer:
            raise VirtperfError(f"domain {self.name}: QEMU refuses {command}", found=str(answer.get("error")))
        return answer["return"]

    def pins(self, role: str, which: str) -> list[int] | None:
        """The CPUs in libvirt's table; None for what it has no entry of."""
        with told(self._api, f"domain {self.name}: its pins"):
            if role == VCPU:
                table = dict(enumerate(self.domain.vcpuPinInfo(self._api.VIR_DOMAIN_AFFECT_LIVE)))
            elif role == EMULATOR:
                table = {0: self.domain.emulatorPinInfo(self._api.VIR_DOMAIN_AFFECT_LIVE)}
            else:
                table = {entry[0]: entry[1] for entry in self.domain.ioThreadInfo(self._api.VIR_DOMAIN_AFFECT_LIVE)}
        flags = table.get(_number(role, which))
        return None if flags is None else [cpu for cpu, pinned in enumerate(flags) if pinned]

    def pin(self, role: str, which: str, cpus: Sequence[int]) -> None:
        """Have libvirt pin a thread, or the emulator's threads, until the domain ends."""
        flags = tuple(cpu in cpus for cpu in range(max(cpus) + 1))
        live = self._api.VIR_DOMAIN_AFFECT_LIVE
        with told(self._api, f"domain {self.name}: libvirt does not pin {role} {which}".rstrip()):
            if role == VCPU:
                self.domain.pinVcpuFlags(int(which), flags, live)
            elif role == EMULATOR:
                self.domain.pinEmulator(flags, live)
            else:
                self.domain.pinIOThread(_number(role, which), flags, live)


def _number(role: str, which: str) -> int:
    """What libvirt counts by: the vCPU's number, and of an I/O thread the number after its name."""
    return int((which[len("iothread") :] if role == IOTHREAD else which) or 0)


@contextlib.contextmanager
def connect(uri: str) -> Iterator[Any]:
    """A connection, with ``find`` to look up domains by name or UUID."""
    with opened(uri) as (connection, api, qemu_api):
        yield lambda name: _find(connection, api, qemu_api, name)


@contextlib.contextmanager
def opened(uri: str) -> Iterator[tuple[Any, Any, Any]]:
    """A connection, and the two modules of libvirt's that go with it."""
    api, qemu_api = _import()
    # libvirt prints every failure to standard error besides raising it.
    api.registerErrorHandler(lambda _context, _error: None, None)
    with told(api, f"libvirt at {uri} cannot be reached", _NOT_THERE):
        connection = api.open(uri)
    try:
        yield connection, api, qemu_api
    finally:
        connection.close()


def _find(connection: Any, api: Any, qemu_api: Any, name: str) -> Domain:
    domains = {}
    with told(api, "libvirt does not list its domains"):
        for domain in connection.listAllDomains():
            domains[domain.name()] = domains[domain.UUIDString()] = domain
        domain = domains.get(name)
        if domain is None:
            raise VirtperfError(
                f"libvirt has no domain {name!r}",
                found=", ".join(sorted({one.name() for one in domains.values()})) or "none",
                way_out="give its name or UUID, and libvirt_uri if it is another connection's",
            )
        if not domain.isActive():
            raise VirtperfError(
                f"domain {name} is not running", way_out=f"virsh start {name}: only threads that exist can be pinned"
            )
    return Domain(domain, api, qemu_api)


def _import() -> tuple[Any, Any]:
    try:
        return importlib.import_module("libvirt"), importlib.import_module("libvirt_qemu")
    except ImportError as error:
        raise VirtperfError(
            "libvirt's Python module is missing from the Python that runs this task", found=str(error), way_out=_MISSING
        ) from error


def available() -> bool:
    """Whether this Python has libvirt's module."""
    return importlib.util.find_spec("libvirt_qemu") is not None


def pin_with_virsh(uri: str, uuid: str, pins: Sequence[tuple[str, str, str]]) -> None:
    """The same as Domain.pin, for (role, which, CPUs as a list), where Python cannot."""
    for role, which, cpus in pins:
        number = [] if role == EMULATOR else [str(_number(role, which))]
        command = ["virsh", "-c", uri, f"{role}pin", uuid, *number, cpus, "--live"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except FileNotFoundError as error:
            raise VirtperfError(
                f"domain {uuid} cannot be pinned: neither libvirt's Python module nor virsh is there", way_out=_MISSING
            ) from error
        if done.returncode:
            raise VirtperfError(f"{' '.join(command)} failed", found=done.stderr.strip(), way_out=_MISSING)


@contextlib.contextmanager
def told(api: Any, what: str, way_out: str = "") -> Iterator[None]:
    """libvirt's failures as ours."""
    try:
        yield
    except api.libvirtError as error:
        raise VirtperfError(what, found=str(error), way_out=way_out) from error
