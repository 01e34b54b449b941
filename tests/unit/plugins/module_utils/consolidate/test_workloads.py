# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What workloads take."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import (
    DEFAULT,
    HERE,
    IN_GUEST,
    WORKLOADS,
    packages,
    programs,
)


def test_each_program_is_known_at_both_ends() -> None:
    assert set(DEFAULT) <= set(WORKLOADS)
    for program in programs(WORKLOADS):
        assert HERE[program]
        assert IN_GUEST[program]
    assert packages(["tcp_rr", "udp_rr", "nginx"]) == ["netperf", "apache2-utils"]


def test_streams_are_counted_at_the_tap_in_their_direction() -> None:
    assert WORKLOADS["tcp_stream_64"].stream == "rx_bytes"  # from the guest
    assert WORKLOADS["tcp_maerts"].stream == "tx_bytes"
    assert not WORKLOADS["tcp_rr"].is_stream
