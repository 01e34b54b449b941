# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lab_network on this machine's kernel, in a network namespace that is the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
import pytest

pytestmark = pytest.mark.apart

MODULES = "ansible_collections.virtperf.vhost.plugins.modules"
# Journal and runtime directory are the test's own, too.
APART = 'mount -t tmpfs tmpfs /run && mount --bind "$1" /var/lib && shift && exec "$@"'
# Everything that can be set, of every interface, by name. Numbers of interfaces, what counts on by itself, and what
# follows from ports or from the carrier, which comes and goes a while later, do not belong to it; random MAC addresses
# do. The queueing discipline of an interface that is down is what it was when it was up.
SNAPSHOT = """
import json, os, re, subprocess

def ip(*words):
    return json.loads(subprocess.run(["ip", "-details", "-json", *words], capture_output=True, check=True).stdout)

def settled(value):
    if isinstance(value, dict):
        out = ["ifindex", "bridge_id", "root_id", "valid_life_time", "preferred_life_time", "state", "no", "id"]
        flags = value.get("flags", [])
        value = {**value, "flags": [flag for flag in flags if flag not in ("LOWER_UP", "NO-CARRIER", "linkdown")]}
        out += ["operstate", "tso_max_size", *([] if "UP" in flags else ["qdisc"])]
        return {k: settled(v) for k, v in value.items() if k not in out and not k.endswith("_timer")
                and not k.startswith("designated") and not k.startswith("root_p")}
    return [settled(one) for one in value] if isinstance(value, list) else value

found = {link["ifname"]: settled(link) for link in ip("address", "show")}
found["modes"] = {link["ifname"]: link.get("inet6_addr_gen_mode") for link in ip("link", "show")}
for family in ("-4", "-6"):
    for route in map(settled, ip(family, "route", "show", "table", "all")):
        found[" ".join(str(route.get(key)) for key in ("type", "dst", "dev", "table", "gateway"))] = route
for family in ("ipv4", "ipv6"):
    for directory, _directories, files in os.walk(f"/proc/sys/net/{family}/conf"):
        for name in files:
            try:
                found[f"{directory}/{name}"] = open(f"{directory}/{name}").read()
            except OSError as error:
                found[f"{directory}/{name}"] = error.errno
print(json.dumps(found, sort_keys=True))
"""
# A process that has a tap open, as QEMU has it.
HOLDER = """
import fcntl, os, struct, sys
tap = os.open("/dev/net/tun", os.O_RDWR)
IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x100, 0x1000, 0x4000
flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (IFF_MULTI_QUEUE if sys.argv[2] == "many" else 0)
fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), flags))
print("open", flush=True)
sys.stdin.read()
"""
TAPS = [{"name": "vpt-one"}, {"name": "vpt-many", "queues": 4, "user": "nobody", "txqueuelen": 333}]
BRIDGE = {"name": "vpt-br", "address": "192.0.2.1/24", "taps": TAPS}


@dataclass
class Namespace:
    """Where there is nothing but a loopback."""

    name: str
    state: Path

    def command(self, *words: str) -> list[str]:
        """What runs a command in it."""
        return ["ip", "netns", "exec", self.name, *words]

    def ip(self, text: str) -> None:
        """Change it by hand."""
        subprocess.run(self.command("ip", *text.split()), check=True)

    def call(self, module: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """The result of a module, failed or not."""
        given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        done = subprocess.run(
            self.command(
                *("unshare", "--mount", "--propagation", "private", "sh", "-ec", APART, "apart", str(self.state)),
                *(sys.executable, "-m", f"{MODULES}.{module}"),
            ),
            input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
            env={**os.environ, "PYTHONPATH": str(bench.CHECKOUT / ".venv" / "collections")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.strip(), done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def network(self, *bridges: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The result of the module for these bridges."""
        return self.call("lab_network", bridges=list(bridges), **more)

    def snapshot(self) -> dict[str, Any]:
        """Its whole state."""
        done = subprocess.run(self.command(sys.executable, "-c", SNAPSHOT), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


Hold = Callable[[str, str], None]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Namespace]:
    """One for each test. Namespaces share this machine's journal and its run lock, so these are the test's as well."""
    name = f"vptest-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield Namespace(name, tmp_path)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture
def hold(space: Namespace) -> Iterator[Hold]:
    """Opens a tap until the test ends."""
    holders = []

    def opened(tap: str, queues: str) -> None:
        command = space.command(sys.executable, "-c", HOLDER, tap, queues)
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holders.append(holder)
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"

    yield opened
    for holder in holders:
        holder.communicate()


def differing(one: Any, other: Any, where: str = "") -> dict[str, Any]:
    """The places at which two states differ, with what is there in each."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return {} if one == other else {where: (one, other)}
    pairs = [differing(one.get(key), other.get(key), f"{where}/{key}") for key in sorted({*one, *other})]
    return {place: values for found in pairs for place, values in found.items()}


def test_foreseen_made_idempotent_and_undone_in_both_ways(space: Namespace) -> None:
    before = space.snapshot()
    predicted = space.network(BRIDGE, check=True)
    assert differing(before, space.snapshot()) == {}
    done = space.network(BRIDGE, run_id="run-7")
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == done[key], key
    assert done["actions"] == [
        "make bridge vpt-br with 192.0.2.1/24",
        "make tap vpt-one in vpt-br",
        "make tap vpt-many with several queues of user 65534 in vpt-br",
    ]
    made = space.snapshot()
    bridge = made["vpt-br"]["linkinfo"]["info_data"]
    assert [bridge[key] for key in ("stp_state", "forward_delay", "mcast_snooping")] == [0, 0, 0]
    assert [made["vpt-br"]["addr_info"][0][key] for key in ("local", "broadcast")] == ["192.0.2.1", "192.0.2.255"]
    for name, tap in (("vpt-one", TAPS[0]), ("vpt-many", TAPS[1])):
        data = made[name]["linkinfo"]["info_data"]
        assert (data["type"], data["vnet_hdr"], data["pi"], data["persist"]) == ("tap", True, False, True)
        assert data["multi_queue"] == ("queues" in tap)
        assert made[name]["master"] == "vpt-br"
        assert "UP" in made[name]["flags"]
        assert made[name]["addr_info"] == []
        assert made[f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6"] == "1\n"
    assert made["vpt-many"]["txqlen"] == 333
    again = space.network(BRIDGE)
    assert (again["changed"], again["actions"]) == (False, [])
    assert again["bridges"][0]["mac"] == done["bridges"][0]["mac"] == made["vpt-br"]["address"]

    foreseen = space.network(BRIDGE, state="absent", check=True)
    assert differing(made, space.snapshot()) == {}
    absent = space.network(BRIDGE, state="absent")
    for key in ("changed", "actions", "diff"):
        assert foreseen[key] == absent[key], key
    assert differing(before, space.snapshot()) == {}
    assert not space.network(BRIDGE, state="absent")["changed"]

    space.network(BRIDGE)
    restored = space.call("restore")
    assert restored["actions"][:3] == ["remove tap vpt-many", "remove tap vpt-one", "remove bridge vpt-br"]
    assert differing(before, space.snapshot()) == {}
    assert not space.call("restore")["changed"]


def test_what_was_there_is_changed_and_changed_back(space: Namespace) -> None:
    """A bridge with STP and an address of its own, a tap in another one, and one that has to be made anew."""
    for line in (
        "link add name vpt-br type bridge stp_state 1",
        "link add name vpt-old type bridge",
        "address add 198.51.100.1/24 dev vpt-br",
        "link set dev vpt-old addrgenmode none",
        "link set dev vpt-old up",
        "tuntap add name vpt-one mode tap vnet_hdr",
        "link set dev vpt-one master vpt-old mtu 1400 up",
        "tuntap add name vpt-many mode tap user 1234 group 5678",
        "link set dev vpt-many address 02:00:00:00:00:09 txqueuelen 55",
    ):
        space.ip(line)
    before = space.snapshot()
    asked = {**BRIDGE, "mtu": 4000}
    predicted = space.network(asked, check=True)
    done = space.network(asked)
    assert [predicted[key] for key in ("actions", "diff", "bridges")] == [
        done[key] for key in ("actions", "diff", "bridges")
    ]
    assert done["actions"] == [
        "vpt-br: mtu from 1500 to 4000",
        "vpt-br: IPv6 off",
        "vpt-br: up",
        "vpt-br: add address 192.0.2.1/24",
        "vpt-br: its MAC address is not to follow its ports",
        "vpt-one: mtu from 1400 to 4000",
        "vpt-one: IPv6 off",
        "vpt-one: from vpt-old to vpt-br",
        "remove tap vpt-many",
        "make tap vpt-many with several queues of user 65534 in vpt-br",
    ]
    assert "vpt-br was there before and has STP on" in json.dumps(done["warnings"])
    assert done["bridges"][0]["addresses"] == ["198.51.100.1/24", "192.0.2.1/24"]
    assert done["bridges"][0]["taps"][1] == {
        "name": "vpt-many",
        "mac": "02:00:00:00:00:09",
        "mtu": 4000,
        "kind": "tap",
        "port": "vpt-many",
        "txqueuelen": 333,
        "multi_queue": True,
        "user": 65534,
        "changed": True,
    }
    assert not space.network(asked)["changed"]
    space.network({**asked, "mtu": 2000})
    foreseen = space.network(asked, state="absent", check=True)
    absent = space.network(asked, state="absent")
    assert (foreseen["actions"], foreseen["diff"]) == (absent["actions"], absent["diff"])
    assert differing(before, space.snapshot()) == {}

    space.network(asked)
    space.network({**asked, "mtu": 2000})
    restored = space.call("restore")
    assert "failed" not in restored, restored["msg"]
    assert differing(before, space.snapshot()) == {}


def test_a_tap_in_use(space: Namespace, hold: Hold) -> None:
    """It opens as QEMU opens it, is left as it is while it is fine, and goes with restore."""
    before = space.snapshot()
    space.network(BRIDGE)
    hold("vpt-one", "one")
    hold("vpt-many", "many")
    assert not space.network(BRIDGE)["changed"]
    held = space.snapshot()
    refused = space.network({**BRIDGE, "mtu": 9000, "taps": [{"name": "vpt-one", "queues": 2}]})
    assert "vpt-one would have to be made anew with several queues, and is in use" in refused["msg"]
    assert [user.split(" (")[0] for user in refused["users"]] == [Path(sys.executable).name[:15]]
    kept = space.network(BRIDGE, state="absent")
    assert "cannot be removed: it is in use" in kept["msg"]
    assert differing(held, space.snapshot()) == {}
    assert space.network({**BRIDGE, "mtu": 9000})["changed"]
    restored = space.call("restore")
    assert "failed" not in restored, restored["msg"]
    assert differing(before, space.snapshot()) == {}


def test_a_macvtap_with_its_pair_and_several_addresses(space: Namespace, tmp_path: Path) -> None:
    """Made, opened as QEMU gets it, changed either way, and gone again with nothing left."""
    before = space.snapshot()
    macvtap = {"name": "vpt-m", "kind": "macvtap", "mac": "52:54:00:00:00:07", "txqueuelen": 77}
    asked = {**BRIDGE, "more_addresses": ["198.18.1.254/24", "198.18.2.254/24"], "taps": [TAPS[0], macvtap]}
    predicted = space.network(asked, check=True)
    assert differing(before, space.snapshot()) == {}
    done = space.network(asked)
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == done[key], key
    made = space.snapshot()
    assert [entry["local"] for entry in made["vpt-br"]["addr_info"]] == ["192.0.2.1", "198.18.1.254", "198.18.2.254"]
    assert (made["vpt-m"]["address"], made["vpt-m"]["txqlen"]) == ("52:54:00:00:00:07", 77)
    assert made["vpt-m"]["linkinfo"]["info_data"]["mode"] == "bridge"
    assert made["vpt-m-b"]["master"] == "vpt-br"
    for name in ("vpt-m", "vpt-m-l", "vpt-m-b"):
        assert "UP" in made[name]["flags"]
        assert made[f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6"] == "1\n"
    assert not space.network(asked)["changed"]
    for mtu in (9000, 1400):
        assert space.network({**asked, "mtu": mtu})["changed"]
        assert {space.snapshot()[name]["mtu"] for name in ("vpt-br", "vpt-m", "vpt-m-l", "vpt-m-b")} == {mtu}
    index = subprocess.run(
        space.command("cat", "/sys/class/net/vpt-m/ifindex"), capture_output=True, text=True, check=True
    ).stdout.strip()
    with subprocess.Popen(
        space.command("sh", "-c", f"exec 3<>/dev/tap{index}; echo open; read line"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        kept = space.network(asked, state="absent")
        assert "the macvtap vpt-m cannot be removed: it is in use" in kept["msg"]
        holder.communicate()
    absent = space.network(asked, state="absent")
    assert "failed" not in absent, absent["msg"]
    assert differing(before, space.snapshot()) == {}
    space.network(asked)
    space.network({**asked, "mtu": 9000})
    space.network({**asked, "mtu": 1400})
    restored = space.call("restore")
    assert "failed" not in restored, restored["msg"]
    assert differing(before, space.snapshot()) == {}


def test_what_is_refused_with_nothing_touched(space: Namespace) -> None:
    for line in (
        "link add name vpt-a type veth peer name vpt-peer",
        "link add name vpt-b type bridge",
        "link set dev vpt-b addrgenmode none",
        "link set dev vpt-b up",
        "address add 203.0.113.2/24 dev vpt-b",
        "route add default via 203.0.113.1",
        "link add name vpt-c type bridge",
        "address add 192.0.2.7/24 dev vpt-c",
        "tuntap add name vpt-tun mode tun",
        "tuntap add name vpt-own mode tap",
        "address add 198.51.100.9/24 dev vpt-own",
    ):
        space.ip(line)
    before = space.snapshot()
    for bridge, message in (
        ({"name": "vpt-a"}, "vpt-a is no bridge (found: a veth). Way out: take another name for the bridge"),
        ({"taps": [{"name": "vpt-a"}]}, "vpt-a is no tap (found: a veth)"),
        ({"taps": [{"name": "lo0"}, {"name": "vpt-tun"}]}, "vpt-tun is no tap (found: a tun)"),
        ({"taps": [{"name": "vpt-own"}]}, "as an interface of its own (found: it has 198.51.100.9/24"),
        ({"address": "203.0.113.2/24"}, "vpt-b has 203.0.113.2/24"),
        ({"address": "203.0.113.129/25"}, "vpt-b has 203.0.113.2/24, whose network overlaps"),
        ({"name": "vpt-b", "address": "203.0.113.2/25"}, "it carries the default route of IPv4"),
        ({"name": "vpt-c", "address": "192.0.2.7/25"}, "give the same network, 192.0.2.7/24"),
        ({"name": "vpt-b", "mtu": 9000}, "it carries the default route of IPv4"),
        ({"name": "a bridge"}, "a bridge cannot be named 'a bridge'"),
    ):
        result = space.network({**BRIDGE, **bridge})
        assert result.get("failed"), bridge
        assert message in result["msg"]
        assert differing(before, space.snapshot()) == {}
    assert not (space.state / "virtperf" / "journal.jsonl").exists()
    # Into the bridge that carries it a tap may come, and the bridge is what it was.
    refused = space.network({"name": "vpt-b", "taps": [{"name": "vpt-one"}]})
    assert "would take the MAC address of a tap in it" in refused["msg"]
    space.ip("link set dev vpt-peer address 02:00:00:00:00:01 master vpt-b")
    before = space.snapshot()
    done = space.network({"name": "vpt-b", "taps": [{"name": "vpt-one"}]})
    assert done["actions"] == ["make tap vpt-one in vpt-b"]
    assert "vpt-b carries the way in and keeps IPv6" in json.dumps(done["warnings"])
    now = space.snapshot()
    assert now["vpt-b"]["address"] == before["vpt-b"]["address"]
    assert not space.network({"name": "vpt-b", "taps": [{"name": "vpt-one"}]})["changed"]
    gone = space.network({"name": "vpt-b", "taps": [{"name": "vpt-one"}]}, state="absent")
    assert gone["actions"] == ["remove tap vpt-one"]
    assert differing(before, space.snapshot()) == {}


def test_what_fails_halfway_is_put_back(space: Namespace) -> None:
    """A name that another interface has beside its own is refused by the kernel alone, with all else made by then."""
    space.ip("link add name vpt-a type veth peer name vpt-peer")
    space.ip("link property add dev vpt-a altname vpt-many")
    space.ip("tuntap add name vpt-one mode tap")
    before = space.snapshot()
    result = space.network(BRIDGE)
    assert result["failed"]
    assert "ip tuntap add name vpt-many mode tap multi_queue vnet_hdr user 65534 failed" in result["msg"]
    assert "everything is as it was before" in result["msg"]
    assert result["left_changed"] == []
    assert differing(before, space.snapshot()) == {}
    assert space.call("restore")["actions"] == []
