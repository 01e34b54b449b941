# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.request import (
    BridgeWish,
    TapWish,
    names,
    parse,
)


def test_all_of_it() -> None:
    taps = [{"name": "tap0", "queues": 4, "user": "root", "txqueuelen": 500}, {"name": "tap.1-x_y"}]
    (bridge,) = parse([{"name": "lab0", "address": "192.0.2.1/24", "mtu": 9000, "taps": taps}])
    assert bridge == BridgeWish(
        "lab0", ("192.0.2.1/24",), 9000, (TapWish("tap0", 4, "0", 500), TapWish("tap.1-x_y", 1, "", 0))
    )
    assert [tap.multi_queue for tap in bridge.taps] == [True, False]
    assert names([bridge]) == {"lab0", "tap0", "tap.1-x_y"}


def test_what_is_not_given_is_left_alone() -> None:
    nothing = {"name": "t", "queues": 1, "user": None, "txqueuelen": None}
    assert parse([{"name": "b", "address": "", "mtu": None, "taps": [nothing]}]) == [
        BridgeWish("b", (), 0, (TapWish("t"),))
    ]


def test_addresses_in_one_spelling() -> None:
    (bridge,) = parse([{"name": "b", "address": "2001:DB8:0::1/64"}])
    assert bridge.addresses == ("2001:db8::1/64",)


def test_more_addresses_after_the_first() -> None:
    more = ["198.18.1.254/24", "2001:DB8::1/64"]
    (bridge,) = parse([{"name": "b", "address": "192.0.2.1/24", "more_addresses": more}])
    assert bridge.addresses == ("192.0.2.1/24", "198.18.1.254/24", "2001:db8::1/64")
    (bridge,) = parse([{"name": "b", "more_addresses": more[:1]}])
    assert bridge.addresses == ("198.18.1.254/24",)


def test_a_macvtap_is_three_interfaces() -> None:
    given = {"name": "arm-12345-one", "kind": "macvtap", "mac": "52:54:00:00:00:01", "queues": 2, "txqueuelen": 5}
    (bridge,) = parse([{"name": "b", "taps": [given, {"name": "t", "kind": "tap"}]}])
    one, two = bridge.taps
    assert one == TapWish("arm-12345-one", 2, "", 5, "macvtap", "52:54:00:00:00:01")
    assert (one.below, one.port) == ("arm-12345-one-l", "arm-12345-one-b")
    assert (two.port, two.interfaces) == ("t", ("t",))
    assert names([bridge]) == {"b", *one.interfaces, "t"}


@pytest.mark.parametrize("name", ["", "x" * 16, "a/b", "a b", "a:b", "tap%d", "..", "-x", "lo", "all", "ünïcödé-ßßß"])
@pytest.mark.parametrize("kind", ["bridge", "tap"])
def test_names_that_no_interface_can_have(kind: str, name: str) -> None:
    bridge = {"name": name} if kind == "bridge" else {"name": "b", "taps": [{"name": name}]}
    with pytest.raises(VirtperfError, match=f"a {kind} cannot be named"):
        parse([bridge])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"address": "192.0.2.1"}, "no address with the length of its network"),
        ({"address": "192.0.2.0/24"}, "not for hosts .*such as 192.0.2.1/24"),
        ({"address": "192.0.2.255/24"}, "not for hosts"),
        ({"address": "127.0.0.5/8"}, "not for a network of guests"),
        ({"address": "fe80::1/64"}, "not for a network of guests"),
        ({"mtu": 67}, "b: mtu cannot be 67.*from 68 to 65521"),
        ({"mtu": 65522}, "b: mtu cannot be 65522"),
        ({"taps": [{"name": "t", "queues": 0}]}, "t: queues cannot be 0.*from 1 to 256"),
        ({"taps": [{"name": "t", "queues": 257}]}, "t: queues cannot be 257"),
        ({"taps": [{"name": "t", "txqueuelen": 0}]}, "t: txqueuelen cannot be 0"),
        ({"taps": [{"name": "t", "user": "no such user"}]}, "no user 'no such user'"),
        ({"more_addresses": ["192.0.2.1"]}, "no address with the length of its network"),
        ({"more_addresses": [""]}, "no address with the length of its network"),
        ({"more_addresses": ["198.18.1.0/24"]}, "not for hosts"),
        ({"address": "192.0.2.1/24", "more_addresses": ["192.0.2.1/24"]}, "bridge b cannot have both 192.0.2.1/24 and"),
        ({"more_addresses": ["198.18.1.1/24", "198.18.0.1/16"]}, "networks overlap.*each address a network of its own"),
        ({"taps": [{"name": "t", "kind": "ipvtap"}]}, "t: kind cannot be 'ipvtap'.*one of tap, macvtap"),
        ({"taps": [{"name": "x" * 14, "kind": "macvtap"}]}, "a macvtap cannot be named 'x{14}'.*up to 13 letters"),
        ({"taps": [{"name": "m", "kind": "macvtap", "user": "root"}]}, "macvtap m: user 'root' cannot open it"),
        ({"taps": [{"name": "t", "mac": "52:54:00:00:00:01"}]}, "tap t: it cannot have the MAC address"),
        ({"taps": [{"name": "m", "kind": "macvtap", "mac": "53:54:00:00:00:01"}]}, "is no MAC address"),
        ({"taps": [{"name": "m", "kind": "macvtap", "mac": "52:54:00:AA:00:01"}]}, "lower-case"),
        ({"taps": [{"name": "m", "kind": "macvtap", "mac": "00:00:00:00:00:00"}]}, "is no MAC address"),
        ({"taps": [{"name": "m", "kind": "macvtap"}, {"name": "m-l"}]}, "m-l is asked for twice .*a tap and as a veth"),
        ({"taps": [{"name": "t"}, {"name": "t"}]}, "t is asked for twice"),
        ({"taps": [{"name": "b"}]}, "b is asked for twice .*as a bridge and as a tap"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        parse([{"name": "b", **given}])


def test_two_bridges_with_one_network() -> None:
    with pytest.raises(VirtperfError, match=r"two bridges cannot have 192\.0\.2\.1/24 and 192\.0\.2\.130/25"):
        parse([{"name": "a", "address": "192.0.2.1/24"}, {"name": "b", "address": "192.0.2.130/25"}])


@given(st.text(max_size=20))
def test_any_name_is_taken_as_it_is_or_refused(name: str) -> None:
    try:
        (bridge,) = parse([{"name": name}])
    except VirtperfError:
        return
    assert bridge.name == name
    assert 0 < len(name.encode()) < 16
    assert not set(name) & set("/: \t\n%\0")
