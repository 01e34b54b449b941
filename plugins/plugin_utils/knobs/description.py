# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of the study ``knobs`` in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.gone import GoneLevel
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import count


def describe(
    boots: Sequence[Mapping[str, Any]], gone: Sequence[GoneLevel], apart: Sequence[str], seconds: float
) -> list[str]:
    """What each boot has, what is not measured, and how long it takes."""
    lines = []
    for boot in boots:
        arms = "; ".join(arm["name"] for arm in boot["arms"])
        lines.append(f"boot {boot['number']}: {count(len(boot['trials']), 'trial')} over {arms}")
    lines += [
        f"{knob} is read when a module is loaded: its levels are in boots of their own, the baseline before and after"
        for knob in apart
    ]
    lines += [f"{level.knob}={level.level} is {level.reason}" for level in gone]
    trials = sum(len(boot["trials"]) for boot in boots)
    lines.append(f"{count(trials, 'trial')} in {count(len(boots), 'boot')}, about {seconds:.0f} s")
    return lines
