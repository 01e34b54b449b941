# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that is shown while a study measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def progress_line(status: Mapping[str, Any]) -> str:
    """A status file's content for a person: cell n of N, what it is, the last rate, the time left."""
    parts = [f"cell {status.get('cell')} of {status.get('cells')}"]
    if status.get("doing") == "measuring":
        parts.append(f"trial {status.get('trial')} of {status.get('trials')} ({status.get('what')})")
    else:
        parts.append(str(status.get("doing", "")))
    if status.get("last"):
        parts.append(f"last {status['last']}")
    left_s = status.get("left_s")
    if isinstance(left_s, (int, float)):
        parts.append(f"{duration(left_s)} left")
    if status.get("invalid"):
        parts.append(f"{status['invalid']} invalid so far")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as 42 s, 3 min 05 s or 1 h 02 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
