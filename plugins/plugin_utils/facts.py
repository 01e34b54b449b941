# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a measured host, as the manifest keeps them, in words. Nobody fixes what facts there are."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import level

# Programs whose version belongs to a number, as the facts call them and as a person does.
_PROGRAMS = {"dpdk": "DPDK", "qemu": "QEMU", "libvirt": "libvirt", "kernel": "Linux"}


def versions(facts: Mapping[str, Any]) -> list[str]:
    """DPDK 22.11.7, Linux 6.1.0: those known, from ``{"dpdk": {"version": "22.11.7"}}`` or ``{"dpdk": "22.11.7"}``.

    A kernel's ``release`` says more than its ``version``, which counts builds.
    """
    words = []
    for name, program in _PROGRAMS.items():
        fact = facts.get(name)
        version = fact.get("release") or fact.get("version") if isinstance(fact, Mapping) else fact
        if isinstance(version, str) and version:
            # Some programs' versions come with their name in front.
            words.append(version if version.lower().startswith(program.lower()) else f"{program} {version}")
    return words


def flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each leaf of nested facts with its dotted name; a command line as a shell takes it."""
    if isinstance(value, Mapping) and value and all(str(key).isdigit() for key in value):
        # By CPU or by node: one line is enough for as many as there are.
        yield name, ", ".join(f"{key}: {level(inner)}" for key, inner in value.items())
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, inner in enumerate(value):
            yield from flatten(inner, f"{name}[{number}]")
    elif is_command(name) and isinstance(value, list):
        yield name, shlex.join(map(str, value))
    else:
        yield name, "unknown" if value is None else level(value) or "none"


def is_command(name: str) -> bool:
    """Whether a fact of this name holds a command line."""
    last = name.rpartition(".")[2]
    return "command" in last or last in ("argv", "cmdline")
