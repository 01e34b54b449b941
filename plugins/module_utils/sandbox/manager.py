# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having a sandbox, and having none. One that has to be started anew begins from its image."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access import port, ssh
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.keys import Keys
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import contents
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import human
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.accel import Accelerator
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.console import Sign
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance, Limits
from ansible_collections.virtperf.vhost.plugins.module_utils.sandbox import place
from ansible_collections.virtperf.vhost.plugins.module_utils.sandbox.definition import choose, definition

# Longer than it takes to log in under emulation, with other things going on.
_ANSWERS_IN_S = 30.0
# QMP's first word.
_STARTS_IN_S = 30.0


def ensure(host: Host, asked: Mapping[str, Any], *, check_mode: bool = False) -> dict[str, Any]:
    """Have it running as asked and answering; the result for a module. ``host`` is one that ``place.apart`` gave."""
    accelerator = choose(host, asked["accel"])
    keys = Keys(host, place.NAME, asked["run_id"])
    wanted = definition(asked, accelerator, keys, port.choose(Instance(host, place.NAME)))
    reason = _unlike(host, wanted, keys)
    actions = []
    if reason:
        _check(host, wanted)
        actions += [f"remove the sandbox ({reason})"] if Instance(host, place.NAME).exists() else []
        actions.append(f"start the sandbox with {accelerator.used}")
    begun = time.monotonic()
    if actions and not check_mode:
        with place.alone(host):
            # Whoever was here before us may have left what we want; else nobody can now come between.
            if _unlike(host, definition(asked, accelerator, keys, port.choose(Instance(host, place.NAME))), keys):
                _clear(host)
                _start(host, asked, accelerator, keys)
    there = not check_mode or not actions
    return {
        "changed": bool(actions),
        "actions": actions,
        "warning": accelerator.warning,
        "sandbox": _facts(host, keys) if there else {},
        "seconds": round(time.monotonic() - begun, 1),
    }


def remove(host: Host, *, check_mode: bool = False) -> dict[str, Any]:
    """Have nothing of it; the result for a module."""
    actions = ["remove the sandbox"] if place.is_there(host) else []
    if actions and not check_mode:
        with place.alone(host):
            _clear(host)
            shutil.rmtree(host.state)
    return {"changed": bool(actions), "actions": actions}


def _unlike(host: Host, wanted: Definition, keys: Keys) -> str:
    """Why it has to be started (anew); "" when it runs as wanted and answers."""
    instance = Instance(host, place.NAME)
    if not instance.is_running():
        return "it does not run"
    old = instance.definition()
    differing = wanted.differing(old) if old is not None else ["its definition is lost"]
    if differing:
        return f"changed: {', '.join(differing)}"
    try:
        ssh.wait(_access(old or wanted, keys), _ANSWERS_IN_S, instance.is_running)
    except VirtperfError:
        return "it does not answer"
    return ""


def _access(running: Definition, keys: Keys) -> ssh.Access:
    return ssh.Access(place.NAME, port.forwarded(running), keys.identity_path, keys.known_hosts_path)


def _check(host: Host, wanted: Definition) -> None:
    """Refuse what cannot work while nothing has been touched. Its keys are made when it starts."""
    stops = [place.NAME] if Instance(host, place.NAME).is_running() else []
    manager.check(host, [wanted], manager.Plan(stops=stops, starts=[replace(wanted, credential_files={})]))
    if stops:
        return  # the memory of the old one becomes free
    lines = dict(line.split(":", 1) for line in host.read_or(f"{host.proc}/meminfo").splitlines() if ":" in line)
    available_kb = int(lines.get("MemAvailable", "0 kB").split()[0])
    if available_kb < wanted.memory.size_kb:
        raise VirtperfError(
            f"the sandbox does not fit: it has {human(wanted.memory.size_kb)} of memory",
            found=f"{human(available_kb)} available",
            way_out="end something, or give it less memory (1 GiB does for no guests)",
        )


def _clear(host: Host) -> None:
    """End it and remove all that its journal knows of."""
    outcome = restore.replay(host)
    if outcome.failures:
        raise VirtperfError(
            "not all of the sandbox could be removed",
            found="; ".join(outcome.failures),
            way_out="mend what is named, then remove it again",
            actions=outcome.actions,
        )


def _start(host: Host, asked: Mapping[str, Any], accelerator: Accelerator, keys: Keys) -> None:
    try:
        keys.ensure([place.NAME])
        wanted = definition(asked, accelerator, keys, port.choose(Instance(host, place.NAME)))
        plan = manager.plan_present(host, [wanted], paused=False, on_change="fail")
        manager.check(host, [wanted], plan)
        sign = Sign(contents.READY, float(asked["ready_timeout"]))
        manager.apply(host, Journal(host, asked["run_id"]), plan, Limits(powerdown_s=0), _STARTS_IN_S, sign)
        instance = Instance(host, place.NAME)
        ssh.wait(_access(wanted, keys), _ANSWERS_IN_S, instance.is_running, instance.console_end)
    except BaseException:
        restore.replay(host)
        shutil.rmtree(host.state, ignore_errors=True)
        raise


def _facts(host: Host, keys: Keys) -> dict[str, Any]:
    """For the module's result."""
    instance = Instance(host, place.NAME)
    running = instance.definition()
    return {
        "name": place.NAME,
        "address": "127.0.0.1",
        "port": port.forwarded(running) if running else None,
        "user": "root",
        "host_key": keys.host_public_key(place.NAME),
        "vm": instance.facts(),
    }
