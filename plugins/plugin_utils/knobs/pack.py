# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packing arms into boots: a guest has a NIC for each, and what is compared with each other is in the same boot.

What a kernel's module reads when it is loaded cannot differ within a boot. Levels of such a knob have boots of their
own, with those that measure its baseline before and after them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.asked import Comparison
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.settings import Settings, name_of, parts_of

# Network devices that a guest has room for, and time at its boot.
MOST_ARMS = 14

# A comparison's knob, one of its levels.
Half = tuple[str, str]


@dataclass
class Packed:
    """A boot: arms by their names, and which trials of which level are taken in it.

    ``pairs`` has the numbers of the pairs of which a level has its half here.
    """

    arms: dict[str, Settings] = field(default_factory=dict)
    pairs: dict[Half, range] = field(default_factory=dict)

    def add(self, comparison: Comparison, levels: Sequence[str], pairs: range) -> None:
        """Have these levels of a comparison."""
        for level in levels:
            settings = comparison.levels[level]
            self.arms.setdefault(name_of(settings), settings)
            self.pairs[comparison.knob, level] = pairs

    def new_arms(self, comparison: Comparison, levels: Sequence[str]) -> int:
        """How many NICs more it would need for them."""
        return len({name_of(comparison.levels[level]) for level in levels} - set(self.arms))

    def has_room(self, comparison: Comparison, levels: Sequence[str]) -> bool:
        """Whether they fit in."""
        return len(self.arms) + self.new_arms(comparison, levels) <= MOST_ARMS


def pack(comparisons: Sequence[Comparison], pairs: int) -> list[Packed]:
    """The boots, in their order."""
    comparisons = [comparison for comparison in comparisons if len(comparison.levels) > 1]
    apart = [comparison for comparison in comparisons if len(_by_module(comparison)) > 1]
    together = [comparison for comparison in comparisons if comparison not in apart]
    boots: list[Packed] = []
    # Those with the most levels first, they are the hardest to place.
    for comparison in sorted(together, key=lambda one: (_turns_files(one), -len(one.levels))):
        _place(boots, comparison, list(comparison.levels), range(1, pairs + 1))
    return _put_between(boots, apart, pairs) if apart else boots


def _place(boots: list[Packed], comparison: Comparison, levels: Sequence[str], pairs: range) -> None:
    """Into the boot that needs the fewest NICs more for it, or into a new one.

    What needs another module of the kernel comes as late as it can: that stays loaded, and costs what follows a little.
    """
    fitting = [boot for boot in boots if boot.has_room(comparison, levels)]
    if not fitting:
        fitting = [Packed()]
        boots += fitting
    if _turns_files(comparison):
        fitting = fitting[-1:]
    min(fitting, key=lambda boot: boot.new_arms(comparison, levels)).add(comparison, levels, pairs)


def _turns_files(comparison: Comparison) -> bool:
    """Whether its levels are values of files of the host's kernel."""
    return any(parts_of(settings, comparison.names).host for settings in comparison.levels.values())


def _put_between(boots: list[Packed], apart: Sequence[Comparison], pairs: int) -> list[Packed]:
    """The others before and after those that need modules loaded with another parameter."""
    middle = (len(boots) + 1) // 2
    before, after = boots[:middle], boots[middle:]
    half = (pairs + 1) // 2
    between: dict[str, list[Packed]] = {}
    for comparison in apart:
        groups = list(_by_module(comparison).items())
        _place(before, comparison, groups[0][1], range(1, half + 1))
        _place(after, comparison, groups[0][1], range(half + 1, pairs + 1))
        for module, levels in groups[1:]:
            _place(between.setdefault(module, []), comparison, levels, range(1, pairs + 1))
    return [*before, *(boot for boots_of_module in between.values() for boot in boots_of_module), *after]


def _by_module(comparison: Comparison) -> Mapping[str, list[str]]:
    """Its levels by what they have modules loaded with; first those of the baseline."""
    groups: dict[str, list[str]] = {}
    for level, settings in comparison.levels.items():
        groups.setdefault(str(parts_of(settings, comparison.names).module), []).append(level)
    return groups
