# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From levels to what is set where."""

from __future__ import annotations

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.catalogue import KNOBS
from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs.settings import name_of, parts_of, settings_with
from ansible_collections.virtperf.vhost.plugins.plugin_utils.values import PlanError

NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"


def test_a_set_is_complete() -> None:
    assert settings_with({}) == {name: knob.baseline for name, knob in KNOBS.items()}
    assert name_of(settings_with({})) == "baseline"
    assert name_of(settings_with({"event_idx": "off"})) == "event_idx=off"


def test_what_is_required_comes_with_it() -> None:
    settings = settings_with({"txtimer": "1000000"})
    assert (settings["vhost"], settings["tx"]) == ("off", "timer")
    assert name_of(settings) == "vhost=off,tx=timer,txtimer=1000000"
    # Also for a level that is the baseline.
    assert name_of(settings_with({"txtimer": "150000"})) == "vhost=off,tx=timer"
    assert name_of(settings_with({"tx": "bh", "txburst": "16"})) == "vhost=off,txburst=16"


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (
            {"tx": "timer", "poll_us": "50"},
            "poll_us needs vhost=on and cannot be combined with tx. Allowed: poll_us with",
        ),
        ({"zcopytx": "1", "txburst": "16"}, "txburst needs vhost=off and cannot be combined with zcopytx"),
        ({"vhost": "on", "tx": "timer"}, "tx needs vhost=off and cannot be combined with vhost=on"),
        ({"tx": "bh", "txtimer": "1000000"}, "txtimer needs tx=timer and cannot be combined with tx=bh"),
    ],
)
def test_what_does_not_go_together(levels: dict[str, str], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        settings_with(levels)


def test_parts_are_put_together() -> None:
    parts = parts_of(settings_with({"mrg_rxbuf": "off", "csum": "off", "queues": "2", "vectors": "0"}))
    assert parts.tap == {
        "vhost": True,
        "queues": 2,
        "vectors": 0,
        "virtio": {
            "mrg_rxbuf": "off",
            "csum": "off",
            "gso": "off",
            "host_tso4": "off",
            "host_tso6": "off",
            "host_ecn": "off",
            "host_ufo": "off",
        },
    }
    assert parts.link == {"queues": 2}
    assert parts.guest == {"ethtool": {"channels": {"combined": 2}}}
    assert (parts.host, parts.module) == ({}, {})
    # The catalogue is as it was.
    assert KNOBS["mrg_rxbuf"].levels["off"].tap == {"virtio": {"mrg_rxbuf": "off"}}


def test_the_host_is_only_touched_for_knobs_that_are_turned() -> None:
    baseline = settings_with({})
    assert parts_of(baseline).host == {}
    assert parts_of(baseline, ["bridge_nf"]).host == {NETFILTER: "0"}
    assert parts_of(settings_with({"bridge_nf": "1"})).host == {NETFILTER: "1"}
    assert parts_of(baseline, ["zcopytx"]).module == {"vhost_net": {"experimental_zcopytx": "0"}}
