# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places for plots on the page, which show one of several at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.plugin_utils.figures import Figure


@dataclass(frozen=True, slots=True)
class Choice:
    """A plot that its box can show."""

    label: str
    plot: Figure


@dataclass(frozen=True, slots=True)
class Box:
    """A place for a plot. ``choices`` are the plots it can show, ``first`` is the one it begins with.

    ``legend`` numbers the lines or dots as their colours are numbered. ``rem`` is its height, where it needs one of its
    own.
    """

    key: str
    title: str
    choices: Sequence[Choice]
    first: Choice
    legend: Mapping[str, int]
    rem: float = 0.0

    @property
    def plots(self) -> list[tuple[str, Figure]]:
        """Every plot with the name that the page has for it."""
        return [(f"{self.key}-{choice.plot.key}", choice.plot) for choice in self.choices]
