# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a domain shall be: the XML asked for, and what its host has to find for it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import document
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import parse_size
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import ACCELERATORS, Disk, check_name

# How systemd names its credentials.
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,254}")
_TARGET = re.compile(r"[a-z]{2,3}[a-z0-9]*")


@dataclass(frozen=True)
class Request:
    """A domain. Any change to it needs a new process.

    ``accel`` is "" where the XML's own type counts. ``targets`` are the names that the XML has for ``disks``, in their
    order.
    """

    name: str
    xml: str
    overlay_dir: str
    accel: str = ""
    targets: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    credential_files: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For the state file."""
        return asdict(self)

    def digest(self) -> str:
        """One definition is told from another by it."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"

    def differing(self, other: Request) -> list[str]:
        """What differs in another one; of the XML, the elements."""
        found = [key.name for key in fields(self) if getattr(self, key.name) != getattr(other, key.name)]
        if "xml" not in found:
            return found
        elements = document.differing(self.name, self.xml, other.xml)
        return [*(f"xml: {path}" for path in elements), *(name for name in found if name != "xml")]


def own_directory(host: Host, name: str) -> str:
    """Where the overlays of a domain are unless it is asked otherwise."""
    return os.path.join(host.state, "libvirt", name)


def parse(host: Host, raw: Mapping[str, Any]) -> Request:
    """A validated request from module arguments; VirtperfError names the domain and what is wrong."""
    name = check_name(raw.get("name", ""))
    if not raw.get("xml"):
        raise _wrong(name, "xml", "nothing", "give the domain's XML")
    accel = raw.get("accel") or ""
    if accel and accel not in ACCELERATORS:
        raise _wrong(name, "accel", repr(accel), f"one of {', '.join(ACCELERATORS)}")
    given: Sequence[Mapping[str, Any]] = raw.get("disks") or ()
    targets = tuple(str(disk["target"]) for disk in given)
    for target in targets:
        if not _TARGET.fullmatch(target) or targets.count(target) > 1:
            raise _wrong(name, "disks", f"target {target!r}", "give each disk the name that the XML has, such as vda")
    request = Request(
        name=name,
        xml=str(raw["xml"]),
        overlay_dir=_path(name, "overlay_dir", raw.get("overlay_dir") or own_directory(host, name)),
        accel=accel,
        targets=targets,
        disks=tuple(_disk(name, disk) for disk in given),
        credential_files=_credential_files(name, raw.get("credential_files") or {}),
    )
    document.check(name, request.xml, targets)
    return request


def read(kept: Mapping[str, Any]) -> Request:
    """A request from a state file; KeyError or TypeError when another version of this collection wrote it."""
    disks = tuple(Disk(**disk) for disk in kept["disks"])
    return Request(**{**kept, "targets": tuple(kept["targets"]), "disks": disks})


def _disk(name: str, raw: Mapping[str, Any]) -> Disk:
    disk = Disk(_path(name, "disks.base", str(raw["base"])), min_free=str(raw.get("min_free") or Disk.min_free))
    try:
        parse_size(disk.min_free)
    except VirtperfError as error:
        raise _wrong(name, "disks.min_free", repr(disk.min_free), error.way_out) from error
    return disk


def _credential_files(name: str, raw: Mapping[str, Any]) -> dict[str, str]:
    for key in raw:
        if not _CREDENTIAL.fullmatch(str(key)):
            raise _wrong(name, "credential_files", repr(key), "systemd's credentials have names such as network.hosts")
    return {str(key): _path(name, f"credential_files.{key}", str(raw[key])) for key in sorted(raw, key=str)}


def _path(name: str, key: str, value: str) -> str:
    if not os.path.isabs(value):
        raise _wrong(name, key, repr(value), "give an absolute path")
    return value


def _wrong(name: str, key: str, found: str, way_out: str) -> VirtperfError:
    return VirtperfError(f"domain {name}: {key} is not usable", found=found, way_out=way_out)
