# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of the kernel, loaded with parameters: observed, planned, changed with a way back, and undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Entry, Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module import plan as planning
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module import state
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.plan import Load, Plan, Reload, Wanted
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_module.system import SYSTEM, System
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_values import same
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id
from ansible_collections.virtperf.vhost.plugins.module_utils.steps import Step, all_or_nothing

RESOURCE = "kernel_module"


def ensure(
    host: Host,
    modules: Sequence[Mapping[str, Any]],
    *,
    run_id: str = "",
    check_mode: bool = False,
    system: System = SYSTEM,
) -> dict[str, Any]:
    """Have ``modules`` ({name, parameters}) loaded, and return the module's result."""
    plan = planning.make(host, system, planning.parse(modules))
    if not check_mode and plan.changes:
        journal = Journal(host, run_id)
        all_or_nothing(journal, _steps(host, journal, system, plan))
        _forget_detour(host, journal, system)
    after = [
        {
            "name": item.request.name,
            "loaded": True,
            "built_in": item.before.built_in,
            "changed": plan.changed(item),
            "parameters": _foreseen(item) if check_mode else state.read(host, system, item.request.name).values(),
        }
        for item in plan.wanted
    ]
    return {
        "changed": plan.changes,
        "actions": plan.describe(),
        "modules": after,
        "diff": {
            "before": {
                item.request.name: _told(item, item.before.values(), item.before.loaded) for item in plan.wanted
            },
            "after": {item.request.name: _told(item, _foreseen(item), True) for item in plan.wanted},
        },
    }


def _foreseen(item: Wanted) -> dict[str, str]:
    """All parameters of a module that is loaded, those asked for of one that is not."""
    now = item.before.values()
    changed = {name: value for name, value in item.foreseen.items() if name not in now or name in item.different}
    return {**now, **changed}


def _told(item: Wanted, values: Mapping[str, str], loaded: bool) -> str:
    """One side of the difference."""
    words = [f"{name}={values[name]}" for name in item.request.parameters if name in values]
    return " ".join(["loaded" if loaded else "not loaded", *words])


# Apply


def _steps(host: Host, journal: Journal, system: System, plan: Plan) -> list[Step]:
    steps = [_write_step(host, journal, system, item) for item in plan.writes]
    if plan.reload:
        steps.append(_reload_step(host, journal, system, plan.reload))
    return steps + [_load_step(host, journal, system, load) for load in plan.loads]


def _write_step(host: Host, journal: Journal, system: System, item: Wanted) -> Step:
    name, before = item.request.name, item.before.values()
    undo = _undo(host, changed={name: _pairs(before, item.different)})

    def apply() -> None:
        journal.append(RESOURCE, **undo)
        _write(host, system, name, item.different)

    return Step(apply, lambda: _reverted(host, undo, system))


def _reload_step(host: Host, journal: Journal, system: System, reload: Reload) -> Step:
    again = [{"name": name, "parameters": dict(reload.before[name])} for name in reversed(reload.order)]
    undo = _undo(
        host,
        reloads=again,
        changed={name: _pairs(reload.before[name], values) for name, values in reload.changes.items()},
    )

    def apply() -> None:
        journal.append(RESOURCE, **undo)
        _reload(host, system, reload)

    return Step(apply, lambda: _reverted(host, undo, system))


def _load_step(host: Host, journal: Journal, system: System, load: Load) -> Step:
    undo = _undo(host, loads=list(load.loads))

    def apply() -> None:
        journal.append(RESOURCE, **undo)
        system.load(load.name, load.parameters)
        _verify(host, system, load.name, load.parameters)

    return Step(apply, lambda: _reverted(host, undo, system))


def _undo(
    host: Host,
    loads: Sequence[str] = (),
    reloads: Sequence[Mapping[str, Any]] = (),
    changed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A journal entry: what was loaded, what was loaded anew (in the order to load it), which parameters changed."""
    return {"boot": boot_id(host), "loads": list(loads), "reloads": list(reloads), "changed": dict(changed or {})}


def _pairs(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"before": before[name], "after": value} for name, value in after.items()}


def _reverted(host: Host, undo: Mapping[str, Any], system: System) -> str:
    undo_kernel_module(host, undo, system)
    return ""


def _write(host: Host, system: System, name: str, values: Mapping[str, str]) -> None:
    for parameter, value in values.items():
        try:
            # A write of nothing never reaches the kernel.
            host.write_kernel(state.parameter_path(host, name, parameter), value or "\n")
        except OSError as error:
            raise VirtperfError(
                f"the kernel does not take {parameter} {value!r} of the module {name}",
                found=str(error.strerror),
                way_out="name a value that it takes (modinfo tells the parameter's type)",
                module=name,
            ) from error
    _verify(host, system, name, values)


def _reload(host: Host, system: System, reload: Reload) -> None:
    for name in reload.order:
        system.unload(name)
    for name in reversed(reload.order):
        _load_as_it_was(host, system, name, reload.before[name], reload.changes.get(name, {}))


def _load_as_it_was(
    host: Host, system: System, name: str, before: Mapping[str, str], changes: Mapping[str, str]
) -> None:
    """Load a module with some parameters changed. Others are given only where they come out otherwise than before:
    not every module takes what it shows."""
    system.load(name, changes)
    wanted = {**before, **changes}
    different = _different(host, system, name, wanted)
    if different and not set(different) <= set(changes):
        system.unload(name)
        system.load(name, {**changes, **different})
    _verify(host, system, name, wanted)


def _different(host: Host, system: System, name: str, wanted: Mapping[str, str]) -> dict[str, str]:
    now = state.read(host, system, name).values()
    return {key: value for key, value in wanted.items() if key not in now or not same(value, now[key])}


def _verify(host: Host, system: System, name: str, wanted: Mapping[str, str]) -> None:
    """VirtperfError unless the module is loaded and shows these parameters."""
    module = state.read(host, system, name)
    if not module.loaded:
        raise VirtperfError(
            f"the module {name} was to be loaded, and is not there",
            way_out="see dmesg for what it says about it",
            module=name,
        )
    different = _different(host, system, name, wanted)
    if different:
        now = module.values()
        raise VirtperfError(
            f"the module {name} was to have {' '.join(f'{key}={value}' for key, value in different.items())}",
            found=", ".join(f"{key}={now[key]}" if key in now else f"{key} is not shown" for key in different),
            way_out="name a value that the kernel takes; see dmesg for what it says about it",
            module=name,
        )


def _entries(host: Host, journal: Journal) -> list[Entry]:
    return [
        entry for entry in journal.entries() if entry.resource == RESOURCE and entry.undo.get("boot") == boot_id(host)
    ]


def _forget_detour(host: Host, journal: Journal, system: System) -> None:
    """Parameters that are again what they were once have been undone by that: restore need not go through it all."""
    entries = _entries(host, journal)
    for start in range(len(entries)):
        tail = entries[start:]
        first: dict[str, dict[str, str]] = {}
        for entry in reversed(tail):
            for name, pairs in entry.undo["changed"].items():
                first.setdefault(name, {}).update({key: pair["before"] for key, pair in pairs.items()})
        if any(entry.undo["loads"] for entry in tail):
            continue
        if not any(_different(host, system, name, values) for name, values in first.items()):
            detour = {entry.number for entry in tail}
            journal.keep_only([entry for entry in journal.entries() if entry.number not in detour])
            return


# Undo


def undo_kernel_module(host: Host, undo: Mapping[str, Any], system: System = SYSTEM) -> str:
    """Take back a change that a journal entry tells of; says what was done, or "" when nothing was left to do.

    VirtperfError, with nothing touched, while somebody uses what has to be unloaded for it.
    """
    if undo["boot"] != boot_id(host):
        return ""  # Modules and parameters are the new boot's.
    done = [*_put_back(host, undo, system), *_unload(host, undo["loads"], system)]
    return ", ".join(done)


def _put_back(host: Host, undo: Mapping[str, Any], system: System) -> list[str]:
    """Parameters that we changed, and modules that a reload left out when it was interrupted."""
    writes: dict[str, dict[str, str]] = {}
    anew: dict[str, dict[str, str]] = {}
    for name, pairs in undo["changed"].items():
        now = state.read(host, system, name).parameters
        values = {
            key: str(pair["before"])
            for key, pair in pairs.items()
            if key in now and not same(pair["before"], now[key].value)
        }
        if values:
            (writes if all(now[key].writable for key in values) else anew)[name] = values
    reload = planning.plan_reload(host, system, anew)
    done = []
    for name, values in writes.items():
        _write(host, system, name, values)
        done.append(_again(name, values))
    if reload:
        _reload(host, system, reload)
        done += [_again(name, values) for name, values in anew.items()]
    for module in undo["reloads"]:
        name = str(module["name"])
        if not state.read(host, system, name).loaded:
            _load_as_it_was(host, system, name, module["parameters"], {})
            done.append(f"loaded {name} again")
    return done


def _again(name: str, values: Mapping[str, str]) -> str:
    return f"{name} has {' '.join(f'{key}={value}' for key, value in values.items())} again"


def _unload(host: Host, loads: Sequence[str], system: System) -> list[str]:
    """Those that we loaded, the last first."""
    known = state.lines(host)
    order = [name for name in reversed(loads) if name in known]
    planning.check_unused(host, system, order, why="for it was loaded by us")
    for name in order:
        system.unload(name)
    return [f"unloaded {', '.join(order)}"] if order else []
