# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CPUs the threads of a VM run on, in one line: the same words for what was asked for and what was read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def pins_in_words(pins: Any) -> str:
    """vCPU 0: 0, vCPU 1: 2, emulator: 0; "" where there are none.

    ``pins`` are as a plan asks for them (``vcpus`` and ``emulator``), or as records list them (``thread`` and
    ``cpus``), where one role can have several threads.
    """
    found = _asked(pins) if isinstance(pins, Mapping) else _observed(pins)
    # vCPUs by number, before all else by name.
    ordered = sorted(dict.fromkeys(found), key=lambda pin: (not pin[0].startswith("vCPU"), _number(pin[0]), pin))
    return ", ".join(f"{thread}: {cpus}" for thread, cpus in ordered)


def _asked(pins: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entry in pins.get("vcpus") or ():
        yield f"vCPU {entry['vcpu']}", str(entry["cpus"])
    if pins.get("emulator"):
        yield "emulator", str(pins["emulator"]["cpus"])


def _observed(pins: Any) -> Iterator[tuple[str, str]]:
    for entry in pins if isinstance(pins, Sequence) and not isinstance(pins, str) else ():
        if isinstance(entry, Mapping):
            yield str(entry.get("thread", "")).replace("vcpu", "vCPU"), str(entry.get("cpus", ""))


def _number(thread: str) -> int:
    last = thread.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0
