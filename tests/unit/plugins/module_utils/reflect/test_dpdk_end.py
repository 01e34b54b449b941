# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several ports as one. The rest is tested with testpmd and pktgen, whose ends these are."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk.telemetry import Counters
from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.dpdk_end import add_up, sum_known


def test_ports_are_added_up_at_the_last_reading() -> None:
    ports = [Counters(1.0, 0.1, 1, 2, 3, 4, 5, 6), Counters(2.0, 0.1, 10, 20, 30, 40, 50, 60)]
    assert add_up(ports) == Counters(2.0, 0.2, 11, 22, 33, 44, 55, 66)


@pytest.mark.parametrize(("speeds", "total"), [([10000], 10000), ([10000, 10000], 20000), ([10000, None], None)])
def test_a_speed_that_is_not_known_makes_no_sum(speeds: list[int | None], total: int | None) -> None:
    assert sum_known(speeds) == total
