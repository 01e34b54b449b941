# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One VM by name: its files, what QEMU says of it, its start and its end."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import is_stale
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host, write_atomically
from ansible_collections.virtperf.vhost.plugins.module_utils.kept_process import KeptProcess
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import disks, macvtap, qmp, seed
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.accel import Accelerator, Qemu
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.command import Launch, command, credential_names
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import (
    Definition,
    Tap,
    UserNet,
    VhostUser,
    parse,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.terminal import plain

_ANSWER_PATIENCE_S = 3.0
_POLL_S = 0.02
_LOG_LINES = 12
# In "info network" each queue pair of a backend is a line of its own; QMP has no query for it.
_NETDEV = re.compile(r"\bnet-([a-z]+[0-9]+): index=\d+,type=")
# What QEMU logs while it waits for one of its sockets, and does nothing else.
_WAITS = re.compile(r"Unable to connect character device|QEMU waiting for connection on")

# What QMP's status is to us; what is not here is told as QEMU tells it.
PAUSED = frozenset({"paused", "prelaunch"})
# The guest can go on from these with "cont".
RESUMABLE = PAUSED | {"io-error"}
# The process is there, and the guest will not go on.
BROKEN = frozenset({"internal-error", "guest-panicked"})
# Not a word of QMP's: the process runs and does not answer.
SILENT = "silent"
STOPPED = "stopped"


@dataclass(frozen=True)
class Limits:
    """How long each way of stopping is given, in s; 0 leaves a way out (but for the last one)."""

    powerdown_s: float = 30.0
    quit_s: float = 5.0
    kill_s: float = 5.0


@dataclass(frozen=True)
class Observed:
    """A VM at one moment. ``connected`` and ``queues`` are by the port's key, as QEMU tells them."""

    status: str
    connected: Mapping[str, bool] = field(default_factory=dict)
    queues: Mapping[str, int] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.status != STOPPED

    @property
    def state(self) -> str:
        """``running``, ``paused``, ``stopped``, or QEMU's own word for another one."""
        return "paused" if self.status in PAUSED else self.status


class Instance(KeptProcess):
    """A VM by name. Its files live in ``<run>/qemu/<name>/``:

    ``process.json`` (identity), ``definition.json`` and ``launch.json`` (what it was started from and with),
    ``qmp.sock`` (mode 0600), ``serial.log`` (the guest's console), ``qemu.log``, ``credential<n>``, and ``seed/``
    (cloud-init's).
    """

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host, "qemu", name, title=f"VM {name}", log="qemu.log")
        self.qmp_path = os.path.join(self.directory, "qmp.sock")
        self.serial_path = os.path.join(self.directory, "serial.log")
        self._definition_path = os.path.join(self.directory, "definition.json")
        self._launch_path = os.path.join(self.directory, "launch.json")

    # -- what is there -------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether anything of it is there."""
        return os.path.isdir(self.directory) or os.path.isdir(disks.own_directory(self.host, self.name))

    def definition(self) -> Definition | None:
        """What it was started from; None when nothing was, or another version of this collection wrote it."""
        try:
            return parse(json.loads(self.host.read(self._definition_path)))
        except (OSError, ValueError, TypeError, AttributeError, VirtperfError):
            return None

    def launch_record(self) -> dict[str, Any]:
        """The command line, accelerator and version of its last start."""
        try:
            record = json.loads(self.host.read(self._launch_path))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def observe(self) -> Observed:
        """Ask QEMU."""
        if not self.is_running():
            return Observed(STOPPED)
        try:
            with qmp.connected(self.qmp_path, _ANSWER_PATIENCE_S) as client:
                return _ask(client)
        except VirtperfError:
            return Observed(SILENT if self.is_running() else STOPPED)

    def console_end(self) -> str:
        """The end of what the guest has printed; "" before its first word."""
        return end_of(self.host.read_or(self.serial_path))

    def log_end(self) -> str:
        """The end of QEMU's log, then that of the guest's console."""
        ends = [end_of(self.log()), self.console_end()]
        return ends[0] + (f"\n-- the guest's console:\n{ends[1]}" if ends[1] else "")

    def lost_ports(self, observed: Observed, definition: Definition) -> list[VhostUser]:
        """The vhost-user ports whose socket has nobody at its other end."""
        return [
            port.backend
            for port in definition.ports()
            if isinstance(port.backend, VhostUser) and not observed.connected.get(port.key, False)
        ]

    # -- changes -------------------------------------------------------------------------------------------------

    def start(
        self, definition: Definition, qemu: Qemu, accel: Accelerator, overlays: list[disks.Overlay], ready_s: float
    ) -> None:
        """Launch with its CPUs stopped and wait until it is ready; what then fails is ended again."""
        self.host.private_directory(self.directory)
        self._clear()
        with macvtap.opened(self.host, definition) as opened:
            paths = tuple(overlay.path for overlay in overlays)
            words = command(definition, Launch(qemu.path, qemu.version, accel.used, self.directory, paths, opened))
            disks.make_overlays(self.host, overlays)
            self._write_credentials(definition)
            if definition.cloud_init is not None:
                seed.write(self.host, definition.cloud_init, os.path.join(self.directory, seed.DIRECTORY))
            write_atomically(self._definition_path, json.dumps(definition.as_dict()))
            record = {"command": words, "accel": accel.__dict__, "version": qemu.version_text}
            write_atomically(self._launch_path, json.dumps(record))
            # QEMU has no option for its sockets' mode.
            child = self.launch(words, pass_fds=[fd for fds in opened.values() for fd in fds], umask=0o177)
        try:
            self._wait_ready(child, definition, time.monotonic() + ready_s, ready_s)
        except BaseException:
            self.stop(Limits(powerdown_s=0, quit_s=0))
            self._remove_sockets()
            raise

    def _write_credentials(self, definition: Definition) -> None:
        for number, name in enumerate(credential_names(definition)):
            if name in definition.credentials:
                value = definition.credentials[name].encode("utf-8", "surrogateescape")
            else:
                with open(definition.credential_files[name], "rb") as file:
                    value = file.read()
            text = f"io.systemd.credential.binary:{name}={base64.b64encode(value).decode()}"
            write_atomically(os.path.join(self.directory, f"credential{number}"), text)

    def _wait_ready(self, child: subprocess.Popen[bytes], definition: Definition, limit: float, ready_s: float) -> None:
        """QMP answers, and every vhost-user port is connected with the queues asked for.

        QEMU waits for its vhost-user ports before it says its first word, so that both mostly come at once.
        """
        with contextlib.ExitStack() as stack:
            client: qmp.Qmp | None = None
            while True:
                if child.poll() is not None:
                    raise self.died_at_start(child)
                try:
                    if client is None:
                        candidate = stack.enter_context(qmp.Qmp(self.qmp_path, _ANSWER_PATIENCE_S))
                        candidate.connect()
                        client = candidate
                    client.greet(_POLL_S)
                    observed = _ask(client)
                    if not self.lost_ports(observed, definition):
                        break
                except qmp.Silent:
                    pass
                except qmp.QmpError:
                    client = None  # not there yet, or dying: the next look at the process tells
                if time.monotonic() > limit:
                    raise self._not_ready(definition, ready_s)
                time.sleep(_POLL_S)
        self._check_queues(observed, definition)

    def _not_ready(self, definition: Definition, ready_s: float) -> VirtperfError:
        ports = [port for port in definition.ports() if isinstance(port.backend, VhostUser)]
        sockets = [port.backend.socket for port in ports if isinstance(port.backend, VhostUser)]
        waits = [line for line in self.log().splitlines() if _WAITS.search(line)]
        # QEMU takes them one after the other; the last line names the one it stands at.
        blocked = [socket for socket in sockets if waits and socket in waits[-1]] or sockets
        what = f"nobody is at the other end of {', '.join(blocked)}" if blocked else "QMP does not answer"
        return VirtperfError(
            f"VM {self.name} is not ready after {ready_s:g} s: {what}",
            found=f"the end of its log is:\n{self.log_end()}",
            way_out="start what serves (or connects to) the socket first, or give ready_timeout a higher value"
            if blocked
            else f"see {self.log_path}, or give ready_timeout a higher value",
            log_end=self.log_end(),
            sockets=blocked,
        )

    def _check_queues(self, observed: Observed, definition: Definition) -> None:
        for port in definition.ports():
            found = observed.queues.get(port.key, 0)
            if not isinstance(port.backend, UserNet) and found != port.queues:
                raise VirtperfError(
                    f"VM {self.name}: port {port.key} does not have the queues asked for",
                    found=f"{found} of {port.queues}",
                    way_out="ask for as many as its other end has",
                )

    def wait_connected(self, definition: Definition, ready_s: float) -> None:
        """Wait for a running VM's vhost-user ports to be connected again."""
        limit = time.monotonic() + ready_s
        while self.lost_ports(observed := self.observe(), definition):
            if not observed.running:
                raise self.died()
            if time.monotonic() > limit:
                lost = [port.socket for port in self.lost_ports(observed, definition)]
                raise VirtperfError(
                    f"VM {self.name}: nobody is at the other end of {', '.join(lost)} after {ready_s:g} s",
                    found=f"QEMU is {observed.status}, and says that they are disconnected",
                    way_out="start what serves (or connects to) the socket",
                    sockets=lost,
                )
            time.sleep(_POLL_S)

    def tell(self, name: str, status: frozenset[str]) -> None:
        """Send ``cont`` or ``stop`` and see that it worked."""
        with qmp.connected(self.qmp_path, _ANSWER_PATIENCE_S) as client:
            client.execute(name)
            limit = time.monotonic() + _ANSWER_PATIENCE_S
            while (found := client.execute("query-status")["status"]) not in status:
                if time.monotonic() > limit:
                    raise VirtperfError(
                        f"VM {self.name}: {name!r} did not work",
                        found=f"it is {found}",
                        way_out=f"see {self.log_path} and {self.serial_path}",
                        log_end=self.log_end(),
                    )
                time.sleep(_POLL_S)

    def stop(self, limits: Limits) -> str:
        """Power down, quit, kill, each with its limit; returns which one worked, "" when it did not run."""
        identity = self.identity()
        if identity is None or not processes.is_running(self.host, identity):
            return ""
        ways = (("powerdown", "system_powerdown", limits.powerdown_s), ("quit", "quit", limits.quit_s))
        for how, order, limit_s in ways:
            if limit_s and self._order(order, limit_s) and processes.wait_gone(self.host, identity, limit_s):
                return how
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, signal.SIGKILL)
        if not processes.wait_gone(self.host, identity, limits.kill_s):
            raise VirtperfError(
                f"VM {self.name}: process {identity.pid} survives SIGKILL",
                found=self.host.read_or(f"{self.host.proc}/{identity.pid}/stat"),
                way_out="it is stuck in the kernel (see /proc/<pid>/stack); only a reboot ends it",
            )
        self._remove_sockets()
        return "kill"

    def _order(self, order: str, limit_s: float) -> bool:
        """Give an order over QMP; whether its effect is worth waiting for."""
        given = False
        with (
            contextlib.suppress(VirtperfError),
            qmp.connected(self.qmp_path, min(limit_s, _ANSWER_PATIENCE_S)) as client,
        ):
            # A guest whose CPUs stand still never sees the button.
            if order == "system_powerdown" and client.execute("query-status")["status"] != "running":
                return False
            given = True  # QEMU may be gone before it answers
            client.execute(order)
        return given or not self.is_running()

    def forget(self) -> None:
        """Remove the files of a VM that has ended, all but its overlays."""
        self._clear()
        shutil.rmtree(self.directory, ignore_errors=True)
        for emptied in (os.path.dirname(self.directory), self.host.run):
            with contextlib.suppress(OSError):
                os.rmdir(emptied)

    def _clear(self) -> None:
        """Remove what a killed process of this name left behind: QEMU itself removes its sockets."""
        self._remove_sockets()
        if os.path.isdir(self.directory):
            shutil.rmtree(os.path.join(self.directory, seed.DIRECTORY), ignore_errors=True)
            for name in os.listdir(self.directory):
                os.unlink(os.path.join(self.directory, name))

    def _remove_sockets(self) -> None:
        definition = self.definition()
        for port in definition.vhost_user if definition else ():
            if port.role == "server" and is_stale(port.socket):
                os.unlink(port.socket)

    def facts(self) -> dict[str, Any]:
        """For the module's result."""
        definition, record, identity, observed = (
            self.definition(),
            self.launch_record(),
            self.identity(),
            self.observe(),
        )
        accel = record.get("accel") or {}
        return {
            "name": self.name,
            "state": observed.state,
            "pid": identity.pid if identity and observed.running else None,
            "accel": accel.get("used"),
            "accel_reason": accel.get("reason"),
            "qemu_version": record.get("version"),
            "command": record.get("command", []),
            "definition": definition.public() if definition else {},
            "ports": [_port_facts(port, observed) for port in definition.ports()] if definition else [],
            "overlays": [path for path in disks.overlay_paths(self.host, definition) if path] if definition else [],
            "qmp": self.qmp_path,
            "serial_log": self.serial_path,
            "log": self.log_path,
        }


def _port_facts(port: Any, observed: Observed) -> dict[str, Any]:
    backend = port.backend
    facts = {"id": port.key, "mac": port.mac, "pci": port.pci, "queues": observed.queues.get(port.key)}
    if isinstance(backend, VhostUser):
        facts.update(kind="vhost-user", socket=backend.socket, connected=observed.connected.get(port.key, False))
    elif isinstance(backend, Tap):
        facts.update(kind="macvtap" if backend.macvtap else "tap", ifname=backend.ifname)
    else:
        facts.update(kind="user", forwards=[dict(forward.__dict__) for forward in backend.forwards])
    return facts


def _ask(client: qmp.Qmp) -> Observed:
    # "frontend-open" only says that QEMU uses the device; whether its socket has another end is in the file name.
    chardevs = {device["label"]: str(device["filename"]) for device in client.execute("query-chardev")}
    text = str(client.execute("human-monitor-command", command_line="info network"))
    netdevs = _NETDEV.findall(text)
    return Observed(
        status=str(client.execute("query-status")["status"]),
        connected={
            label[len("chr-") :]: not name.startswith("disconnected:")
            for label, name in chardevs.items()
            if label.startswith("chr-")
        },
        queues={key: netdevs.count(key) for key in netdevs},
    )


def end_of(log: str) -> str:
    """The last lines of a log, without what only a terminal understands."""
    lines = [line.rstrip() for line in plain(log).splitlines() if line.strip()]
    return "\n".join(lines[-_LOG_LINES:])


def names(host: Host) -> list[str]:
    """The names under which a VM was started here and not removed; after a boot of the host overlays tell them."""
    found: set[str] = set()
    for directory in (host.run, host.state):
        with contextlib.suppress(FileNotFoundError):
            found.update(os.listdir(os.path.join(directory, "qemu")))
    return sorted(found)
