# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd, started or stopped for as long as a run needs it: observed, planned, changed, and undone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id
from ansible_collections.virtperf.vhost.plugins.module_utils.steps import Step, all_or_nothing

RESOURCE = "service_state"
STARTED, STOPPED = "started", "stopped"

_NAME = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_:.\\@-]*", re.ASCII)
_MORE_PATHS = ("/usr/bin", "/bin")
_PATIENCE_S = 120
# On its way to one of the two.
_PASSING = ("activating", "deactivating", "reloading", "refreshing", "maintenance")
_SETTLE_S = 30.0


class System:
    """systemctl; tests give another one."""

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit. One that does not exist has some, too."""
        done = self._systemctl("show", f"--property={','.join(names)}", "--", unit)
        if done.returncode != 0:
            raise VirtperfError(
                "systemd does not answer on this host",
                found=(done.stderr or done.stdout).strip() or f"status {done.returncode}",
                way_out="start and stop services by hand where there is no systemd",
            )
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    def change(self, unit: str, verb: str) -> None:
        """Start or stop it, and wait for that; VirtperfError when it does not."""
        done = self._systemctl(verb, "--", unit)
        if done.returncode != 0:
            raise VirtperfError(
                f"{unit} does not {verb}",
                found=(done.stderr or done.stdout).strip() or f"status {done.returncode}",
                way_out=f"see journalctl -u {unit}",
                unit=unit,
            )

    @staticmethod
    def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = shutil.which("systemctl", path=os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS]))
        if program is None:
            return subprocess.CompletedProcess(arguments, 127, "", "there is no systemctl on this machine")
        try:
            return subprocess.run(
                [program, "--no-pager", "--no-ask-password", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(arguments, 124, "", f"no end after {_PATIENCE_S} s")


SYSTEM = System()


@dataclass(frozen=True)
class Unit:
    """A unit as found, and what it shall be. One that does not exist is stopped."""

    name: str
    was: str
    asked: str

    @property
    def changes(self) -> bool:
        """Whether it is otherwise."""
        return self.was != self.asked

    def describe(self) -> str:
        """The change in plain words."""
        return f"{'start' if self.asked == STARTED else 'stop'} {self.name}"


def ensure(
    host: Host,
    services: Sequence[Mapping[str, Any]],
    *,
    run_id: str = "",
    check_mode: bool = False,
    system: System = SYSTEM,
) -> dict[str, Any]:
    """Have ``services`` ({name, state}) so, and return the module's result."""
    units = plan(services, system)
    changes = [unit for unit in units if unit.changes]
    if changes and not check_mode:
        journal = Journal(host, run_id)
        all_or_nothing(journal, [_step(host, journal, system, unit) for unit in changes])
    return {
        "changed": bool(changes),
        "actions": [unit.describe() for unit in changes],
        "services": [
            {"name": unit.name, "was": unit.was, "state": unit.asked, "changed": unit.changes} for unit in units
        ],
        "diff": {
            "before": {unit.name: unit.was for unit in units},
            "after": {unit.name: unit.asked for unit in units},
        },
    }


def plan(services: Sequence[Mapping[str, Any]], system: System) -> list[Unit]:
    """Look at each; VirtperfError for one that shall run and does not exist."""
    units: list[Unit] = []
    for service in services:
        name, asked = _unit_name(str(service["name"])), str(service["state"])
        if name in (unit.name for unit in units):
            raise VirtperfError(f"{name} is asked for twice", way_out="list each service once", unit=name)
        found = system.properties(name, "LoadState")["LoadState"]
        if asked == STARTED and found != "loaded":
            raise VirtperfError(
                f"{name} cannot be started",
                found=f"systemd says {found}",
                way_out="install the package that it comes with, or unmask it",
                unit=name,
            )
        units.append(Unit(name, _state(system, name), asked))
    return units


def _unit_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise VirtperfError(f"{name!r} is no name of a service", way_out="name it as systemctl does")
    return name if "." in name else f"{name}.service"


def _state(system: System, name: str) -> str:
    """Whether it runs, once it is no longer on its way. A socket whose service runs by itself serves as well."""
    limit = time.monotonic() + _SETTLE_S
    found = system.properties(name, "ActiveState", "Triggers")
    while found["ActiveState"] in _PASSING and time.monotonic() < limit:
        time.sleep(0.1)
        found = system.properties(name, "ActiveState", "Triggers")
    if found["ActiveState"] == "active":
        return STARTED
    triggers = found.get("Triggers", "").split() if name.endswith(".socket") else []
    running = any(system.properties(unit, "ActiveState")["ActiveState"] == "active" for unit in triggers)
    return STARTED if running else STOPPED


def _step(host: Host, journal: Journal, system: System, unit: Unit) -> Step:
    def apply() -> None:
        journal.append(RESOURCE, boot=boot_id(host), unit=unit.name, was=unit.was)
        _have(system, unit.name, unit.asked)

    def revert() -> str:
        _have(system, unit.name, unit.was)
        return ""

    return Step(apply, revert)


def _have(system: System, name: str, state: str) -> bool:
    """Start or stop it unless it is so; whether that was needed. VirtperfError when it does not stay so."""
    if _state(system, name) == state:
        return False
    system.change(name, "start" if state == STARTED else "stop")
    found = _state(system, name)
    if found != state:
        raise VirtperfError(
            f"{name} was to be {state}, and is {found}",
            way_out=f"see journalctl -u {name}, and what else starts and stops it",
            unit=name,
        )
    return True


def undo_service_state(host: Host, undo: Mapping[str, Any], system: System = SYSTEM) -> str:
    """Start or stop a service again; "" when it is so already, has gone, or the machine was started anew."""
    if undo["boot"] != boot_id(host):
        return ""
    name, was = str(undo["unit"]), str(undo["was"])
    if was == STARTED and system.properties(name, "LoadState")["LoadState"] == "not-found":
        return ""
    return f"{was} {name} again" if _have(system, name, was) else ""
