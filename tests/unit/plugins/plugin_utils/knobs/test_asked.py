# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared: names, levels, pairs of knobs and workloads, as they come from files and command lines."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.asked import Comparison, comparisons
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

HOST = {"qemu": {"version": "10.0.2"}}

# What "all" is: not what is measured by name only.
LISTED = [name for name, knob in KNOBS.items() if knob.is_listed]


def asked(**variables: Any) -> list[Comparison]:
    names = {"names": "auto", "cross": [], "workloads": "auto", **variables}
    return comparisons({f"knobs_{name}": value for name, value in names.items()}, HOST)


def levels(found: list[Comparison]) -> dict[str, list[str]]:
    return {comparison.knob: list(comparison.levels) for comparison in found}


@pytest.mark.parametrize("names", ["auto", "all", ["all"]])
def test_all_of_them(names: Any) -> None:
    assert [comparison.knob for comparison in asked(names=names)] == LISTED


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("csum", {"csum": ["on", "off"]}),
        ("poll_us, vhost", {"vhost": ["on", "off"], "poll_us": ["0", "50", "200"]}),
        (["poll_us=200"], {"poll_us": ["0", "200"]}),
        ("poll_us=200,poll_us=50", {"poll_us": ["0", "50", "200"]}),
        (["poll_us=50", "poll_us"], {"poll_us": ["0", "50", "200"]}),
        ("tx_queue_size", {"tx_queue_size": ["default", "64"]}),
        ([], {}),
        ("", {}),
    ],
)
def test_some_of_them(names: Any, found: dict[str, list[str]]) -> None:
    assert levels(asked(names=names)) == found


@pytest.mark.parametrize("cross", [["event_idx", "queues"], [["event_idx", "queues"]], "event_idx,queues"])
def test_two_crossed(cross: Any) -> None:
    (comparison,) = asked(cross=cross)
    assert comparison.knob == "event_idx,queues"
    assert list(comparison.levels) == ["on,1", "on,2", "off,1", "off,2"]
    assert comparison.baseline == "on,1"
    assert comparison.levels["off,2"]["event_idx"] == "off"
    assert comparison.workloads == ("udp_out", "tcp_from_host_64k", "tcp_out_64k")
    assert comparison.cells()[1] == {"knob": "event_idx,queues", "level": "on,2", "workload": "udp_out"}


def test_crossed_ones_come_beside_those_that_are_named() -> None:
    assert [one.knob for one in asked(names="csum", cross="event_idx,queues")] == ["csum", "event_idx,queues"]
    assert len(asked(names="all", cross="event_idx,queues")) == len(LISTED) + 1


def test_a_level_that_is_gone_is_gone_from_a_cross_as_well() -> None:
    (comparison,) = asked(cross="tx_queue_size,csum", workloads="udp_out")
    assert list(comparison.levels) == ["default,on", "default,off", "64,on", "64,off"]
    assert [skip["cell"]["level"] for skip in comparison.skipped()] == ["1024,on", "1024,off"]


def test_workloads_for_all() -> None:
    found = asked(names="vhost,csum", workloads=["udp_rr", "tcp_out_64"])
    assert {comparison.workloads for comparison in found} == {("udp_rr", "tcp_out_64")}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"names": "vhots"}, "knobs_names: there is no knob 'vhots'. Allowed: vhost, mrg_rxbuf, .*queues"),
        ({"names": ["all", "vhost"]}, "there is no knob 'all'"),
        ({"names": "poll_us=70"}, r"poll_us cannot be '70'. Allowed: 50, 200 \(the baseline 0 is always measured\)"),
        ({"names": "poll_us=0"}, "poll_us cannot be '0'"),
        ({"names": "poll_us="}, "poll_us cannot be ''"),
        ({"names": {"poll_us": 50}}, "knobs_names cannot be .* Allowed: a list of names"),
        ({"names": [None]}, "knobs_names cannot be .None."),
        ({"cross": "event_idx"}, "knobs_cross cannot have 'event_idx'. Allowed: two knobs each"),
        ({"cross": [["event_idx"]]}, "knobs_cross cannot have"),
        ({"cross": [["a", "b", "c"]]}, "knobs_cross cannot have"),
        ({"cross": ["csum", "csum"]}, "knobs_cross cannot have"),
        ({"cross": [["csum", "gzo"]]}, "knobs_cross: there is no knob 'gzo'"),
        ({"cross": [["csum", "gso"], ["gso", "csum"]]}, "gso and csum twice"),
        ({"cross": 5}, "knobs_cross cannot be 5"),
        ({"cross": "tx,poll_us"}, "poll_us needs vhost=on and cannot be combined with tx"),
        ({"cross": "vhost,tx"}, "tx needs vhost=off and cannot be combined with vhost=on"),
        ({"cross": "tx,txtimer"}, "txtimer needs tx=timer and cannot be combined with tx=bh"),
        ({"workloads": "udp"}, "knobs_workloads cannot be 'udp'. Allowed: auto .* tcp_out_64k"),
        ({"workloads": []}, "knobs_workloads cannot be"),
        ({"workloads": "udp_rr,udp_rr"}, "knobs_workloads cannot be"),
    ],
)
def test_what_does_not_exist(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        asked(**variables)
