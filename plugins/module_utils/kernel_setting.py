# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the kernel in /proc/sys and /sys: observed, planned, written and read back as one, and undone."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_values import (
    as_shown,
    choices,
    same,
    selected,
    text_of,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id
from ansible_collections.virtperf.vhost.plugins.module_utils.steps import Step, all_or_nothing

RESOURCE = "kernel_setting"
# How to name a setting; just one of them.
NAMES = ("path", "name")

_SYSCTL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./*?\[\]-]*", re.ASCII)
_PROC_SYS, _SYS = "/proc/sys", "/sys"
# Beside a file that says what is selected and not what else there is.
_CHOICES = {"scaling_governor": "scaling_available_governors"}


@dataclass(frozen=True)
class Setting:
    """A file of the kernel's by its usual path, where it is in truth, what it says, and what it shall say."""

    path: str
    real: str
    before: str
    asked: str

    @property
    def changes(self) -> bool:
        """Whether it says something else now."""
        return not same(self.asked, self.before)

    @property
    def after(self) -> str:
        """What it is going to say."""
        return as_shown(self.asked, self.before) if self.changes else self.before

    def describe(self) -> str:
        """The change in plain words."""
        return f"{self.path}: from {_shown(self.before)} to {_shown(self.after)}"


def _shown(value: str) -> str:
    return " ".join(value.split()) or "nothing"


def ensure(
    host: Host,
    settings: Sequence[Mapping[str, Any]],
    *,
    run_id: str = "",
    check_mode: bool = False,
) -> dict[str, Any]:
    """Have ``settings`` ({path or name, value, required}), all or none, and return the module's result."""
    found, skipped = plan(host, settings)
    changes = [setting for setting in found if setting.changes]
    if changes and not check_mode:
        journal = Journal(host, run_id)
        all_or_nothing(journal, [_step(host, journal, setting) for setting in changes])
        _forget_detours(host, journal, changes)
    return {
        "changed": bool(changes),
        "actions": [setting.describe() for setting in changes],
        "settings": [
            {
                "path": setting.path,
                "requested": setting.asked,
                "was": setting.before,
                "effective": setting.after if check_mode else _read(host, setting),
                "changed": setting.changes,
            }
            for setting in found
        ],
        "skipped": skipped,
        "diff": {
            "before": {setting.path: setting.before for setting in found},
            "after": {setting.path: setting.after for setting in found},
        },
    }


# Plan


def plan(host: Host, settings: Sequence[Mapping[str, Any]]) -> tuple[list[Setting], list[str]]:
    """The files in the order asked for, and the names of what this kernel lacks and need not have.

    VirtperfError for what is no setting, is not there, or knows no such value.
    """
    found: dict[str, Setting] = {}
    skipped = []
    for item in settings:
        pattern = _pattern(item)
        asked = text_of(item["value"])
        paths = _matching(host, pattern)
        if not paths and item.get("required", True):
            raise VirtperfError(
                f"this kernel has no setting {pattern}",
                found=_nearest(host, pattern),
                way_out="see whether the name is right, load the module that it belongs to,"
                " or say required: false where it need not be had",
                setting=pattern,
            )
        if not paths:
            skipped.append(pattern)
        for path in paths:
            setting = _observe(host, path, asked)
            known = found.setdefault(setting.real, setting)
            if not same(known.asked, asked):
                raise VirtperfError(
                    f"{setting.path} is asked to be both {known.asked} and {asked}",
                    way_out="give each setting one value",
                    setting=setting.path,
                )
    return list(found.values()), skipped


def _pattern(item: Mapping[str, Any]) -> str:
    """The usual path of a setting; sysctl's names become one as sysctl(8) has it."""
    given = [name for name in NAMES if item.get(name)]
    if len(given) != 1:
        raise VirtperfError("a setting needs one name", way_out="give either path or name")
    text = str(item[given[0]]).strip()
    if given == ["name"]:
        if not _SYSCTL.fullmatch(text):
            raise VirtperfError(
                f"{text!r} is no name of a sysctl", way_out="name it as sysctl -a does: kernel.numa_balancing"
            )
        first = next((letter for letter in text if letter in "./"), ".")
        # With dots between, a slash stands for a dot in a name, such as that of a VLAN's interface.
        text = f"{_PROC_SYS}/{text.translate(str.maketrans('./', '/.')) if first == '.' else text}"
    path = os.path.normpath(text)
    if not path.startswith((f"{_PROC_SYS}/", f"{_SYS}/")):
        raise VirtperfError(
            f"{text} is no setting of the kernel's",
            way_out="name a file below /proc/sys or /sys",
            setting=text,
        )
    return path


def _matching(host: Host, pattern: str) -> list[str]:
    """The files of this host that a usual path, with wildcards or without, stands for."""
    root, below = (host.proc, pattern[len("/proc") :]) if pattern.startswith(_PROC_SYS) else (host.sys, pattern[4:])
    return sorted(glob.glob(glob.escape(root) + below))


def _usual(host: Host, path: str) -> str:
    """The other way round."""
    for root, usual in ((f"{host.proc}/sys", _PROC_SYS), (host.sys, _SYS)):
        if path.startswith(f"{root}/"):
            return usual + path[len(root) :]
    return path


def _nearest(host: Host, pattern: str) -> str:
    """How far there is something of it."""
    path = pattern
    while not _matching(host, path) and path not in (_PROC_SYS, _SYS):
        path = os.path.dirname(path)
    return f"nothing like it in {path}"


def _observe(host: Host, path: str, asked: str) -> Setting:
    usual, real = _usual(host, path), os.path.realpath(path)
    roots = (os.path.realpath(f"{host.proc}/sys"), os.path.realpath(host.sys))
    if not os.path.isfile(real) or not real.startswith(tuple(f"{root}/" for root in roots)):
        raise VirtperfError(
            f"{usual} is no setting",
            found="it is a directory" if os.path.isdir(real) else f"it leads to {real}",
            way_out="name a file of the kernel's",
            setting=usual,
        )
    try:
        text = host.read(real)
    except OSError as error:
        raise VirtperfError(
            f"{usual} cannot be read, so that nobody could tell whether it is {_shown(asked)}",
            found=str(error.strerror),
            way_out="name a setting that can be read back",
            setting=usual,
        ) from error
    setting = Setting(usual, real, selected(text), asked)
    known = choices(text) or _choices_beside(host, real)
    if known and asked not in known and setting.changes:
        raise VirtperfError(
            f"{usual} cannot be {_shown(asked)}",
            found=f"it is {setting.before}, and can be {', '.join(known)}",
            way_out="name one of these",
            setting=usual,
            choices=known,
        )
    if setting.changes and not os.stat(real).st_mode & 0o222:
        raise VirtperfError(
            f"{usual} cannot be changed while the kernel runs",
            found=f"it is {_shown(setting.before)}, and the file is read-only",
            way_out="leave it out, or set it at boot where the kernel has a parameter for it",
            setting=usual,
        )
    return setting


def _choices_beside(host: Host, path: str) -> list[str]:
    folder, name = os.path.split(path)
    return host.read_or(f"{folder}/{_CHOICES[name]}").split() if name in _CHOICES else []


# Apply


def _step(host: Host, journal: Journal, setting: Setting) -> Step:
    def apply() -> None:
        journal.append(RESOURCE, boot=boot_id(host), path=setting.path, before=setting.before, after=setting.asked)
        _write(host, setting.path, setting.real, setting.asked)

    def revert() -> str:
        if not same(setting.before, _read(host, setting)):
            _write(host, setting.path, setting.real, setting.before)
        return ""

    return Step(apply, revert)


def _read(host: Host, setting: Setting) -> str:
    return selected(host.read(setting.real))


def _write(host: Host, path: str, real: str, value: str) -> None:
    """Write and read back; VirtperfError when the kernel refuses, or makes something else of it."""
    try:
        # A write of nothing never reaches the kernel.
        host.write_kernel(real, value or "\n")
    except OSError as error:
        raise VirtperfError(
            f"the kernel does not take {_shown(value)} for {path}",
            found=f"{error.strerror}; it is {_shown(selected(host.read_or(real)))}",
            way_out="name a value that it takes; in a container set it outside, or run on the host",
            setting=path,
            errno=error.errno,
        ) from error
    found = selected(host.read(real))
    if not same(value, found):
        raise VirtperfError(
            f"{path} was to be {_shown(value)}, and the kernel made something else of it without an error",
            found=_shown(found),
            way_out="name a value that it takes as it is",
            setting=path,
        )


def _forget_detours(host: Host, journal: Journal, changes: Sequence[Setting]) -> None:
    """A setting that is again what it was once has been undone by that: restore need not go through it all."""
    boot = boot_id(host)
    for setting in changes:
        mine = [
            entry
            for entry in journal.entries()
            if entry.resource == RESOURCE and entry.undo.get("boot") == boot and entry.undo["path"] == setting.path
        ]
        known = [index for index, entry in enumerate(mine) if same(entry.undo["before"], setting.asked)]
        if known:
            detour = {entry.number for entry in mine[known[0] :]}
            journal.keep_only([entry for entry in journal.entries() if entry.number not in detour])


# Undo


def undo_kernel_setting(host: Host, undo: Mapping[str, Any]) -> str:
    """Put back what was there; "" when it is there already, the file is gone, or the machine was started anew."""
    path, before = str(undo["path"]), str(undo["before"])
    found = _matching(host, glob.escape(path)) if undo["boot"] == boot_id(host) else []
    if not found or same(before, selected(host.read(found[0]))):
        return ""
    _write(host, path, found[0], before)
    return f"{path} is {_shown(before)} again"
