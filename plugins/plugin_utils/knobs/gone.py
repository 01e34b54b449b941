# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of knobs that this QEMU or kernel has no longer: since when, and what replaced them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.knob import LINUX, QEMU, Gone, Knob


@dataclass(frozen=True)
class GoneLevel:
    """A level that is not there. ``since`` is in words: QEMU 2.10."""

    knob: str
    level: str
    since: str
    replaced_by: str

    @property
    def reason(self) -> str:
        """For a cell that is not measured."""
        return f"gone since {self.since}: {self.replaced_by}"

    def as_dict(self) -> dict[str, str]:
        """For the manifest."""
        return {"knob": self.knob, "level": self.level, "since": self.since, "replaced_by": self.replaced_by}


def gone_levels(knob: Knob, host: Mapping[str, Any]) -> dict[str, GoneLevel]:
    """Those of one knob, by level, as far as M(virtperf.vhost.vhost_info) (``host``) tells."""
    found: dict[str, GoneLevel] = {}
    for gone in knob.gone:
        since = _since(gone, host)
        for level in (gone.levels or knob.variants) if since else ():
            found.setdefault(level, GoneLevel(knob.name, level, since, gone.replaced_by))
    return found


def _since(gone: Gone, host: Mapping[str, Any]) -> str:
    """Since when it is gone, "" where it is there."""
    version = _version(gone.part, host)
    if gone.parameter:
        known = (host.get("vhost") or {}).get("net_parameters")
        if known is None or gone.parameter in known:
            return ""
        return f"some release before {gone.part} {version}" if version else f"this {gone.part}"
    return f"{gone.part} {gone.since}" if version and _numbers(version) >= _numbers(gone.since) else ""


def _version(part: str, host: Mapping[str, Any]) -> str:
    told = {QEMU: (host.get("qemu") or {}).get("version"), LINUX: (host.get("kernel") or {}).get("release")}[part]
    match = re.match(r"\d+(\.\d+)*", str(told or ""))
    return match[0] if match else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))
