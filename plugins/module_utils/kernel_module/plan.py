# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to have modules with parameters, and what is against it: found before anything is touched."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module import state
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.state import Module
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.system import System
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_values import as_shown, same, text_of

_NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_VALUE = re.compile(r"[^\s\"]*")
# A process that has just ended may be seen in the count a little longer than in /proc.
_SETTLE_S = 1.0


@dataclass(frozen=True)
class Request:
    """A module and the parameters that it shall have; those not named are left as they are."""

    name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """A request beside what was found. ``foreseen`` are the asked parameters as the kernel is going to show them."""

    request: Request
    before: Module
    foreseen: Mapping[str, str]

    @property
    def different(self) -> dict[str, str]:
        """Parameters to be changed in a module that is there, and their new values."""
        now = self.before.parameters
        return {
            name: value
            for name, value in self.request.parameters.items()
            if self.before.loaded and not same(value, now[name].value)
        }

    @property
    def needs_reload(self) -> bool:
        """Whether one of them is taken at load time only."""
        return any(not self.before.parameters[name].writable for name in self.different)


@dataclass(frozen=True)
class Load:
    """A module to load, and all that is loaded by that, in order."""

    name: str
    parameters: Mapping[str, str]
    loads: tuple[str, ...]


@dataclass(frozen=True)
class Reload:
    """Modules to unload, each after its holders, and to load again the other way round.

    ``before`` are all parameters of theirs, ``changes`` those that shall be others afterwards.
    """

    order: tuple[str, ...]
    before: Mapping[str, Mapping[str, str]]
    changes: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Plan:
    """All that is to be done, in this order."""

    wanted: Sequence[Wanted]
    writes: Sequence[Wanted] = ()
    reload: Reload | None = None
    loads: Sequence[Load] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.writes or self.reload or self.loads)

    def changed(self, wanted: Wanted) -> bool:
        """Whether one of the modules asked for is loaded, or gets another parameter."""
        return not wanted.before.loaded or bool(wanted.different)

    def describe(self) -> list[str]:
        """The changes in plain words."""
        actions = [f"set {_changes(item.before.values(), item.request.name, item.different)}" for item in self.writes]
        if self.reload:
            changed = [
                _changes(self.reload.before[name], name, values)
                for name, values in self.reload.changes.items()
                if values
            ]
            actions.append(f"reload {', '.join(reversed(self.reload.order))}: {', '.join(changed)}")
        for load in self.loads:
            words = "".join(f" {name}={value}" for name, value in load.parameters.items())
            others = [name for name in load.loads if name != load.name]
            actions.append(f"load {load.name}{words}" + (f", and with it {', '.join(others)}" if others else ""))
        return actions


def _changes(before: Mapping[str, str], module: str, values: Mapping[str, str]) -> str:
    return ", ".join(f"{module} {name} from {before[name]} to {value}" for name, value in values.items())


def parse(asked: Sequence[Mapping[str, Any]]) -> list[Request]:
    """The requests of a playbook; VirtperfError for what cannot be one."""
    requests: list[Request] = []
    for item in asked:
        name = state.canonical(str(item["name"]))
        parameters = {str(key): text_of(value) for key, value in (item.get("parameters") or {}).items()}
        wrong = [word for word in (name, *parameters) if not _NAME.fullmatch(word)]
        wrong += [value for value in parameters.values() if not _VALUE.fullmatch(value)]
        if wrong:
            raise VirtperfError(
                f"{wrong[0]!r} is no name or value of a module's",
                way_out="name modules and parameters as /sys/module has them; values have no blanks and no quotes",
                module=name,
            )
        if name in (request.name for request in requests):
            raise VirtperfError(f"the module {name} is asked for twice", way_out="list each module once", module=name)
        requests.append(Request(name, parameters))
    return requests


def make(host: Host, system: System, requests: Sequence[Request]) -> Plan:
    """What is to be done; VirtperfError, with nothing touched, where something is against it."""
    wanted = [_look(host, system, request) for request in requests]
    reload = plan_reload(
        host, system, {item.request.name: item.different for item in wanted if item.different and item.needs_reload}
    )
    writes = [item for item in wanted if item.different and not item.needs_reload]
    loads = _plan_loads(host, system, [item for item in wanted if not item.before.loaded])
    if reload or loads:
        check_open(host)
    return Plan(wanted, writes, reload, loads)


def _look(host: Host, system: System, request: Request) -> Wanted:
    """VirtperfError for a module or a parameter that does not exist, and for one that can never be had."""
    name = request.name
    module = state.read(host, system, name)
    if not module.loaded:
        _check_exists(host, system, name)
    shown = module.values()
    types = {} if set(request.parameters) <= set(shown) else system.parameters(name)
    unknown = [key for key in request.parameters if key not in shown and key not in types]
    if unknown:
        raise VirtperfError(
            f"the module {name} has no parameter {', '.join(unknown)}",
            found=f"parameters {', '.join(sorted({*shown, *types})) or 'none'}",
            way_out="name one that it has on this kernel",
            module=name,
            parameters=sorted({*shown, *types}),
        )
    hidden = [key for key in request.parameters if module.loaded and key not in shown]
    if hidden:
        raise VirtperfError(
            f"the kernel does not show the parameter {', '.join(hidden)} of {name}: nobody can tell what it is",
            way_out="set it where modprobe finds it (/etc/modprobe.d), or on the kernel's command line",
            module=name,
        )
    likes = {key: shown.get(key, "N" if types.get(key) == "bool" else "0") for key in request.parameters}
    found = Wanted(request, module, {key: as_shown(value, likes[key]) for key, value in request.parameters.items()})
    if module.built_in and found.needs_reload:
        fixed = [key for key in found.different if not module.parameters[key].writable]
        raise VirtperfError(
            f"{name} is built into the kernel, and its {', '.join(fixed)} cannot be changed while that runs",
            found=", ".join(f"{key}={shown[key]}" for key in fixed),
            way_out=f"boot with {' '.join(f'{name}.{key}={found.different[key]}' for key in fixed)} on the kernel's"
            " command line",
            module=name,
        )
    return found


def _check_exists(host: Host, system: System, name: str) -> None:
    release = host.read_or(f"{host.proc}/sys/kernel/osrelease", "of unknown release")
    if not system.has(name):
        raise VirtperfError(
            f"there is no module {name}",
            found=f"kernel {release}, neither loaded nor built in nor among its modules",
            way_out="see whether the name is right, or install the package with this kernel's modules"
            " (and kmod, which has modprobe)",
            module=name,
        )
    needed = system.needed(name)
    if name not in needed:
        raise VirtperfError(
            f"{name} is no module by this name",
            found=f"modprobe would load {needed[-1] if needed else 'nothing'} for it",
            way_out="name the module as /proc/modules does",
            module=name,
        )


def _plan_loads(host: Host, system: System, missing: Sequence[Wanted]) -> list[Load]:
    """One that another needs is loaded before it, so that it gets its own parameters."""
    requests = {item.request.name: item.request for item in missing}
    needed = {name: system.needed(name) for name in requests}
    loaded = set(state.lines(host))
    plans = []
    for name in dict.fromkeys(other for each in requests for other in needed[each] if other in requests):
        loads = tuple(other for other in needed[name] if other not in loaded)
        loaded.update(loads)
        plans.append(Load(name, requests[name].parameters, loads))
    return plans


def plan_reload(host: Host, system: System, changes: Mapping[str, Mapping[str, str]]) -> Reload | None:
    """How to have these parameters; VirtperfError while somebody uses one of the modules that have to go for it."""
    if not changes:
        return None
    known = state.lines(host)
    order = state.holders_first(known, list(changes))
    check_unused(host, system, order, why=f"for {', '.join(changes)} takes the parameter when it is loaded only")
    before = {name: state.read(host, system, name).values() for name in order}
    return Reload(tuple(order), before, {name: changes[name] for name in order if name in changes})


def check_open(host: Host) -> None:
    """VirtperfError on a host whose kernel takes and gives no modules any more."""
    if host.read_or(f"{host.proc}/sys/kernel/modules_disabled") == "1":
        raise VirtperfError(
            "this kernel loads no modules any more",
            found="kernel.modules_disabled is 1",
            way_out="have them loaded before it is set, which takes a reboot",
        )


def check_unused(host: Host, system: System, names: Sequence[str], *, why: str) -> None:
    """VirtperfError that says who has these modules, all of which shall be unloaded, each after its holders."""
    known = state.lines(host)
    for name in names:
        line = known.get(name)
        if line is None:
            continue
        obstacle, way_out = "", "end what uses it, then run again"
        if line.references is None:
            obstacle, way_out = "this kernel cannot unload modules", "set the parameter at boot"
        elif line.permanent:
            obstacle, way_out = "it cannot be unloaded", "set the parameter at boot"
        elif line.state != "Live":
            obstacle, way_out = f"it is {line.state.lower()}", "run again when that has ended"
        elif others := [holder for holder in line.holders if holder not in names]:
            obstacle = f"{', '.join(others)} {'need' if len(others) > 1 else 'needs'} it"
        elif line.users:
            obstacle = _who(host, system, name)
        if obstacle:
            raise VirtperfError(
                f"the module {name} must be unloaded, {why}, and cannot be",
                found=obstacle,
                way_out=way_out,
                module=name,
                users=state.users(host, system, name),
            )


def _who(host: Host, system: System, name: str) -> str:
    """Who uses a module, in words; "" when nobody does any more."""
    limit = time.monotonic() + _SETTLE_S
    while (line := state.lines(host).get(name)) and line.users:
        who = state.users(host, system, name)
        if who:
            return ", ".join(who)
        if time.monotonic() > limit:
            return f"{line.users} use it, no process that can be seen from here"
        time.sleep(0.02)
    return ""
