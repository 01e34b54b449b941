# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the study ``reflect`` as they come, from files and command lines, read and checked one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


class PlanError(ValueError):
    """A variable that cannot be used: names it, what was found, and what is allowed."""


def integer(raw: Any) -> int | None:
    """A whole number from 0 on, or None."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    text = str(raw).strip()
    # Nothing here counts to a billion, and int() refuses thousands of digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def boolean(raw: Any) -> bool | None:
    """True or false in the words that Ansible takes, or None."""
    if isinstance(raw, bool):
        return raw
    word = str(raw).lower().strip()
    return True if word in _TRUE else False if word in _FALSE else None


def number_in(variables: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """A whole number of a range; PlanError."""
    value = integer(variables[name])
    if value is None or not low <= value <= high:
        raise PlanError(f"{name} cannot be {variables[name]!r}. Allowed: {low} to {high}")
    return value


def truth_in(variables: Mapping[str, Any], name: str) -> bool:
    """True or false; PlanError."""
    value = boolean(variables[name])
    if value is None:
        raise PlanError(f"{name} cannot be {variables[name]!r}. Allowed: true, false")
    return value


def choice_in(variables: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    """One of a few words; PlanError."""
    value = str(variables[name]).strip()
    if value not in choices:
        raise PlanError(f"{name} cannot be {variables[name]!r}. Allowed: {', '.join(choices)}")
    return value


def seconds_in(variables: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """Seconds of a range; PlanError."""
    try:
        value = float(variables[name])
    except (TypeError, ValueError, OverflowError):
        value = -1.0
    if not low <= value <= high:
        raise PlanError(f"{name} cannot be {variables[name]!r}. Allowed: seconds from {low} to {high}")
    return value


def cpus_in(variables: Mapping[str, Any], name: str) -> list[int]:
    """CPU numbers: a list, one number, or numbers between commas; PlanError."""
    raw = variables[name]
    values = [piece for piece in raw.split(",") if piece.strip()] if isinstance(raw, str) else raw
    cpus = [integer(value) for value in values] if isinstance(values, (list, tuple)) else [integer(values)]
    if any(cpu is None or cpu < 0 for cpu in cpus) or len(set(cpus)) != len(cpus):
        raise PlanError(f"{name} cannot be {raw!r}. Allowed: CPU numbers, each once; empty to have them chosen")
    return [cpu for cpu in cpus if cpu is not None]


def join(numbers: Sequence[int]) -> str:
    """1, 2, 3."""
    return ", ".join(map(str, numbers))
