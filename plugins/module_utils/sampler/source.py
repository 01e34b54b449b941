# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source of samples is: named counters, all read in one go, many times a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, Protocol

# What kind of thing is counted, which one, and what of it: ("net", "tap0", "tx_bytes").
Column = tuple[str, str, str]
# A whole number in the unit that its column's name says, or None where it could not be read this time.
Reading = Optional[int]


class Source(Protocol):
    """Several counters, or gauges, that are read together. Whoever makes one finds out whether it can be read."""

    @property
    def columns(self) -> Sequence[Column]:
        """What it reads, in the order of ``read``."""

    def read(self) -> Sequence[Reading]:
        """One number a column. What has gone meanwhile is None, never an error: sampling goes on."""

    def close(self) -> None:
        """Let go of what is held open."""
