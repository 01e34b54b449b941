# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One domain of ours by name: its files, its process, its start and its end."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, write_atomically
from ansible_collections.virtperf.vhost.plugins.module_utils.kept_process import KeptProcess
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.daemon import Daemon
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.definition import (
    Request,
    own_directory,
    read,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.document import Additions, completed
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import disks
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.accel import Accelerator
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import STOPPED, Observed, end_of
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost import vms

# Where libvirt logs what a domain was started with and what its QEMU says.
LOGS = "/var/log/libvirt/qemu"
PLACE = "libvirt"


class Instance(KeptProcess):
    """A domain by name. Its files live in ``<run>/libvirt/<name>/``:

    ``domain.json`` (what was asked for, and its UUID), ``process.json`` (identity), ``serial.log`` (the guest's
    console), ``credential<n>``.
    """

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host, PLACE, name, title=f"domain {name}")
        self.log_path = os.path.join(LOGS, f"{name}.log")
        self.serial_path = os.path.join(self.directory, "serial.log")
        self._kept_path = os.path.join(self.directory, "domain.json")

    # -- what is there -------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether anything of it is there."""
        return os.path.isdir(self.directory) or os.path.isdir(own_directory(self.host, self.name))

    def kept(self) -> dict[str, Any]:
        """What was kept of its last start: uuid, uri, accel, reason, and what was asked for."""
        try:
            kept = json.loads(self.host.read(self._kept_path))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def asked(self) -> Request | None:
        """What it was started from; None when nothing was, or another version of this collection wrote it."""
        try:
            return read(self.kept()["asked"])
        except (KeyError, TypeError, AttributeError):
            return None

    def uuid(self) -> str:
        """By which libvirt knows it, or ""."""
        return str(self.kept().get("uuid", ""))

    def observe(self) -> Observed:
        """Whether it runs: libvirt knows more, and the console is waited for without asking it."""
        return Observed("running" if self.is_running() else STOPPED)

    def console_end(self) -> str:
        """The end of what the guest has printed; "" before its first word."""
        return end_of(self.host.read_or(self.serial_path))

    def log_end(self) -> str:
        """The end of libvirt's log of it, then that of the guest's console."""
        ends = [end_of(self.log()), self.console_end()]
        return ends[0] + (f"\n-- the guest's console:\n{ends[1]}" if ends[1] else "")

    def overlays(self) -> list[str]:
        """The overlays of its disks."""
        asked = self.asked()
        return list(disks.overlay_paths(self.host, asked)) if asked else []

    def facts(self, daemon: Daemon | None) -> dict[str, Any]:
        """For the module's result. Without a connection nothing of it runs."""
        kept, asked, identity = self.kept(), self.asked(), self.identity()
        live = daemon.find(self.uuid()) if daemon and self.uuid() else None
        running = live is not None and live.active
        return {
            "name": self.name,
            "uuid": self.uuid() or None,
            "state": live.status() if live and running else STOPPED,
            "pid": identity.pid if identity and running else None,
            "accel": kept.get("accel"),
            "accel_reason": kept.get("reason"),
            "definition": asked.digest() if asked else None,
            "taps": live.taps() if live and running else [],
            "overlays": self.overlays(),
            "serial_log": self.serial_path,
            "log": self.log_path,
        }

    # -- changes -------------------------------------------------------------------------------------------------

    def start(
        self, daemon: Daemon, request: Request, uuid: str, accel: Accelerator | None, overlays: list[disks.Overlay]
    ) -> None:
        """Have libvirt start it, and find its process."""
        self.host.private_directory(self.directory)
        self._clear()
        disks.make_overlays(self.host, overlays)
        used = accel.used if accel else ""
        additions = Additions(
            self.name,
            uuid,
            self.serial_path,
            used,
            {target: overlay.path for target, overlay in zip(request.targets, overlays)},
            self._write_credentials(request.credential_files),
            daemon.security_models(),
        )
        kept = {"uuid": uuid, "uri": daemon.uri, "accel": used or None, "reason": accel.reason if accel else None}
        write_atomically(self._kept_path, json.dumps({**kept, "asked": request.as_dict()}))
        try:
            daemon.create(self.name, completed(request.xml, additions))
            self._keep_identity(uuid)
        except VirtperfError as error:
            end = self.log_end()
            found = f"{error.found}; the end of {self.log_path} is:\n{end}" if end else error.found
            raise VirtperfError(error.what, found=found, way_out=error.way_out, log_end=end) from error

    def _keep_identity(self, uuid: str) -> None:
        identity = process_of(self.host, uuid)
        if identity is None:
            raise VirtperfError(
                f"domain {self.name} has ended right after its start",
                found=f"no QEMU process with UUID {uuid}",
                way_out="its console or its log says why",
            )
        write_atomically(self._process_path, json.dumps(identity.as_dict()))

    def _write_credentials(self, files: Mapping[str, str]) -> list[str]:
        """As QEMU takes them for SMBIOS, in files of ours alone."""
        written = []
        for number, name in enumerate(sorted(files)):
            with open(files[name], "rb") as file:
                value = base64.b64encode(file.read()).decode()
            written.append(os.path.join(self.directory, f"credential{number}"))
            write_atomically(written[-1], f"io.systemd.credential.binary:{name}={value}")
        return written

    def forget(self) -> None:
        """Remove the files of a domain that has ended, all but its overlays and libvirt's log."""
        shutil.rmtree(self.directory, ignore_errors=True)
        for emptied in (os.path.dirname(self.directory), self.host.run):
            with contextlib.suppress(OSError):
                os.rmdir(emptied)

    def _clear(self) -> None:
        for name in os.listdir(self.directory):
            os.unlink(os.path.join(self.directory, name))


def process_of(host: Host, uuid: str) -> processes.Identity | None:
    """The QEMU process of a domain; None when it has ended."""
    return next((vm.identity for vm in vms.find(host) if vm.manager == vms.LIBVIRT and vm.uuid == uuid), None)


def names(host: Host) -> list[str]:
    """The names under which a domain was started here and not removed; after a boot of the host overlays tell them."""
    found: set[str] = set()
    for directory in (host.run, host.state):
        with contextlib.suppress(FileNotFoundError):
            found.update(os.listdir(os.path.join(directory, PLACE)))
    return sorted(found)
