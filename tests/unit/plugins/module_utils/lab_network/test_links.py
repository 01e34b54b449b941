# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces read from what ip says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.links import Link, parse, users
from ansible_collections.virtperf.vhost.tests.unit.fake_network import RECORDED, FakeNetwork, network_host

NOWHERE = Host(proc="/nonexistent", sys="/nonexistent")


def test_what_iproute2_6_1_said_on_linux_6_18() -> None:
    """``ip -details -json address show`` in a network namespace with two bridges, taps, a tun and a veth pair."""
    links = parse(NOWHERE, RECORDED.read_text())
    assert list(links) == ["lo", "lab0", "tap-one", "tap-many", "br-old", "tun0", "veth1", "veth0", "tap-qemu"]
    assert links["lab0"].addresses == ("192.0.2.1/24", "2001:db8::1/64")
    assert [(link.name, link.kind) for link in links.values() if link.kind != "veth"] == [
        ("lo", ""),
        ("lab0", "bridge"),
        ("tap-one", "tap"),
        ("tap-many", "tap"),
        ("br-old", "bridge"),
        ("tun0", "tun"),
        ("tap-qemu", "tap"),
    ]
    one, many, qemu = links["tap-one"], links["tap-many"], links["tap-qemu"]
    assert (one.master, one.mtu, one.txqueuelen, one.up, one.in_use) == ("lab0", 1400, 1000, True, False)
    assert (one.multi_queue, one.vnet_hdr, one.pi, one.persistent, one.user) == (False, True, False, True, "")
    # Down, and one queue of it is open.
    assert (many.multi_queue, many.up, many.in_use, many.user, many.group) == (True, False, True, "65534", "5678")
    assert (qemu.persistent, qemu.in_use, qemu.addresses) == (False, True, ())
    assert (links["lab0"].stp, links["br-old"].stp) == (False, True)
    assert links["tun0"].what == "a tun"
    assert [links[name].lower for name in ("veth0", "veth1", "lab0")] == ["veth1", "veth0", ""]


def test_what_it_said_of_a_macvtap() -> None:
    """The same, of ``ip link add link veth0 name m0 type macvtap mode bridge``, without what nobody asks for."""
    info = {"info_kind": "macvtap", "info_data": {"mode": "bridge", "bcqueuelen": 1000, "usedbcqueuelen": 1000}}
    said = {"ifindex": 4, "link": "veth0", "ifname": "m0", "flags": ["UP"], "mtu": 1500, "txqlen": 500}
    link = parse(NOWHERE, json.dumps([{**said, "address": "a6:88:b9:31:c0:72", "linkinfo": info}]))["m0"]
    assert (link.kind, link.lower, link.mode, link.txqueuelen) == ("macvtap", "veth0", "bridge", 500)


def test_what_only_files_tell(tmp_path: Path) -> None:
    network = FakeNetwork(tmp_path)
    network.add("eth0")
    network.add("eth1")
    network.file("proc/sys/net/ipv6/conf/eth1/disable_ipv6", "1")
    network.file("sys/class/net/eth1/addr_assign_type", "3")
    links = parse(network_host(tmp_path), network.run("-details", "-json", "address", "show"))
    assert [(links[name].ipv6, links[name].pinned) for name in ("eth0", "eth1")] == [(True, False), (False, True)]


@pytest.mark.parametrize("text", ["", "lab0: <UP>", "{}"])
def test_no_list(text: str) -> None:
    with pytest.raises(VirtperfError, match=r"as JSON.*iproute2 4\.14"):
        parse(NOWHERE, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["ifname", "flags", "mtu", "linkinfo", "info_kind", "info_data", "user", "addr_info", "local"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
def test_whatever_is_in_the_list_is_read_or_left_out(listed: list[Any]) -> None:
    links = parse(NOWHERE, json.dumps(listed))
    names = [entry.get("ifname") for entry in listed if isinstance(entry, dict)]
    assert set(links) == {name for name in names if isinstance(name, str) and name and "\0" not in name}


def test_to_the_journal_and_back() -> None:
    for link in parse(NOWHERE, RECORDED.read_text()).values():
        written = json.loads(json.dumps(link.as_dict()))
        assert Link.from_dict({**written, "of a later version": 1}) == link


def test_who_has_a_tap_open(tmp_path: Path) -> None:
    network = FakeNetwork(tmp_path)
    host = network_host(tmp_path)
    for pid, tap in ((70, "tap0"), (71, "tap1"), (72, "tap0")):
        network.tap(tap)
        network.opened(tap, pid)
        (tmp_path / f"proc/{pid}/ns").mkdir()
        # One of the same name in another network namespace.
        (tmp_path / f"proc/{pid}/ns/net").symlink_to("net:[2]" if pid == 72 else "net:[1]")
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/net").symlink_to("net:[1]")
    assert users(host, "tap0") == ["qemu-system-x86 (pid 70)"]
    assert users(host, "tap") == []


def test_who_has_a_macvtap_open(tmp_path: Path) -> None:
    network = FakeNetwork(tmp_path)
    network.veth("m0-b", "m0-l")
    network.macvtap("m0", "m0-l")
    network.macvtap("m1", "m0-l")
    network.opened("m0", 71)
    host = network_host(tmp_path)
    assert users(host, "m0") == ["qemu-system-x86 (pid 71)"]
    assert users(host, "m1") == []
