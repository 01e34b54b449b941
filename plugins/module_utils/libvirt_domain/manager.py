# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several domains at once: compare what is asked with what runs, plan, check, then act."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import document
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.daemon import (
    PAUSED,
    RUNNING,
    Daemon,
    Live,
    connected,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.definition import Request, own_directory
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.instance import (
    Instance,
    names,
    process_of,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.pinning import domain as libvirt
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel, console, disks
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import instance as qemu_vm
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import check_name

RESOURCE = "libvirt_domain"


@dataclass
class Plan:
    """What will be done, in this order: stops, removals, starts, resumes. ``guests`` are all that shall run then."""

    stops: list[str] = field(default_factory=list)
    removals: list[str] = field(default_factory=list)
    starts: list[Request] = field(default_factory=list)
    resumes: list[str] = field(default_factory=list)
    guests: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    restart_needed: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    # Found by check().
    accelerators: dict[str, accel.Accelerator] = field(default_factory=dict)
    overlays: dict[str, list[disks.Overlay]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stops or self.removals or self.starts or self.resumes)

    def actions(self) -> list[str]:
        """The plan in plain words."""
        return [
            *(f"stop {name}" + (f" ({self.reasons[name]})" if name in self.reasons else "") for name in self.stops),
            *(f"remove {name}" for name in self.removals),
            *(self._start(request.name) for request in self.starts),
            *(f"resume {name}" for name in self.resumes),
        ]

    def _start(self, name: str) -> str:
        how = self.accelerators.get(name)
        made = [overlay.path for overlay in self.overlays.get(name, []) if overlay.makes]
        text = f"start {name}" + (f" with {how.used}" if how else "")
        return text + (f", making {', '.join(made)}" if made else "")


def plan_started(host: Host, daemon: Daemon, wanted: Sequence[Request], on_change: str) -> Plan:
    """How the wanted domains come to run as asked. Those not named are left alone."""
    plan = Plan(guests=[request.name for request in wanted])
    for request in wanted:
        name, instance = request.name, Instance(host, request.name)
        live = daemon.find(name)
        _check_ours(instance, live)
        if live is None or not live.active:
            plan.starts.append(request)
            continue
        old = instance.asked()
        differing = ["what it was asked to be is lost"] if old is None else request.differing(old)
        status = live.status()
        if differing:
            plan.restart_needed[name] = differing
            text = f"domain {name} runs with another definition (changed: {', '.join(differing)})"
            if on_change == "fail":
                raise VirtperfError(
                    f"{text}, and a restart is not allowed",
                    way_out="on_change: restart, or warn to go on with the domain as it is",
                    restart_needed=plan.restart_needed,
                )
            if on_change == "warn":
                plan.warnings.append(f"{text}; it needs a restart and is left as it is")
        broken = _broken(instance, status)
        if broken or (differing and on_change != "warn"):
            plan.reasons[name] = f"changed: {', '.join(differing)}" if differing else broken
            plan.stops.append(name)
            plan.starts.append(request)
        elif status == PAUSED:
            plan.resumes.append(name)
    return plan


def _broken(instance: Instance, status: str) -> str:
    """Why a domain that runs as asked has to be started anew, or ""."""
    if status not in (RUNNING, PAUSED):
        return f"it is {status}"
    return "" if instance.is_running() else "its start was cut short"


def _check_ours(instance: Instance, live: Live | None) -> None:
    """Refuse the name of what somebody else runs, or runs otherwise."""
    name = instance.name
    if live is not None and live.uuid != instance.uuid():
        raise VirtperfError(
            f"libvirt has a domain {name} already, and it is not ours",
            found=f"UUID {live.uuid}, {'running' if live.active else 'defined'}",
            way_out="give ours another name (vm_name of the guest), or remove that one by hand",
        )
    if live is None and instance.is_running():
        raise VirtperfError(
            f"domain {name} runs, but libvirt does not know it",
            found=f"it was started through {instance.kept().get('uri')}",
            way_out="give the libvirt_uri that it was started with",
        )
    if qemu_vm.Instance(instance.host, name).is_running():
        raise VirtperfError(
            f"{name} runs already, without libvirt",
            found="a VM of the module qemu_vm",
            way_out="remove that one first (guests_state: down, with the guest_manager that it was started with)",
        )


def plan_absent(host: Host, wanted: Sequence[str] | None) -> Plan:
    """How the named domains (None: all of ours) come to be gone with their files and overlays."""
    chosen = sorted(set(names(host) if wanted is None else map(check_name, wanted)))
    there = [name for name in chosen if Instance(host, name).exists()]
    return Plan(stops=[name for name in there if _process(host, name)], removals=there)


def running(host: Host) -> bool:
    """Whether any of ours runs."""
    return any(_process(host, name) for name in names(host))


def _process(host: Host, name: str) -> processes.Identity | None:
    """The process of one of ours that runs, also of one whose start was cut short."""
    instance = Instance(host, name)
    if instance.is_running():
        return instance.identity()
    known = instance.uuid()
    return process_of(host, known) if known else None


def check(host: Host, wanted: Sequence[Request], plan: Plan) -> None:
    """Refuse what cannot work, before anything is touched; find out with what and over which disks domains start."""
    called = [request.name for request in wanted]
    for name in called:
        if called.count(name) > 1:
            raise VirtperfError(f"two domains are named {name}", way_out="give each a name of its own")
    tried: dict[str, accel.Accelerator] = {}
    for request in plan.starts:
        name = request.name
        if request.accel:
            if request.accel not in tried:
                tried[request.accel] = accel.resolve(accel.find(), request.accel, name)
            plan.accelerators[name] = tried[request.accel]
        for ifname in document.prepared_taps(name, request.xml):
            if not os.path.exists(f"{host.sys}/class/net/{ifname}"):
                raise VirtperfError(
                    f"domain {name}: there is no interface {ifname}",
                    found="its XML says managed='no': libvirt does not make it",
                    way_out=f"ip tuntap add {ifname} mode tap, and have it in its bridge",
                )
        for key, path in request.credential_files.items():
            if not (os.path.isfile(path) and os.access(path, os.R_OK)):
                raise VirtperfError(
                    f"domain {name}: credential_files.{key} {path} cannot be read",
                    found="no file, or no permission",
                    way_out="name a file that is there",
                )
        plan.overlays[name] = disks.plan_overlays(host, request)
    plan.warnings += [how.warning for how in tried.values() if how.warning]


def apply(
    host: Host,
    journal: Journal,
    daemon: Daemon | None,
    plan: Plan,
    powerdown_s: float,
    sign: console.Sign | None = None,
) -> dict[str, str]:
    """Carry a checked plan out; returns how each domain that was stopped came to its end.

    With ``sign``, this returns when each running guest has given it. When a start fails, or a guest does not get ready,
    what was started by this call is stopped again. ``daemon`` may be None where nothing runs.
    """
    ended: dict[str, str] = {}
    for name in plan.stops:
        how = daemon.end(Instance(host, name).uuid(), powerdown_s) if daemon else ""
        ended[name] = how or _end_process(host, name)
    noted = [entry.undo for entry in journal.entries() if entry.resource == RESOURCE]
    for name in plan.removals:
        _remove(host, name, [undo for undo in noted if undo.get("name") == name])
    journal.forget(RESOURCE, lambda undo: undo.get("name") in plan.removals)
    started: list[str] = []
    try:
        if daemon is not None:
            for request in plan.starts:
                _start(host, journal, daemon, plan, request, started)
            for name in plan.resumes:
                live = daemon.find(name)
                if live is not None:
                    live.resume()
        if sign is not None:
            console.wait([Instance(host, name) for name in plan.guests], sign)
    except VirtperfError as error:
        for name in reversed(started):
            if daemon is not None:
                daemon.end(Instance(host, name).uuid(), 0)
        error.facts.setdefault("stopped", ended)
        raise
    return ended


def _start(host: Host, journal: Journal, daemon: Daemon, plan: Plan, request: Request, started: list[str]) -> None:
    name, instance = request.name, Instance(host, request.name)
    overlays = plan.overlays[name]
    asked = document.uuid_of(name, request.xml) or str(uuid.uuid4())
    journal.append(
        RESOURCE,
        name=name,
        uuid=asked,
        uri=daemon.uri,
        overlays=[overlay.path for overlay in overlays],
        # libvirt appends to it, and leaves it.
        log="" if os.path.exists(instance.log_path) else instance.log_path,
    )
    started.append(name)
    instance.start(daemon, request, asked, plan.accelerators.get(name), overlays)


def _end_process(host: Host, name: str) -> str:
    identity = _process(host, name)
    return processes.end(host, identity) if identity else ""


def _remove(host: Host, name: str, noted: Sequence[Mapping[str, Any]]) -> None:
    """The files of a domain that has ended: those it was asked with, and those that the journal names."""
    instance = Instance(host, name)
    noted_overlays = {str(path) for undo in noted for path in undo.get("overlays", ())}
    disks.remove_overlays(sorted({*instance.overlays(), *noted_overlays}), own_directory(host, name))
    # One that was there before our first start is not ours.
    if noted and noted[0].get("log"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(str(noted[0]["log"]))
    instance.forget()


def undo_domain(host: Host, undo: Mapping[str, Any]) -> str:
    """End the domain that a journal entry names and remove its files. Its guest is not asked: its disks go with it."""
    name, known = str(undo["name"]), str(undo["uuid"])
    identity = process_of(host, known)
    left = [path for path in (*undo.get("overlays", ()), undo.get("log") or "") if path and os.path.exists(path)]
    if identity is None and not left and not Instance(host, name).exists():
        return ""
    if identity is not None:
        _destroy(str(undo["uri"]), known)
        # Without libvirt, or with one that does not answer.
        processes.end(host, identity)
    _remove(host, name, [undo])
    return f"stopped domain {name}" if identity else f"removed the files of domain {name}"


def _destroy(uri: str, known: str) -> None:
    """Have libvirt end it, by its module or, where this Python has none, by virsh. What is left is the caller's."""
    if libvirt.available():
        with contextlib.suppress(VirtperfError), connected(uri) as daemon:
            daemon.end(known, 0)
    elif shutil.which("virsh"):
        command = ["virsh", "-q", "-c", uri, "destroy", known]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
