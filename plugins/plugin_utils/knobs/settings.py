# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a set of levels to what is set where: an arm of the study ``knobs`` is such a set, and complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.knob import Parts
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

# The level of each knob.
Settings = Mapping[str, str]
_BASELINE = "baseline"


def settings_with(levels: Mapping[str, str]) -> dict[str, str]:
    """All knobs: these levels, what they require, and the baseline of the others.

    PlanError when one of them requires of another what that is not.
    """
    wanted = {name: (level, f"{name}={level}") for name, level in levels.items()}
    for name in levels:
        for other, level in KNOBS[name].requires.items():
            known, asked_by = wanted.setdefault(other, (level, name))
            if known != level:
                raise PlanError(
                    f"{name} needs {other}={level} and cannot be combined with {asked_by}."
                    f" Allowed: {name} with knobs that do not need {other}={known}"
                )
    return {name: wanted[name][0] if name in wanted else knob.baseline for name, knob in KNOBS.items()}


def name_of(settings: Settings) -> str:
    """What differs from the baseline: ``vhost=off,tx=timer``."""
    different = [f"{name}={level}" for name, level in settings.items() if level != KNOBS[name].baseline]
    return ",".join(different) or _BASELINE


def parts_of(settings: Settings, used: Sequence[str] = ()) -> Parts:
    """All that is set, by the place.

    Of files and of modules' parameters the baseline is only set where ``used`` names their knob: nobody else turns
    them.
    """
    merged: dict[str, dict[str, Any]] = {key.name: {} for key in fields(Parts)}
    for name, level in settings.items():
        parts = KNOBS[name].levels[level]
        turned = level != KNOBS[name].baseline or name in used
        for key, values in merged.items():
            if key not in ("host", "module") or turned:
                _merge(values, getattr(parts, key))
    return Parts(**merged)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Mappings within mappings as well; two knobs that say the same thing say it once."""
    for key, value in more.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value
