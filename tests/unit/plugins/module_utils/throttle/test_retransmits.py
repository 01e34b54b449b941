# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why TCP sent again, from counters of a real kernel."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.ends import End
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.pump import Pump
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.retransmits import (
    COUNTERS,
    Look,
    growth,
    looks,
    watch,
)

# Of Linux 6.18, shortened.
SAID = """\
TcpExt: SyncookiesSent TCPLostRetransmit TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes
TcpExt: 0 1 2 0 7 3
IpExt: InNoRoutes InTruncatedPkts
IpExt: 0 0
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm MaxConn RetransSegs InErrs
Tcp: 1 -1 13 0
@
"""


def at(instant_s: float, text: str) -> list[tuple[float, str]]:
    return [(instant_s, line) for line in text.splitlines()]


def test_the_counters_of_each_look() -> None:
    later = SAID.replace("2 0 7 3", "5 0 9 3").replace("-1 13", "-1 20")
    seen = looks([*at(1.0, SAID), *at(2.0, later), *at(3.0, "TcpExt: TCPTimeouts\nTcpExt: 99\n")])
    counters = {"TCPLostRetransmit": 1, "TCPFastRetrans": 2, "TCPSlowStartRetrans": 0}
    assert seen[0] == Look(1.0, {**counters, "TCPTimeouts": 7, "TCPLossProbes": 3, "RetransSegs": 13})
    assert [look.at_s for look in seen] == [1.0, 2.0]
    assert growth(seen, 1.5, 2.5) == {
        "from_s": 1.0,
        "to_s": 2.0,
        "TCPLostRetransmit": 0,
        "TCPFastRetrans": 3,
        "TCPSlowStartRetrans": 0,
        "TCPTimeouts": 2,
        "TCPLossProbes": 0,
        "RetransSegs": 7,
    }


def test_without_a_look_before_and_one_within_nothing_is_known() -> None:
    seen = looks([*at(1.0, SAID), *at(2.0, SAID)])
    assert growth(seen, 0.5, 2.5) is None
    assert growth(seen, 2.1, 2.5) is None
    assert growth([], 0.0, 9.0) is None


@pytest.mark.parametrize("end", [End("here"), End("there", through=("sh", "-c"))])
def test_this_kernel_s_own(end: End) -> None:
    with Pump() as pump:
        child = pump.start("counters", watch(end, 0.1))
        limit_s = time.monotonic() + 10
        while len(looks(child.lines)) < 2 and time.monotonic() < limit_s:
            pump.wait_until(time.monotonic() + 0.05)
        assert set(looks(child.lines)[1].counters) == set(COUNTERS)
    assert child.status is not None


@given(st.lists(st.text(alphabet="Tcp:Ext 0123456789@-²\t", max_size=40)))
def test_whatever_is_said_it_is_read(lines: list[str]) -> None:
    for look in looks([(float(number), line) for number, line in enumerate(lines)]):
        assert set(look.counters) <= set(COUNTERS)
