# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several testpmds at once: compare what is asked with what runs, plan, check, then act."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import processes
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import memory
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.instance import (
    Instance,
    executable,
    is_inside,
    is_stale,
    names,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal


@dataclass
class Plan:
    """What will be done, in this order: stops, starts, live changes."""

    stops: list[str] = field(default_factory=list)
    starts: list[Definition] = field(default_factory=list)
    changes: list[tuple[Definition, list[str]]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stops or self.starts or self.changes)

    def actions(self) -> list[str]:
        """The plan in plain words."""
        return [
            *(f"stop {name}{self._why(name)}" for name in self.stops),
            *(f"start {definition.name} on CPU {', '.join(map(str, definition.cpus))}" for definition in self.starts),
            *(f"tell {definition.name}: {'; '.join(commands)}" for definition, commands in self.changes),
        ]

    def _why(self, name: str) -> str:
        return f" ({self.reasons[name]})" if name in self.reasons else ""


def plan_started(host: Host, wanted: Sequence[Definition]) -> Plan:
    """How the wanted instances come to run as defined. Those not named are left alone."""
    plan = Plan()
    running = {d.name: i for d in wanted if (i := Instance(host, d.name)).is_running()}
    for definition in wanted:
        if definition.name not in running:
            plan.starts.append(definition)
            if Instance(host, definition.name).definition() is not None:
                # Its files are still there, and its hugepage files hold memory.
                plan.stops.append(definition.name)
                plan.reasons[definition.name] = "it has died"
            continue
        old = running[definition.name].definition()
        if old is None or old.launch_part() != definition.launch_part():
            plan.stops.append(definition.name)
            plan.starts.append(definition)
            plan.reasons[definition.name] = f"changed: {', '.join(_differing(old, definition))}"
        elif commands := definition.commands_from(old):
            plan.changes.append((definition, commands))
    _restart_those_who_lose_their_server(plan, wanted, running)
    # Servers first, so that those who connect find them; the other way round when stopping.
    plan.starts.sort(key=lambda definition: not any(port.serves for port in definition.ports))
    order = [definition.name for definition in plan.starts]
    plan.stops.sort(key=order.index, reverse=True)
    return plan


def plan_stopped(host: Host, wanted: Sequence[str] | None) -> Plan:
    """How the named instances (None: all of ours) come to be gone."""
    present = names(host)
    chosen = present if wanted is None else [name for name in wanted if name in present]

    def serves(name: str) -> bool:
        definition = Instance(host, name).definition()
        return definition is not None and any(port.serves for port in definition.ports)

    return Plan(stops=sorted(chosen, key=serves))


def _differing(old: Definition | None, new: Definition) -> list[str]:
    if old is None:
        return ["its definition is lost"]
    before, after = old.launch_part(), new.launch_part()
    return [key for key in after if before.get(key) != after[key]]


def _restart_those_who_lose_their_server(
    plan: Plan, wanted: Sequence[Definition], running: Mapping[str, Instance]
) -> None:
    restarted = {definition.name for definition in plan.starts}
    sockets = {port.serves for definition in plan.starts for port in definition.ports if port.serves}
    for definition in wanted:
        if definition.name in restarted or definition.name not in running:
            continue
        lost = sockets & {port.connects for port in definition.ports}
        if lost:
            plan.stops.append(definition.name)
            plan.starts.append(definition)
            plan.changes = [change for change in plan.changes if change[0].name != definition.name]
            plan.reasons[definition.name] = f"what serves {lost.pop()} restarts"


def check(host: Host, wanted: Sequence[Definition], plan: Plan, *, allow_overlap: bool) -> None:
    """Refuse what cannot work, before anything is touched."""
    _check_names(wanted)
    if not allow_overlap:
        _check_overlap(host, wanted)
    if not plan.starts:
        return
    executable()
    allowed = processes.allowed_cpus()
    for definition in plan.starts:
        missing = sorted({*definition.cpus, definition.main_cpu} - allowed)
        if missing:
            raise VirtperfError(
                f"testpmd {definition.name} cannot run on CPU {', '.join(map(str, missing))}",
                found=f"this host lets us use {sorted(allowed)}",
                way_out="choose among those",
            )
        for path in filter(None, (port.serves for port in definition.ports)):
            _check_socket(host, path, [*plan.stops, definition.name])
    _check_memory(host, plan)


def _check_names(wanted: Sequence[Definition]) -> None:
    seen: set[str] = set()
    for definition in wanted:
        if definition.name in seen:
            raise VirtperfError(f"two testpmds are named {definition.name}", way_out="give each a name of its own")
        seen.add(definition.name)


def _check_overlap(host: Host, wanted: Sequence[Definition]) -> None:
    users: dict[int, str] = {}
    others = [Instance(host, name) for name in names(host) if name not in {d.name for d in wanted}]
    running = [d for other in others if other.is_running() and (d := other.definition())]
    for definition in [*running, *wanted]:
        for cpu in definition.cpus:
            if cpu in users:
                raise VirtperfError(
                    f"testpmd {users[cpu]} and {definition.name} would both forward on CPU {cpu}",
                    found="two polling loops on one CPU take turns of milliseconds",
                    way_out="give each a CPU of its own, or say allow_overlap: true",
                )
            users[cpu] = definition.name


def _check_socket(host: Host, path: str, ours: Sequence[str]) -> None:
    if not os.path.lexists(path):
        return
    stale = is_stale(path)
    if stale and is_inside(host.run, path):
        return  # a killed run of ours left it in our own directory; a start removes it
    instances = [Instance(host, name) for name in ours]
    definitions = [definition for instance in instances if (definition := instance.definition())]
    if stale and path in {port.serves for definition in definitions for port in definition.ports}:
        return
    owners = [] if stale else _listeners(host, path)
    running = [identity.pid for i in instances if i.is_running() and (identity := i.identity())]
    if owners and set(owners) <= set(running):
        return
    if stale:
        found = "a socket that nobody serves"
    elif stat.S_ISSOCK(os.lstat(path).st_mode):
        names_of = [f"{pid} ({host.read_or(f'{host.proc}/{pid}/comm')})" for pid in owners]
        found = f"process {', '.join(names_of) or 'unknown'} listens there"
    else:
        found = "a file that is no socket"
    raise VirtperfError(
        f"the socket path {path} is taken",
        found=found,
        way_out="stop its owner or remove the file, or choose another path",
    )


def _listeners(host: Host, path: str) -> list[int]:
    """The processes that hold the listening socket at a path, as far as we may see them."""
    inodes = set()
    for line in host.read_or(f"{host.proc}/net/unix").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) > 7 and fields[7] == path:
            inodes.add(f"socket:[{fields[6]}]")
    owners = []
    for pid in host.process_ids():
        directory = f"{host.proc}/{pid}/fd"
        try:
            if any(os.readlink(f"{directory}/{fd}") in inodes for fd in os.listdir(directory)):
                owners.append(pid)
        except OSError:
            continue
    return owners


def _check_memory(host: Host, plan: Plan) -> None:
    for path, node in sorted({(d.huge_dir, d.numa_node) for d in plan.starts}):
        here = [d for d in plan.starts if (d.huge_dir, d.numa_node) == (path, node)]
        # Also what a dead one still holds by its files: they go before it starts again.
        earlier = [Instance(host, name) for name in {*plan.stops, *(d.name for d in plan.starts)}]
        released = [i for i in earlier if (d := i.definition()) and (d.huge_dir, d.numa_node) == (path, node)]
        memory.check(
            host,
            path,
            node,
            sum(d.memory_mib for d in here),
            sum(instance.hugepage_bytes() for instance in released),
            f"testpmd {', '.join(d.name for d in here)}",
        )


def apply(host: Host, journal: Journal, plan: Plan) -> None:
    """Carry a checked plan out; when a start fails, what was started by this call is stopped again."""
    for name in plan.stops:
        Instance(host, name).stop()
        Instance(host, name).forget()
    started: list[str] = []
    try:
        for definition in plan.starts:
            journal.append("testpmd", name=definition.name)
            started.append(definition.name)
            Instance(host, definition.name).start(definition)
        for definition, _commands in plan.changes:
            Instance(host, definition.name).reconfigure(definition)
    except VirtperfError:
        for name in reversed(started):
            Instance(host, name).stop()
        raise


def undo_testpmd(host: Host, undo: Mapping[str, Any]) -> str:
    """Stop the instance that a journal entry names and remove its files."""
    instance = Instance(host, str(undo["name"]))
    if not os.path.isdir(instance.directory):
        return ""
    how = instance.stop()
    instance.forget()
    return f"stopped testpmd {instance.name} ({how})" if how else f"removed the files of testpmd {instance.name}"
