# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says about one study on one host, whatever the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.samples import AllSeries
from ansible_collections.virtperf.vhost.plugins.plugin_utils.setup import Setting
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import JudgedCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the page. Studies add what is theirs."""

    anchor: str
    result: CellGroup
    # Reasons for skipping, with the cells each holds for.
    skipped: Mapping[str, Sequence[JudgedCell]]
    settings: Sequence[Setting]
    facts: Sequence[tuple[str, str]]
    definition: Sequence[tuple[str, str]]
    versions: Sequence[str]
    invalid: Sequence[Record]
    # What ran the guests, why absolute numbers say little, and what came with the trials as a warning.
    accelerators: str
    caution: str
    warnings: Sequence[str]

    @property
    def study(self) -> str:
        """The study's name; the template of its part of the page is called after it."""
        return self.result.study

    @property
    def host(self) -> str:
        """The host's name in the inventory."""
        return self.result.host

    @property
    def plots(self) -> Mapping[str, Mapping[str, Any]]:
        """All its plots by the names that the page has for them."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Material:
    """What a study makes its section from, beside its result.

    ``common`` are the fields that every section has. ``reference`` asks for the figures of the measurement that a study
    follows.
    """

    common: Mapping[str, Any]
    manifest: Mapping[str, Any]
    series: AllSeries
    reference: bool

    @property
    def anchor(self) -> str:
        """What tells the section's plots from those of others."""
        return self.common["anchor"]
