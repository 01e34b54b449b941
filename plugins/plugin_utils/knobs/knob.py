# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a knob of the study ``knobs`` is, and what one of its levels changes where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

QEMU, LINUX = "QEMU", "Linux"


@dataclass(frozen=True)
class Parts:
    """What a level changes, by the place; what is not named is left as it is found.

    ``tap`` are keys of a tap of M(virtperf.vhost.qemu_vm), ``link`` of one of M(virtperf.vhost.lab_network), ``guest``
    is what is set in the guest once, ``host`` are values by their files, set around each trial, ``module`` parameters
    of the host's kernel modules by their names, which a device reads when it is made.
    """

    tap: Mapping[str, Any] = field(default_factory=dict)
    link: Mapping[str, Any] = field(default_factory=dict)
    guest: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, str] = field(default_factory=dict)
    module: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Gone:
    """Levels that are there no longer; all but the baseline if none is named.

    They are gone where ``part`` (QEMU, Linux) is ``since`` or newer; or, with a ``parameter``, where vhost_net is known
    to lack that.
    """

    part: str
    replaced_by: str
    since: str = ""
    levels: tuple[str, ...] = ()
    parameter: str = ""


@dataclass(frozen=True)
class Knob:
    """``levels`` by their names, the baseline first. ``place`` is where it is turned, in words. ``requires`` are levels
    of other knobs without which it does nothing. ``workloads`` are those that its question is about. ``note`` is what a
    reader of its figures has to know. One that is not listed is none of the list's, and measured when it is named only.
    """

    name: str
    question: str
    place: str
    levels: Mapping[str, Parts]
    workloads: tuple[str, ...]
    requires: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[Gone, ...] = ()
    note: str = ""
    is_listed: bool = True

    @property
    def baseline(self) -> str:
        """The level that the others are compared with."""
        return next(iter(self.levels))

    @property
    def variants(self) -> tuple[str, ...]:
        """The other levels."""
        return tuple(self.levels)[1:]
