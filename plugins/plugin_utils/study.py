# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What table and page ask of a study. Each study answers in its own package; studies.py has them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, TypeVar

from ansible_collections.virtperf.vhost.plugins.plugin_utils.cell_group import CellGroup
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.section import Material, Section
from ansible_collections.virtperf.vhost.plugins.plugin_utils.trials import CellTrials

# What the study measured on one host.
R = TypeVar("R", bound=CellGroup)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study(Generic[R]):
    """A study. ``words`` is the module with its wording, which its template knows by the study's name.

    - ``lay_out`` makes the results, one a host, of the study's cells.
    - ``blocks`` are the parts of table.txt about a result, with the manifest, and the reference's figures or not.
    - ``section`` is the part of the page about a result.
    - ``headline`` is what all its results come to in one sentence, and what that sentence speaks of; both may be empty.
    - ``outcome`` is a valid record in a word.
    """

    lay_out: Callable[[list[CellTrials]], Sequence[R]]
    blocks: Callable[[R, Mapping[str, Any], bool], list[list[str]]]
    section: Callable[[R, Material], Section]
    headline: Callable[[Sequence[R]], tuple[str, str]]
    outcome: Callable[[Record], str]
    words: ModuleType | None = None
