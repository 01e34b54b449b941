# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a timeline is run on, checked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Watched
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.setup import setup

RAW: dict[str, Any] = {
    "workload": "iperf3",
    "layout": "kthread",
    "phases": [{"name": "baseline", "seconds": 2}, {"name": "throttled", "cpu_max": "1000 1000000", "seconds": 3}],
    "trials": 2,
    "sender": "client",
    "server": {"name": "guest1", "interfaces": ["tap0"], "through": ["ssh", "guest1"], "command": ["iperf3", 5]},
    "client": {"name": None, "interfaces": ["tap1", "tap0"]},
    "bridge": ["br0"],
    "threads": [{"label": "w", "role": "worker", "pid": 5, "tid": 6, "start": 7}],
    "cgroups": {"workers": "/cg"},
    "sample_seconds": 0.1,
    "socket_seconds": 1.0,
    "settle_seconds": 1.0,
    "warmup_seconds": 0.0,
}


def test_all_of_it() -> None:
    made = setup(RAW)
    assert made.interfaces == ["tap0", "tap1", "br0"]
    assert (made.receiver, made.seconds) == ("server", 5)
    assert made.server.command == ("iperf3", "5")
    assert (made.server.name, made.client.name, made.client.through) == ("guest1", "client", ())
    assert list(made.threads) == [Watched("w", 5, 6, 7)]
    assert made.roles == {"w": "worker"}
    assert made.timing.settle_s == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cgroups": {}}, "there is no cgroup to limit"),
        ({"server": None}, "nothing says on which interface the stream reaches the server"),
        ({"threads": [{"label": "w", "role": "boss", "pid": 1, "tid": 1}]}, "thread w cannot be watched"),
        ({"threads": RAW["threads"] * 2}, "another one of that label"),
        ({"trials": 0}, "trials cannot be 0"),
        ({"sample_seconds": 0.001}, "sample_seconds cannot be 0.001"),
        ({"settle_seconds": -1.0}, "settle_seconds cannot be -1"),
        ({"warmup_seconds": float("nan")}, "warmup_seconds cannot be nan"),
        ({"phases": [{"name": str(n), "seconds": 3600} for n in range(2)]}, "the seconds of all phases cannot be 7200"),
        ({"phases": [{"name": "a", "cpu_max": "9 9", "seconds": 1}]}, "phase a: cpu_max '9 9'"),
    ],
)
def test_what_cannot_be(change: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        setup({**RAW, **change})


def test_without_a_limit_no_cgroup_is_needed() -> None:
    assert setup({**RAW, "cgroups": {}, "phases": [{"name": "baseline", "seconds": 1}]}).cgroups == {}
