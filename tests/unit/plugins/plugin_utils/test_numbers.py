# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number of a cell over its trials."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.numbers import Number, number_of


def test_the_median_and_the_edges_of_what_is_known() -> None:
    assert number_of([3.0, None, 1.0, 2.0]) == Number(2.0, 1.0, 3.0)
    assert number_of([None]) is None
    assert number_of([]) is None
