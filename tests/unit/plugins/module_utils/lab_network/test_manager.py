# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges and taps on a kernel that is a dictionary."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.manager import (
    ensure_absent,
    ensure_present,
    undo_lab_network,
)
from ansible_collections.virtperf.vhost.tests.unit.fake_network import FakeNetwork, FakeSystem, network_host

TAPS: list[dict[str, Any]] = [{"name": "tap0"}, {"name": "tap1", "queues": 2, "user": "0"}]
LAB: dict[str, Any] = {"name": "lab0", "address": "192.0.2.1/24", "taps": TAPS}


class Lab:
    """A host, and the calls of the core on it."""

    def __init__(self, root: Path) -> None:
        self.network = FakeNetwork(root)
        self.host: Host = network_host(root)
        self.fakes: dict[str, Any] = {"ip": self.network, "system": FakeSystem(self.network)}

    def present(self, *bridges: dict[str, Any], **more: Any) -> dict[str, Any]:
        return ensure_present(self.host, list(bridges), **more, **self.fakes)

    def absent(self, *bridges: dict[str, Any], **more: Any) -> dict[str, Any]:
        return ensure_absent(self.host, list(bridges), **more, **self.fakes)

    def undo(self) -> list[str]:
        """As restore does it; what it says, and nothing of what it has nothing to say about."""
        entries = reversed(Journal(self.host).entries())
        return [text for entry in entries if (text := undo_lab_network(self.host, entry.undo, **self.fakes))]

    def journal(self) -> list[str]:
        return [f"{entry.undo['step']} {entry.undo['name']}" for entry in Journal(self.host).entries()]

    def refused(self, *bridges: dict[str, Any], **more: Any) -> VirtperfError:
        """The error, after a look at whether anything was touched."""
        before, commands = self.network.state(), len(self.network.commands)
        with pytest.raises(VirtperfError) as caught:
            self.present(*bridges, **more)
        assert self.network.state() == before
        assert len(self.network.commands) == commands
        assert self.journal() == []
        return caught.value


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_foreseen_made_and_left_alone(lab: Lab) -> None:
    before = lab.network.state()
    predicted = lab.present(LAB, check_mode=True)
    assert lab.network.state() == before
    assert lab.journal() == []
    done = lab.present(LAB, run_id="run-7")
    assert all(predicted[key] == done[key] for key in ("changed", "actions", "diff", "warnings"))
    assert done["actions"] == [
        "make bridge lab0 with 192.0.2.1/24",
        "make tap tap0 in lab0",
        "make tap tap1 with several queues of user 0 in lab0",
    ]
    assert done["diff"]["before"] == {"lab0": None, "tap0": None, "tap1": None}
    assert [entry.run_id for entry in Journal(lab.host).entries()] == ["run-7"] * 3
    links = lab.network.links
    assert [links["lab0"]["linkinfo"]["info_data"][key] for key in ("stp_state", "forward_delay")] == [0, 0]
    assert lab.network.addresses("lab0") == ["192.0.2.1/24"]
    for name in ("tap0", "tap1"):
        assert links[name]["master"] == "lab0"
        assert links[name]["linkinfo"]["info_data"]["vnet_hdr"]
        assert links[name]["address"].startswith("fe:")
    assert not any(lab.network.has_ipv6(name) for name in ("lab0", "tap0", "tap1"))
    # Nothing may be sent by an interface that still has IPv6: it comes up last.
    assert lab.network.commands[-1] == "link set dev tap1 up"
    again = lab.present(LAB)
    assert (again["changed"], again["actions"]) == (False, [])
    assert len(lab.journal()) == 3


def test_what_is_not_known_before_it_is_there(lab: Lab) -> None:
    (predicted,) = lab.present(LAB, check_mode=True)["bridges"]
    (made,) = lab.present(LAB)["bridges"]
    assert (predicted["mac"], predicted["taps"][0]["txqueuelen"]) == (None, None)
    assert (made["mac"][:3], made["taps"][0]["txqueuelen"]) == ("02:", 1000)
    assert made["taps"][1] == {
        "name": "tap1",
        "mac": lab.network.links["tap1"]["address"],
        "mtu": 1500,
        "changed": True,
        "kind": "tap",
        "port": "tap1",
        "txqueuelen": 1000,
        "multi_queue": True,
        "user": 0,
    }


def test_made_is_removed(lab: Lab) -> None:
    before = lab.network.state()
    lab.present(LAB)
    made = lab.network.state()
    foreseen = lab.absent(LAB, check_mode=True)
    assert lab.network.state() == made
    done = lab.absent(LAB)
    assert all(foreseen[key] == done[key] for key in ("changed", "actions", "diff"))
    assert done["actions"] == ["remove tap tap1", "remove tap tap0", "remove bridge lab0"]
    assert lab.network.state() == before
    assert lab.journal() == []
    assert not lab.absent(LAB)["changed"]


def test_undone_once_even_when_in_use(lab: Lab) -> None:
    before = lab.network.state()
    lab.present(LAB)
    lab.network.opened("tap0")
    with pytest.raises(VirtperfError, match=r"tap0 cannot be removed: it is in use .*qemu-system-x86 \(pid 70\)"):
        lab.absent(LAB)
    assert lab.undo() == ["remove tap tap1", "remove tap tap0", "remove bridge lab0"]
    assert lab.network.state() == before
    assert lab.undo() == []


def test_after_a_restart_nothing_is_undone(lab: Lab) -> None:
    lab.present(LAB)
    made = lab.network.state()
    lab.network.file("proc/sys/kernel/random/boot_id", "another-boot")
    assert lab.undo() == []
    assert "lab0 is kept: it was not made by this module" in lab.absent(LAB)["warnings"]
    assert lab.network.state() == made


def test_what_was_there_is_changed_and_changed_back(lab: Lab) -> None:
    lab.network.bridge("lab0", "198.51.100.1/24")
    lab.network.bridge("old")
    lab.network.tap("tap0").update(master="old", mtu=1400, flags=[])
    lab.network.tap("tap1", multi_queue=True, user=0)
    before = lab.network.state()
    asked = {**LAB, "mtu": 9000, "taps": [{**TAPS[0], "txqueuelen": 5}, TAPS[1]]}
    done = lab.present(asked)
    assert done["actions"] == [
        "lab0: mtu from 1500 to 9000",
        "lab0: IPv6 off",
        "lab0: add address 192.0.2.1/24",
        "lab0: its MAC address is not to follow its ports",
        "tap0: mtu from 1400 to 9000",
        "tap0: txqueuelen from 1000 to 5",
        "tap0: IPv6 off",
        "tap0: from old to lab0",
        "tap0: up",
        "tap1: mtu from 1500 to 9000",
        "tap1: IPv6 off",
        "tap1: from no bridge to lab0",
    ]
    assert lab.network.addresses("lab0") == ["198.51.100.1/24", "192.0.2.1/24"]
    assert not lab.present(asked)["changed"]
    lab.present({**asked, "mtu": 4000})
    foreseen = lab.absent(LAB, check_mode=True)
    done = lab.absent(LAB)
    assert (foreseen["actions"], foreseen["diff"]) == (done["actions"], done["diff"])
    assert lab.network.state() == before
    lab.present(asked)
    lab.undo()
    assert lab.network.state() == before


def test_what_is_not_given_is_left_alone(lab: Lab) -> None:
    lab.network.bridge("lab0", "198.51.100.1/24")["mtu"] = 9000
    lab.present({"name": "lab0", "taps": [{"name": "tap0", "user": "0", "txqueuelen": 7}]})
    lab.network.links["tap0"]["mtu"] = 1300
    assert not lab.present({"name": "lab0", "taps": [{"name": "tap0"}]})["changed"]
    assert lab.network.addresses("lab0") == ["198.51.100.1/24"]
    assert lab.network.links["lab0"]["mtu"] == 9000


@pytest.mark.parametrize("wish", [{"queues": 2}, {"user": "1"}])
def test_an_idle_tap_is_made_anew_and_gets_back_what_it_was(lab: Lab, wish: dict[str, Any]) -> None:
    lab.network.bridge("lab0")
    lab.network.file("proc/sys/net/ipv6/conf/lab0/disable_ipv6", "1")
    lab.network.file("sys/class/net/lab0/addr_assign_type", "3")
    lab.network.tap("tap0", user=0, group=5).update(master="lab0", mtu=1300, txqlen=5)
    before = lab.network.state()
    done = lab.present({"name": "lab0", "taps": [{"name": "tap0", **wish}]})
    assert [action.split()[0] for action in done["actions"]] == ["remove", "make"]
    now = lab.network.links["tap0"]
    kept = ("master", "mtu", "txqlen", "address")
    assert [now[key] for key in kept] == [before["tap0"][0][key] for key in kept]
    assert (now["linkinfo"]["info_data"]["group"], now["linkinfo"]["info_data"]["user"]) == (
        5,
        int(wish.get("user", 0)),
    )
    lab.present({"name": "lab0", "mtu": 1400, "taps": [{"name": "tap0", **wish}]})
    lab.undo()
    now, was = lab.network.links["tap0"], before["tap0"][0]
    # The kernel says of one that is up whether somebody has it open; here it is only up.
    assert {**now, "flags": was["flags"]} == was
    assert lab.network.has_ipv6("tap0")


def test_made_and_made_anew_is_removed_once(lab: Lab) -> None:
    before = lab.network.state()
    lab.present(LAB)
    lab.present({**LAB, "taps": [{"name": "tap0", "queues": 2}, {"name": "tap1"}]})
    lab.present({**LAB, "mtu": 3000})
    foreseen = lab.absent(LAB, check_mode=True)
    done = lab.absent(LAB)
    assert sorted(done["actions"]) == ["remove bridge lab0", "remove tap tap0", "remove tap tap1"]
    assert foreseen["actions"] == done["actions"]
    assert lab.network.state() == before


def test_an_address_of_ipv6_keeps_it_on_for_the_bridge_alone(lab: Lab) -> None:
    lab.present({**LAB, "address": "2001:db8::1/64"})
    assert [lab.network.has_ipv6(name) for name in ("lab0", "tap0")] == [True, False]
    assert lab.network.links["lab0"]["addrgenmode"] == "none"
    assert not lab.present({**LAB, "address": "2001:db8::1/64"})["changed"]


def test_names_that_others_have(lab: Lab) -> None:
    lab.network.add("eth0")
    lab.network.add("veth0", "veth")
    lab.network.bridge("other")
    for asked, message in (
        ({"name": "eth0"}, "eth0 is no bridge .*an interface of the hardware.*take another name for the bridge"),
        ({"name": "lab0", "taps": [{"name": "veth0"}]}, "veth0 is no tap .*a veth"),
        ({"name": "lab0", "taps": [{"name": "other"}]}, "other is no tap .*a bridge"),
    ):
        error = lab.refused(asked)
        assert error.facts["interface"] == error.what.split()[0]
        assert re.match(message, str(error))


def test_taps_that_cannot_be_taken(lab: Lab) -> None:
    lab.network.tap("tap0")
    lab.network.opened("tap0")
    error = lab.refused({"name": "lab0", "taps": [{"name": "tap0", "queues": 2}]})
    assert error.what == "the tap tap0 would have to be made anew with several queues, and is in use"
    assert error.facts["users"] == ["qemu-system-x86 (pid 70)"]
    error = lab.refused({"name": "lab0", "taps": [{"name": "tap0", "user": "7"}]})
    assert "made anew for user 7, and is in use" in error.what
    assert not lab.present({"name": "lab0", "taps": [{"name": "tap0"}]}, check_mode=True)["bridges"][0]["mac"]
    lab.network.tap("of-qemu", persist=False)
    assert "goes away with the process" in str(lab.refused({"name": "lab0", "taps": [{"name": "of-qemu"}]}))
    lab.network.tap("own")
    lab.network.run("address", "add", "192.0.2.9/24", "dev", "own")
    assert "it has 192.0.2.9/24" in str(lab.refused({"name": "lab0", "taps": [{"name": "own"}]}))


@pytest.mark.parametrize(
    ("asked", "has", "message"),
    [
        ("192.0.2.1/24", "192.0.2.1/24", "eth0 has 192.0.2.1/24"),
        ("192.0.2.1/24", "192.0.2.1/32", "eth0 has 192.0.2.1/32"),
        ("192.0.2.1/25", "192.0.2.77/24", "whose network overlaps"),
        ("192.0.2.1/16", "192.0.2.77/24", "whose network overlaps"),
        ("2001:db8::1/64", "2001:db8::2/64", "whose network overlaps"),
    ],
)
def test_addresses_that_others_have(lab: Lab, asked: str, has: str, message: str) -> None:
    lab.network.add("eth0")
    lab.network.run("address", "add", has, "dev", "eth0")
    error = lab.refused({"name": "lab0", "address": asked})
    assert message in str(error)
    assert error.facts["interface"] == "eth0"


def test_the_same_address_in_another_network(lab: Lab) -> None:
    lab.network.bridge("lab0", "192.0.2.1/16")
    assert "give the same network, 192.0.2.1/16" in str(lab.refused(LAB))


def test_a_network_that_the_way_in_comes_from(lab: Lab) -> None:
    lab.network.add("eth0")
    lab.network.run("address", "add", "198.51.100.7/24", "dev", "eth0")
    # 198.51.100.7:22 and 192.0.2.9, as /proc/net/tcp writes them on a little-endian machine.
    lab.network.file("proc/net/tcp", "sl\n   0: 076433C6:0016 090200C0:C001 01 0:0 0:0")
    assert "192.0.2.9, from which an SSH connection comes" in str(lab.refused(LAB))


def test_what_carries_the_default_route_is_not_touched(lab: Lab) -> None:
    lab.network.bridge("lab0", "198.51.100.1/24")
    lab.network.default_route("lab0")
    for asked in ({"mtu": 9000}, {"address": "192.0.2.1/24"}):
        error = lab.refused({"name": "lab0", **asked})
        assert "lab0 must stay as it is" in error.what
        assert "it carries the default route of IPv4" in error.found
    # With nothing in it, it would take the MAC address of the first that comes.
    assert "would take the MAC address" in str(lab.refused({"name": "lab0", "taps": [{"name": "tap0"}]}))
    lab.network.add("eth0").update(master="lab0", address=lab.network.links["lab0"]["address"])
    bridge = lab.network.state()["lab0"]
    done = lab.present({"name": "lab0", "taps": [{"name": "tap0"}]})
    assert done["actions"] == ["make tap tap0 in lab0"]
    assert lab.network.state()["lab0"] == bridge
    assert "keeps IPv6" in done["warnings"][0]
    assert lab.absent({"name": "lab0", "taps": [{"name": "tap0"}]})["actions"] == ["remove tap tap0"]


def test_a_change_is_not_taken_back_beneath_the_default_route(lab: Lab) -> None:
    lab.network.bridge("lab0")
    lab.present({**LAB, "taps": []})
    lab.network.default_route("lab0")
    now = lab.network.state()
    with pytest.raises(VirtperfError, match="come in another way"):
        lab.absent({**LAB, "taps": []})
    with pytest.raises(VirtperfError, match="come in another way"):
        lab.undo()
    assert lab.network.state() == now


def test_a_bridge_is_not_taken_from_others(lab: Lab) -> None:
    lab.present(LAB)
    lab.network.tap("vnet0")["master"] = "lab0"
    with pytest.raises(VirtperfError, match="ports that are not named: vnet0") as caught:
        lab.absent(LAB)
    assert caught.value.facts["ports"] == ["vnet0"]
    with pytest.raises(VirtperfError, match="ports that are not named: tap0, tap1, vnet0"):
        lab.absent({"name": "lab0"})
    lab.undo()
    assert "master" not in lab.network.links["vnet0"]


def test_one_failure_and_all_is_as_it_was(lab: Lab) -> None:
    lab.network.tap("tap0")
    before = lab.network.state()
    lab.network.fails.append("link set dev tap1 address")
    with pytest.raises(VirtperfError, match="everything is as it was before") as caught:
        lab.present(LAB)
    assert caught.value.facts["left_changed"] == []
    assert lab.network.state() == before
    assert lab.journal() == []


def test_what_does_not_become_what_was_asked_for(lab: Lab) -> None:
    before = lab.network.state()
    lab.network.ignores.append("link set dev tap0 up")
    with pytest.raises(VirtperfError, match=r"tap0 did not become .*up False instead of True.*NetworkManager"):
        lab.present(LAB)
    assert lab.network.state() == before


def test_what_was_left_by_a_crash_is_finished(lab: Lab) -> None:
    """Killed between a tap's making and its being set up: the journal has it, and so has the next call."""
    before = lab.network.state()
    lab.present({**LAB, "taps": []})
    Journal(lab.host).append("lab_network", step="make", name="tap0", kind="tap", boot="this-boot")
    lab.network.run("tuntap", "add", "name", "tap0", "mode", "tap", "vnet_hdr")
    done = lab.present({**LAB, "taps": TAPS[:1]})
    assert done["actions"] == ["tap0: IPv6 off", "tap0: from no bridge to lab0", "tap0: up"]
    lab.undo()
    assert lab.network.state() == before


def test_a_master_that_is_gone_is_not_gone_back_to(lab: Lab) -> None:
    lab.network.bridge("old")
    lab.network.tap("tap0")["master"] = "old"
    lab.present({"name": "lab0", "taps": [{"name": "tap0"}]})
    lab.network.run("link", "delete", "dev", "old")
    lab.undo()
    assert "master" not in lab.network.links["tap0"]


def test_warnings(lab: Lab) -> None:
    assert lab.present(LAB, check_mode=True)["warnings"] == []
    lab.network.file("proc/sys/net/bridge/bridge-nf-call-iptables", "1")
    lab.network.bridge("lab0", stp=1)
    first, second = lab.present(LAB)["warnings"]
    assert first.startswith("net.bridge.bridge-nf-call-iptables is 1")
    assert second.startswith("the bridge lab0 was there before and has STP on")


def test_more_addresses_are_added_and_taken_back_like_the_first(lab: Lab) -> None:
    lab.network.bridge("lab0", "198.51.100.1/24")
    lab.network.run("link", "set", "dev", "lab0", "address", "02:00:00:00:00:01")
    before = lab.network.state()
    asked = {"name": "lab0", "address": "192.0.2.1/24", "more_addresses": ["198.18.1.254/24", "198.18.2.254/24"]}
    done = lab.present(asked)
    assert done["actions"] == [
        "lab0: IPv6 off",
        *(f"lab0: add address {address}" for address in ("192.0.2.1/24", "198.18.1.254/24", "198.18.2.254/24")),
    ]
    assert done["bridges"][0]["addresses"][1:] == ["192.0.2.1/24", "198.18.1.254/24", "198.18.2.254/24"]
    assert not lab.present(asked)["changed"]
    assert not lab.present({"name": "lab0"})["changed"], "what is not asked for is not torn down"
    assert len(lab.absent(asked)["actions"]) == 4
    assert lab.network.state() == before
    lab.present(asked)
    lab.undo()
    assert lab.network.state() == before


def test_more_addresses_of_a_new_bridge(lab: Lab) -> None:
    before = lab.network.state()
    done = lab.present({"name": "lab0", "more_addresses": ["198.18.1.254/24", "2001:db8::1/64"]})
    assert done["actions"] == ["make bridge lab0 with 198.18.1.254/24, 2001:db8::1/64"]
    assert lab.network.has_ipv6("lab0")
    lab.undo()
    assert lab.network.state() == before


def test_one_of_more_addresses_that_somebody_has(lab: Lab) -> None:
    lab.network.add("eth0")
    lab.network.run("address", "add", "198.18.2.7/24", "dev", "eth0")
    error = lab.refused({**LAB, "more_addresses": ["198.18.1.254/24", "198.18.2.254/24"]})
    assert error.facts["address"] == "198.18.2.254/24"


MACVTAP: dict[str, Any] = {"name": "m0", "kind": "macvtap", "mac": "52:54:00:00:00:07", "txqueuelen": 100}
ARMS: dict[str, Any] = {"name": "lab0", "taps": [{"name": "tap0"}, MACVTAP]}


class TestMacvtap:
    def test_made_with_its_pair_and_removed(self, lab: Lab) -> None:
        before = lab.network.state()
        predicted = lab.present(ARMS, check_mode=True)
        assert lab.network.state() == before
        done = lab.present(ARMS)
        assert all(predicted[key] == done[key] for key in ("changed", "actions", "diff", "warnings"))
        assert done["actions"] == [
            "make bridge lab0",
            "make tap tap0 in lab0",
            "make veth pair m0-l and m0-b, this one in lab0",
            "make macvtap m0 on m0-l",
        ]
        links = lab.network.links
        assert links["m0"]["linkinfo"]["info_data"]["mode"] == "bridge"
        assert [links[name].get("master") for name in ("m0", "m0-l", "m0-b")] == [None, None, "lab0"]
        assert (links["m0"]["link"], links["m0-l"]["link"]) == ("m0-l", "m0-b")
        assert (links["m0"]["address"], links["m0"]["txqlen"]) == (MACVTAP["mac"], 100)
        assert links["m0-b"]["address"].startswith("fe:"), "higher than the bridge's own"
        assert all(links[name]["flags"] == ["UP"] and not lab.network.has_ipv6(name) for name in ("m0", "m0-l", "m0-b"))
        assert done["bridges"][0]["taps"][1] == {
            "name": "m0",
            "mac": MACVTAP["mac"],
            "mtu": 1500,
            "changed": True,
            "kind": "macvtap",
            "port": "m0-b",
            "txqueuelen": 100,
            "multi_queue": True,
            "user": None,
        }
        assert not lab.present(ARMS)["changed"]
        foreseen = lab.absent(ARMS, check_mode=True)
        gone = lab.absent(ARMS)
        assert all(foreseen[key] == gone[key] for key in ("changed", "actions", "diff"))
        assert gone["actions"] == ["remove macvtap m0", "remove veth m0-b", "remove tap tap0", "remove bridge lab0"]
        assert lab.network.state() == before
        assert lab.journal() == []

    def test_undone_even_when_in_use(self, lab: Lab) -> None:
        before = lab.network.state()
        lab.present(ARMS)
        lab.network.opened("m0")
        with pytest.raises(VirtperfError, match=r"the macvtap m0 cannot be removed: it is in use .*qemu-system-x86"):
            lab.absent(ARMS)
        assert lab.undo()[0] == "remove macvtap m0"
        assert lab.network.state() == before

    def test_with_a_mac_of_our_own(self, lab: Lab) -> None:
        asked = {"name": "lab0", "taps": [{"name": "m0", "kind": "macvtap"}]}
        assert lab.present(asked, check_mode=True)["bridges"][0]["taps"][0]["mac"] is None
        mac = lab.present(asked)["bridges"][0]["taps"][0]["mac"]
        assert mac.startswith("02:")
        assert not lab.present(asked)["changed"]
        given = {"name": "lab0", "taps": [MACVTAP]}
        done = lab.present(given)
        assert done["actions"] == [f"m0: mac from {mac} to {MACVTAP['mac']}", "m0: txqueuelen from 500 to 100"]
        lab.network.opened("m0")
        other = {**MACVTAP, "mac": "52:54:00:00:00:08"}
        with pytest.raises(VirtperfError, match=r"m0 cannot have another MAC address: it is in use") as caught:
            lab.present({"name": "lab0", "taps": [other]})
        assert caught.value.facts["users"] == ["qemu-system-x86 (pid 70)"]

    @pytest.mark.parametrize(("first", "then"), [(1500, 9000), (9000, 1500)])
    def test_no_mtu_is_larger_than_that_below_it_on_any_way(self, lab: Lab, first: int, then: int) -> None:
        lab.present({**ARMS, "mtu": first})
        made = lab.network.state()
        number = len(Journal(lab.host).entries())
        lab.present({**ARMS, "mtu": then})
        assert {lab.network.links[name]["mtu"] for name in ("lab0", "tap0", "m0", "m0-l", "m0-b")} == {then}
        for entry in reversed(Journal(lab.host).entries()[number:]):
            undo_lab_network(lab.host, entry.undo, **lab.fakes)
        assert lab.network.state() == made

    def test_a_changed_one_is_removed_once(self, lab: Lab) -> None:
        before = lab.network.state()
        lab.present(ARMS)
        lab.present({**ARMS, "mtu": 9000})
        done = lab.absent(ARMS)
        assert sorted(done["actions"]) == [
            "remove bridge lab0",
            "remove macvtap m0",
            "remove tap tap0",
            "remove veth m0-b",
        ]
        assert lab.network.state() == before

    @pytest.mark.parametrize(
        "fails", ["link add name m0-b", "link set dev m0-b address", "link add link", "link set dev m0 "]
    )
    def test_one_failure_and_all_is_as_it_was(self, lab: Lab, fails: str) -> None:
        before = lab.network.state()
        lab.network.fails.append(fails)
        with pytest.raises(VirtperfError, match="everything is as it was before"):
            lab.present(ARMS)
        assert lab.network.state() == before
        assert lab.journal() == []

    def test_what_does_not_become_what_was_asked_for(self, lab: Lab) -> None:
        before = lab.network.state()
        lab.network.ignores.append("link set dev m0-l up")
        with pytest.raises(VirtperfError, match=r"m0-l did not become .*up False instead of True"):
            lab.present(ARMS)
        assert lab.network.state() == before

    def test_what_was_left_by_a_crash_is_finished(self, lab: Lab) -> None:
        before = lab.network.state()
        lab.present({**ARMS, "taps": []})
        Journal(lab.host).append("lab_network", step="make", name="m0-b", kind="veth", boot="this-boot")
        lab.network.veth("m0-b", "m0-l")
        done = lab.present({**ARMS, "taps": [MACVTAP]})
        assert done["actions"][-1] == "make macvtap m0 on m0-l"
        assert lab.network.links["m0-b"]["master"] == "lab0"
        lab.undo()
        assert lab.network.state() == before

    def test_names_that_others_have(self, lab: Lab) -> None:
        asked = {"name": "lab0", "taps": [{"name": "m0", "kind": "macvtap"}]}
        lab.network.tap("m0")
        assert "m0 is no macvtap" in str(lab.refused(asked))
        lab.network.run("link", "delete", "dev", "m0")
        lab.network.veth("m0-b", "other")
        error = lab.refused(asked)
        assert "m0-b is not an end of the veth pair that the macvtap m0 needs (found: a veth with other" in str(error)
        lab.network.run("link", "delete", "dev", "m0-b")
        lab.network.bridge("m0-l")
        assert "m0-l is not an end" in str(lab.refused(asked))

    @pytest.mark.parametrize(("lower", "mode"), [("eth0", "bridge"), ("m0-l", "vepa")])
    def test_one_that_was_made_otherwise(self, lab: Lab, lower: str, mode: str) -> None:
        lab.network.add("eth0")
        lab.network.veth("m0-b", "m0-l")
        lab.network.macvtap("m0", lower, mode)
        error = lab.refused({"name": "lab0", "taps": [{"name": "m0", "kind": "macvtap"}]})
        assert f"made otherwise (found: on {lower}, in mode {mode}" in str(error)

    def test_in_a_bridge_that_must_stay(self, lab: Lab) -> None:
        """It carries the default route; nothing comes through a macvtap that nobody has open."""
        lab.network.bridge("lab0")
        lab.network.run("link", "set", "dev", "lab0", "address", "02:00:00:00:00:01")
        lab.network.default_route("lab0")
        before = lab.network.state()
        lab.present({"name": "lab0", "taps": [MACVTAP]})
        # What the bridge is made of, as the kernel shows it.
        (lab.network.root / "sys/class/net/lab0/lower_m0-b").mkdir()
        assert not lab.present({"name": "lab0", "taps": [MACVTAP]})["changed"]
        lab.network.opened("m0")
        with pytest.raises(VirtperfError, match="m0-b must stay as it is"):
            lab.present({"name": "other", "taps": [MACVTAP]})
        (lab.network.root / "proc/70/fd/9").unlink()
        lab.absent({"name": "lab0", "taps": [MACVTAP]})
        assert lab.network.state() == before
