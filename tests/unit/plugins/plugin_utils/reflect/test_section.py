# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says first about the study reflect."""

from __future__ import annotations

from typing import Any

from ansible_collections.virtperf.vhost.plugins.plugin_utils.analysis import analyse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.grid import Grid, lay_out
from ansible_collections.virtperf.vhost.plugins.plugin_utils.records import Record
from ansible_collections.virtperf.vhost.plugins.plugin_utils.reflect.section import headline, sentence, sentence_cells
from ansible_collections.virtperf.vhost.tests.unit import record_factory as make


def grids_of(raws: list[dict[str, Any]]) -> list[Grid]:
    """What the page is made from."""
    return lay_out(analyse([Record(raw, line) for line, raw in enumerate(raws, start=1)], []))


def test_nothing_measured_is_no_headline() -> None:
    assert headline([]) == ("", "")
    assert headline(grids_of([make.invalid()])) == ("", "")


def test_the_headline_names_the_fastest_and_the_widest_cell() -> None:
    big = make.cell("virtio_user_split", 2, 1518)
    grids = grids_of([make.record(15.2e6), make.record(5e6, of=big)])
    assert sentence(grids) == (
        "localhost carried up to 15.20 million 64-byte packets a second, and up to 61.5 Gbit/s at 1518 bytes."
    )
    assert sentence_cells(grids) == (
        "The first was virtio_user_packed, 1 queue; the second was virtio_user_split, 2 queues."
    )
    grids = grids_of([make.record(15.2e6)])
    assert sentence(grids) == "localhost carried up to 15.20 million 64-byte packets a second."
    assert sentence_cells(grids) == "That was virtio_user_packed, 1 queue."


def test_the_headline_tells_when_trials_do_not_agree() -> None:
    modes = grids_of([make.record(rate, trial=n) for n, rate in enumerate((7e6, 15e6, 15e6), start=1)])
    assert sentence_cells(modes) == "That was virtio_user_packed, 1 queue (two modes)."
    spread = grids_of([make.record(rate, trial=n) for n, rate in enumerate((13e6, 14e6, 15e6), start=1)])
    assert sentence_cells(spread) == "That was virtio_user_packed, 1 queue (trials 14 % apart)."
