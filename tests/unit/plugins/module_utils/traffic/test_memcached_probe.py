# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Percentiles; the program as a whole is tried in test_memcached.py."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.memcached_probe import percentile


def test_by_nearest_rank() -> None:
    assert percentile([], 50) is None
    assert percentile([7.0], 99) == 7.0
    assert percentile([float(n) for n in range(100)], 50) == 50.0
    assert percentile([float(n) for n in range(100)], 99) == 99.0
    assert percentile([float(n) for n in range(1000)], 99) == 990.0
