# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an arm changes on the hypervisor: files of the kernel's around each trial, parameters when a device starts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.virtperf.vhost.plugins.module_utils import kernel_setting
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.kernel_values import same, selected
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import Arm
from ansible_collections.virtperf.vhost.plugins.module_utils.processes import boot_id


class Switches:
    """Files of the kernel's by their usual paths. What was there is in the journal before the first is changed."""

    def __init__(self, host: Host, journal: Journal) -> None:
        self._host = host
        self._journal = journal
        self._before: dict[str, str] = {}

    @contextlib.contextmanager
    def set(self, values: Mapping[str, str]) -> Iterator[None]:
        """Have these values, read back, until the block ends."""
        changed: list[str] = []
        try:
            for path, value in values.items():
                before = self._observe(path)
                if not same(value, before):
                    self._note(path, before, value)
                    changed.append(path)
                    self._write(path, value)
            yield
        finally:
            for path in reversed(changed):
                self._write(path, self._before[path])

    def why_not(self, path: str, value: str) -> str:
        """Why a file cannot have a value now, "" where it can, or has it."""
        try:
            before = self._observe(path)
        except VirtperfError as error:
            return str(error)
        if same(value, before):
            return ""
        if not os.stat(self._real(path)).st_mode & 0o222:
            return f"{path} is {before} and cannot be changed while its module is loaded (the file is read-only)"
        return ""

    def is_so(self, path: str, value: str) -> bool:
        """Whether a file says so now."""
        return same(value, self._observe(path))

    def _observe(self, path: str) -> str:
        try:
            return selected(self._host.read(self._real(path)))
        except OSError as error:
            raise VirtperfError(
                f"this kernel has no setting {path}",
                found=str(error.strerror),
                way_out="load the module that it belongs to, if this kernel has it still",
            ) from error

    def _note(self, path: str, before: str, value: str) -> None:
        """Once for each: a trial must not wait for a disk."""
        if path not in self._before:
            self._before[path] = before
            self._journal.append(
                kernel_setting.RESOURCE, boot=boot_id(self._host), path=path, before=before, after=value
            )

    def _write(self, path: str, value: str) -> None:
        real = self._real(path)
        try:
            self._host.write_kernel(real, value)
        except OSError as error:
            raise VirtperfError(f"the kernel does not take {value} for {path}", found=str(error.strerror)) from error
        found = selected(self._host.read(real))
        if not same(value, found):
            raise VirtperfError(
                f"{path} was to be {value}, and the kernel made something else of it without an error", found=found
            )

    def _real(self, path: str) -> str:
        for usual, root in (("/proc/", self._host.proc), ("/sys/", self._host.sys)):
            if path.startswith(usual):
                return os.path.join(root, path[len(usual) :])
        raise VirtperfError(f"{path} is no setting of the kernel's", way_out="name a file below /proc/sys or /sys")


def parameter_path(module: str, parameter: str) -> str:
    """Where the kernel shows it."""
    return f"/sys/module/{module}/parameters/{parameter}"


def parameters(arm: Arm) -> dict[str, str]:
    """What an arm's device reads when it starts, by the usual paths."""
    return {parameter_path(module, name): value for module, name, value in arm.module}


def unavailable(switches: Switches, values: Mapping[str, str]) -> str:
    """Why these cannot be had; "" where they can."""
    return "; ".join(_reasons(switches, values.items()))


def _reasons(switches: Switches, values: Iterable[tuple[str, str]]) -> Iterator[str]:
    for path, value in values:
        reason = switches.why_not(path, value)
        if reason:
            yield f"not available: {reason}"
