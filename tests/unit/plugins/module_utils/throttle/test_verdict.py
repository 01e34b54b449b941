# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limited a phase is said only where the evidence says so, and causes come before consequences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.verdict import Evidence, judge

QUIET: dict[str, Any] = {
    "throttled": {"workers": 0.0},
    "throttled_time": {"workers": 0.0},
    "ran": {"worker": {"w1": 0.5, "w2": 0.4}, "vcpu": {"v0": 0.6}},
    "waited": {"worker": {"w1": 0.0}, "vcpu": {"v0": 0.01}},
    "dropped": {"tap0": (0, 1000), "tap1": (0, 1000)},
    "backlog_bytes": {"tap0": 1500.0},
    "sender_full": 0.1,
    "sender_buffer_limited": 0.0,
    "sender_peer_limited": 0.0,
}


def verdict(**changes: Any) -> dict[str, Any]:
    return judge(Evidence(**{**QUIET, **changes}))


@pytest.mark.parametrize(
    ("changes", "limit", "words"),
    [
        (
            {"throttled": {"workers": 1.0}, "throttled_time": {"workers": 0.98}},
            "worker-throttled",
            "the workers in workers were throttled in 100% of the periods, for 98% of wall time, all CPUs together",
        ),
        ({"throttled": {"workers": 0.5}, "throttled_time": {}}, "worker-throttled", "in 50% of the periods"),
        ({"ran": {"worker": {"w1": 0.97}}}, "worker-cpu", "w1 ran for 97% of the time"),
        ({"ran": {"vcpu": {"v0": 0.99}}}, "vcpu-cpu", "v0 ran for 99% of the time"),
        (
            {"ran": {"vcpu": {"v0": 0.6}}, "waited": {"vcpu": {"v0": 0.38}}},
            "cpu-contention",
            "v0 ran for 60% of the time and waited for a CPU for 38%",
        ),
        ({"sender_peer_limited": 0.6}, "receiver", "waited for the receiver's window for 60%"),
        ({"dropped": {"tap1": (5, 995)}}, "tap-queue-drop", "tap1's queue dropped 5 of 1000 packets"),
        ({"backlog_bytes": {"tap0": 200_000.0}}, "qdisc-backlog", "195 KiB waited in front of tap0"),
        ({"sender_full": 0.9}, "sender-buffer", "full in 90% of the looks"),
        ({"sender_buffer_limited": 0.8}, "sender-buffer", "full in 80% of the looks"),
    ],
)
def test_each_limit_with_its_evidence(changes: dict[str, Any], limit: str, words: str) -> None:
    found = verdict(**changes)
    assert (found["limit"], found["signs"]) == (limit, [limit])
    assert words in found["evidence"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"throttled": {"workers": 0.49}},
        {"ran": {"worker": {"w1": 0.94}}},
        {"ran": {"worker": {"w1": 0.7}}, "waited": {"worker": {"w1": 0.1}}},
        {"ran": {"worker": {"w1": 0.2}}, "waited": {"worker": {"w1": 0.5}}},
        {"dropped": {"tap0": (1, 1_000_000)}},
        {"dropped": {"tap0": (0, 0)}},
    ],
)
def test_where_nothing_stands_out_nothing_is_claimed(changes: dict[str, Any]) -> None:
    found = verdict(**changes)
    assert (found["limit"], found["signs"]) == ("undetermined", [])
    assert "the sender's buffer was full in 10% of the looks" in found["evidence"]


def test_the_cause_comes_first_and_tells_where_it_shows() -> None:
    found = verdict(
        throttled={"workers": 1.0},
        waited={"worker": {"w1": 0.6}},
        dropped={"tap0": (10, 90)},
        backlog_bytes={"tap0": 1e6},
        sender_full=1.0,
    )
    # A throttled worker has to wait: that is no contention.
    assert found["signs"] == ["worker-throttled", "tap-queue-drop", "qdisc-backlog", "sender-buffer"]
    assert found["limit"] == "worker-throttled"
    assert found["evidence"].index("throttled") < found["evidence"].index("tap0's queue dropped 10 of 100")


def test_without_any_evidence_that_is_said() -> None:
    assert judge(Evidence())["evidence"] == "nothing was sampled that could tell"


shares = st.dictionaries(st.sampled_from(["a", "b"]), st.floats(0, 3))


@given(
    throttled=shares,
    time=shares,
    ran=shares,
    waited=shares,
    dropped=st.dictionaries(st.just("t"), st.tuples(st.integers(0, 99), st.integers(0, 99))),
    full=st.none() | st.floats(0, 1),
)
def test_there_is_always_a_verdict_with_its_evidence(
    throttled: dict[str, float], time: dict[str, float], ran: dict[str, float], waited: dict[str, float],
    dropped: dict[str, tuple[int, int]], full: float | None,
) -> None:  # fmt: skip
    found = judge(Evidence(throttled, time, {"worker": ran}, {"worker": waited}, dropped, {}, full, full, full))
    assert found["evidence"]
    assert found["limit"] == (found["signs"] or ["undetermined"])[0]
