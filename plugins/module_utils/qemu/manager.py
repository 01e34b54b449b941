# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several VMs at once: compare what is asked with what runs, plan, check, then act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel, checks, console, disks
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition, check_name
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import (
    PAUSED,
    RESUMABLE,
    Instance,
    Limits,
    Observed,
    names,
)

ON_CHANGE = ("restart", "fail", "warn")


@dataclass
class Plan:
    """What will be done, in this order: stops, removals, starts, then stop or cont of virtual CPUs.

    ``waits`` run as asked, but a vhost-user port of theirs has no other end now; it is waited for, nothing is changed.
    ``guests`` are all that shall run afterwards, changed or not.
    """

    stops: list[str] = field(default_factory=list)
    removals: list[str] = field(default_factory=list)
    starts: list[Definition] = field(default_factory=list)
    pauses: list[str] = field(default_factory=list)
    resumes: list[str] = field(default_factory=list)
    waits: list[Definition] = field(default_factory=list)
    guests: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    restart_needed: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    # Found by check().
    qemu: accel.Qemu | None = None
    accelerators: dict[str, accel.Accelerator] = field(default_factory=dict)
    overlays: dict[str, list[disks.Overlay]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stops or self.removals or self.starts or self.pauses or self.resumes)

    def actions(self) -> list[str]:
        """The plan in plain words."""
        return [
            *(f"stop {name}{self._why(name)}" for name in self.stops),
            *(f"remove {name}" for name in self.removals),
            *(self._start(definition) for definition in self.starts),
            *(f"pause {name}" for name in self.pauses),
            *(f"resume {name}" for name in self.resumes),
        ]

    def _start(self, definition: Definition) -> str:
        how = self.accelerators.get(definition.name)
        made = [overlay.path for overlay in self.overlays.get(definition.name, []) if overlay.makes]
        text = f"start {definition.name}" + (f" with {how.used}" if how else "")
        text += ", paused" if definition.name not in self.resumes else ""
        return text + (f", making {', '.join(made)}" if made else "")

    def _why(self, name: str) -> str:
        return f" ({self.reasons[name]})" if name in self.reasons else ""


def plan_present(host: Host, wanted: Sequence[Definition], *, paused: bool, on_change: str) -> Plan:
    """How the wanted VMs come to run (or to be paused) as defined. Those not named are left alone."""
    plan = Plan(guests=[] if paused else [definition.name for definition in wanted])
    for definition in wanted:
        instance = Instance(host, definition.name)
        observed = instance.observe()
        if not observed.running:
            _launch(plan, definition, paused)
            continue
        old = instance.definition()
        differing = ["its definition is lost"] if old is None else definition.differing(old)
        broken = _broken(instance, observed, definition) if not differing else ""
        if differing:
            plan.restart_needed[definition.name] = differing
            text = f"VM {definition.name} runs with another definition (changed: {', '.join(differing)})"
            if on_change == "fail":
                raise VirtperfError(
                    f"{text}, and a restart is not allowed",
                    way_out="on_change: restart, or warn to go on with the VM as it is",
                    restart_needed=plan.restart_needed,
                )
            if on_change == "warn":
                plan.warnings.append(f"{text}; it needs a restart and is left as it is")
                _set_pause(plan, definition.name, observed, paused)
                continue
        if differing or broken:
            plan.reasons[definition.name] = f"changed: {', '.join(differing)}" if differing else broken
            plan.stops.append(definition.name)
            _launch(plan, definition, paused)
            continue
        _set_pause(plan, definition.name, observed, paused)
        if instance.lost_ports(observed, definition):
            plan.waits.append(definition)
    return plan


def _launch(plan: Plan, definition: Definition, paused: bool) -> None:
    plan.starts.append(definition)
    if not paused:
        plan.resumes.append(definition.name)


def _set_pause(plan: Plan, name: str, observed: Observed, paused: bool) -> None:
    if paused and observed.status not in PAUSED:
        plan.pauses.append(name)
    elif not paused and observed.status in RESUMABLE:
        plan.resumes.append(name)


def _broken(instance: Instance, observed: Observed, definition: Definition) -> str:
    """Why a VM that runs as defined has to be started anew, or ""."""
    if observed.status not in RESUMABLE | {"running"}:
        return f"it is {observed.status}"
    for port in instance.lost_ports(observed, definition):
        if port.role == "client" and not port.reconnect:
            return f"its port has lost {port.socket} and does not reconnect"
    return ""


def plan_stopped(host: Host, wanted: Sequence[str] | None) -> Plan:
    """How the named VMs (None: all of ours) come to be stopped; their files and overlays stay."""
    chosen = names(host) if wanted is None else [check_name(name) for name in wanted]
    return Plan(stops=sorted({name for name in chosen if Instance(host, name).is_running()}))


def plan_absent(host: Host, wanted: Sequence[str] | None) -> Plan:
    """How the named VMs (None: all of ours) come to be gone with their files and overlays."""
    chosen = names(host) if wanted is None else [check_name(name) for name in wanted]
    plan = plan_stopped(host, chosen)
    plan.removals = sorted({name for name in chosen if Instance(host, name).exists()})
    return plan


def check(host: Host, wanted: Sequence[Definition], plan: Plan) -> None:
    """Refuse what cannot work, before anything is touched; find out with what and over which disks VMs start."""
    named = {definition.name for definition in wanted}
    others = [Instance(host, name) for name in names(host) if name not in named]
    running = [d for other in others if other.is_running() and (d := other.definition())]
    checks.check_together(wanted, running)
    if not plan.starts:
        return
    plan.qemu = accel.find()
    tried: dict[str, accel.Accelerator] = {}
    for definition in plan.starts:
        name = definition.name
        if definition.accel not in tried:
            tried[definition.accel] = accel.resolve(plan.qemu, definition.accel, name)
        plan.accelerators[name] = tried[definition.accel]
        if definition.vhost_user:
            accel.check_vhost_user(plan.qemu, plan.accelerators[name].used, name)
        replaced = Instance(host, name).definition() if name in plan.stops else None
        checks.check_launch(host, definition, plan.qemu, replaced)
        plan.overlays[name] = disks.plan_overlays(host, definition)
    checks.check_hugepages(host, plan.starts, plan.stops)
    plan.warnings += [how.warning for how in tried.values() if how.warning]


def apply(
    host: Host, journal: Journal, plan: Plan, limits: Limits, ready_s: float, sign: console.Sign | None = None
) -> dict[str, str]:
    """Carry a checked plan out; returns how each VM that was stopped came to its end.

    With ``sign``, this returns when each running guest has given it. When a start fails, or a guest does not get ready,
    what was started by this call is stopped again.
    """
    ended = {name: how for name in plan.stops if (how := Instance(host, name).stop(limits))}
    for name in plan.removals:
        noted = [entry.undo for entry in journal.entries() if entry.resource == "qemu_vm"]
        overlays = [path for undo in noted if undo.get("name") == name for path in undo.get("overlays", ())]
        _remove(host, name, overlays)
    journal.forget("qemu_vm", lambda undo: undo.get("name") in plan.removals)
    started: list[str] = []
    try:
        for definition in plan.starts:
            name = definition.name
            overlays = [overlay for overlay in plan.overlays[name] if overlay.path]
            journal.append("qemu_vm", name=name, overlays=[overlay.path for overlay in overlays])
            started.append(name)
            if plan.qemu is None:
                raise VirtperfError("a plan has to be checked before it is applied")
            Instance(host, name).start(definition, plan.qemu, plan.accelerators[name], plan.overlays[name], ready_s)
        for name in plan.pauses:
            Instance(host, name).tell("stop", PAUSED)
        for name in plan.resumes:
            Instance(host, name).tell("cont", frozenset({"running"}))
        for definition in plan.waits:
            Instance(host, definition.name).wait_connected(definition, ready_s)
        if sign is not None:
            console.wait([Instance(host, name) for name in plan.guests], sign)
    except VirtperfError as error:
        for name in reversed(started):
            Instance(host, name).stop(Limits(powerdown_s=0))
        error.facts.setdefault("stopped", ended)
        raise
    return ended


def _remove(host: Host, name: str, overlays: Sequence[str]) -> None:
    """The files of a VM that has ended, and its overlays: those it is defined with and those a journal names."""
    instance = Instance(host, name)
    definition = instance.definition()
    known = disks.overlay_paths(host, definition) if definition else ()
    disks.remove_overlays(sorted({*known, *overlays}), disks.own_directory(host, name))
    instance.forget()


def undo_vm(host: Host, undo: Mapping[str, Any]) -> str:
    """End the VM that a journal entry names and remove its files. Its guest is not asked: its disks go with it."""
    name = str(undo["name"])
    instance = Instance(host, name)
    overlays = [str(path) for path in undo.get("overlays", ())]
    if not instance.exists() and not disks.remove_overlays(overlays, disks.own_directory(host, name)):
        return ""
    how = instance.stop(Limits(powerdown_s=0))
    _remove(host, name, overlays)
    return f"stopped VM {name} ({how})" if how else f"removed the files of VM {name}"
