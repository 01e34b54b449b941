# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A description of a lab: what becomes of it, what stays the same when it grows, and what is wrong with it."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.plugin_utils import lab_plan
from ansible_collections.virtperf.vhost.plugins.plugin_utils.lab_plan import LabError, plan


def lab(hypervisors: Any, network: str = "192.0.2.0/24", **more: Any) -> lab_plan.Lab:
    return plan({"network": network, "hypervisors": hypervisors, **more}, "/lab")


def arguments(variables: dict[str, Any]) -> dict[str, str]:
    words = shlex.split(variables["ansible_ssh_common_args"])
    assert words[::2] == ["-o"] * (len(words) // 2)
    return dict(word.split("=", 1) for word in words[1::2])


TWO = {"hv1": {"ansible_host": "198.51.100.1", "guests": 2}, "hv2": {"guests": [{"name": "web", "roles": "server"}]}}


def test_hosts_and_groups() -> None:
    made = lab(TWO, guest_defaults={"roles": ["client"]})
    assert made.groups == {
        "hypervisors": ["hv1", "hv2"],
        "guests": ["hv1-guest1", "hv1-guest2", "web"],
        "servers": ["web"],
        "clients": ["hv1-guest1", "hv1-guest2"],
        "guests_of_hv1": ["hv1-guest1", "hv1-guest2"],
        "guests_of_hv2": ["web"],
    }
    addresses = {n: v.get("vm_address") or v["lab_address"] for n, v in made.hosts.items()}
    assert addresses == {
        "hv1": "192.0.2.1",
        "hv1-guest1": "192.0.2.2",
        "hv1-guest2": "192.0.2.3",
        "hv2": "192.0.2.17",
        "web": "192.0.2.18",
    }


def test_a_guest_of_a_hypervisor_elsewhere() -> None:
    guest = lab(TWO, lab="blue").hosts["web"]
    ssh = arguments(guest)
    assert {key: value for key, value in guest.items() if key not in ("ansible_ssh_common_args", "vm_mac")} == {
        "ansible_connection": "ssh",
        "ansible_control_path": f"%(directory)s/{guest['ansible_control_path'][-10:]}",
        "ansible_host": "192.0.2.18",
        "ansible_port": 22,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s",
        "ansible_ssh_private_key_file": ssh["UserKnownHostsFile"].strip('"').replace("known_hosts", "id_ed25519"),
        "ansible_user": "root",
        "hypervisor": "hv2",
        "lab_directory": (directory := os.path.expanduser("~/.local/state/virtperf/labs/blue")),
        "lab_known_hosts": f"{directory}/known_hosts",
        "lab_name": "blue",
        "lab_network": "192.0.2.0/24",
        "lab_ssh_key": f"{directory}/id_ed25519",
        "vm_address": "192.0.2.18",
        "vm_gateway": "192.0.2.17",
        "vm_name": "web",
        "vm_prefix_length": 24,
        "vm_roles": ["server"],
    }
    assert (ssh["HostKeyAlias"], ssh["StrictHostKeyChecking"], ssh["ProxyJump"]) == ("web", "yes", "hv2")
    assert guest["vm_mac"].startswith("02:")


def test_macs_are_of_lab_and_name_alone() -> None:
    blue = lab(TWO, lab="blue").hosts
    assert blue["web"]["vm_mac"] != lab(TWO, lab="green").hosts["web"]["vm_mac"]
    moved = lab({"hv9": {"guests": ["web"]}}, network="198.51.100.0/24", lab="blue").hosts
    assert moved["web"]["vm_mac"] == blue["web"]["vm_mac"]
    assert moved["web"]["ansible_control_path"] != blue["web"]["ansible_control_path"]


def test_two_labs_do_not_share_connections() -> None:
    paths = {lab(TWO, lab=name).hosts["web"]["ansible_control_path"] for name in ("blue", "green")}
    assert len(paths) == 2


def test_what_is_there_stays_when_the_lab_grows() -> None:
    small = lab({"a": {"guests": ["g1"]}, "b": {"guests": 1}}).hosts
    large = lab({"a": {"guests": ["g1", "g2", "g3"]}, "b": {"guests": 4}, "c": {"guests": 2}}).hosts
    for name in small:
        assert {**large[name], "lab_guests": []} == {**small[name], "lab_guests": []}


def test_pins() -> None:
    guests = [{"name": "x", "address": "192.0.2.200", "mac": "52-54-00-12-34-56"}, "y"]
    made = lab({"hv": {"address": "192.0.2.254", "guests": guests}}).hosts
    assert made["hv"]["lab_address"] == made["x"]["vm_gateway"] == "192.0.2.254"
    assert (made["x"]["vm_address"], made["x"]["vm_mac"]) == ("192.0.2.200", "52:54:00:12:34:56")
    assert made["y"]["vm_address"] == "192.0.2.3"


def test_this_machine_forwards_ports() -> None:
    made = lab({"localhost": {"ansible_connection": "local", "guests": ["a", {"name": "b", "port": 4022}]}}).hosts
    assert [(made[n]["ansible_host"], made[n]["ansible_port"]) for n in "ab"] == [
        ("127.0.0.1", 2202),
        ("127.0.0.1", 4022),
    ]
    assert "ProxyJump" not in arguments(made["a"])
    direct = {"ansible_connection": "local", "guest_ssh": "direct", "guests": ["a"]}
    assert lab({"localhost": direct}).hosts["a"]["ansible_host"] == "192.0.2.2"


def test_a_hypervisor_elsewhere_forwards_ports_of_its_own() -> None:
    made = lab({"hv": {"guest_ssh": "forward", "guests": ["a"]}}).hosts
    assert (made["a"]["ansible_host"], made["a"]["ansible_port"]) == ("127.0.0.1", 2202)
    assert arguments(made["a"])["ProxyJump"] == "hv"


def test_a_hypervisor_knows_its_guests_and_the_lab_s_files() -> None:
    made = lab(TWO, ssh_key="key", known_hosts="/known").hosts
    assert made["hv1"]["lab_guests"] == ["hv1-guest1", "hv1-guest2"]
    for name in ("hv1", "web"):
        assert (made[name]["lab_ssh_key"], made[name]["lab_known_hosts"]) == ("/lab/key", "/known")
        assert made[name]["lab_directory"] == os.path.expanduser("~/.local/state/virtperf/labs/lab")


@pytest.mark.parametrize(
    ("given", "jump"),
    [
        ({}, "hv"),
        ({"ansible_user": "lab", "ansible_port": 2222, "ansible_host": "hv.example.net"}, "lab@hv.example.net:2222"),
        ({"ansible_host": "2001:db8::1", "ansible_port": 22}, "[2001:db8::1]:22"),
    ],
)
def test_the_way_over_a_hypervisor(given: dict[str, Any], jump: str) -> None:
    assert arguments(lab({"hv": {**given, "guests": ["g"]}}).hosts["g"])["ProxyJump"] == jump


@pytest.mark.parametrize("home", ["/home/me", "/home/not me"])
def test_home_is_where_ansible_has_it_for_ssh_too(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """As with sudo that keeps HOME: by itself ssh would look in root's."""
    monkeypatch.setenv("HOME", home)
    given = {"ansible_ssh_common_args": "-o UserKnownHostsFile=~/known -F ~/config -o User=a~/b", "guests": ["g"]}
    hosts = lab({"hv": given}).hosts
    wanted = ["-o", f"UserKnownHostsFile={home}/known", "-F", f"{home}/config", "-o", "User=a~/b"]
    assert shlex.split(hosts["hv"]["ansible_ssh_common_args"]) == wanted
    assert shlex.split(arguments(hosts["g"])["ProxyCommand"])[1:7] == wanted


def test_the_way_over_a_hypervisor_with_a_key_of_its_own() -> None:
    given = {
        "ansible_host": "192.0.2.99",
        "ansible_user": "root",
        "ansible_port": 2222,
        "ansible_ssh_private_key_file": "/keys/of %us/id; x",
        "ansible_ssh_common_args": "-o 'UserKnownHostsFile=/a b'",
        "guests": ["g"],
    }
    command = arguments(lab({"hv": given}).hosts["g"])["ProxyCommand"]
    assert shlex.split(command) == [
        *("ssh", "-o", "UserKnownHostsFile=/a b", "-i", "/keys/of %%us/id; x"),
        *("-p", "2222", "-l", "root", "-W", "[%h]:%p", "192.0.2.99"),
    ]


def test_paths_are_those_of_the_description() -> None:
    guest = lab(TWO, ssh_key="keys/id", known_hosts="a 100% of them", new_host_keys="accept").hosts["web"]
    assert guest["ansible_ssh_private_key_file"] == "/lab/keys/id"
    ssh = arguments(guest)
    assert ssh["UserKnownHostsFile"] == '"/lab/a 100%% of them"'
    assert ssh["StrictHostKeyChecking"] == "accept-new"


def test_variables() -> None:
    guests = [{"name": "a", "variables": {"vm_vcpus": 4}}, "b"]
    defaults = {"variables": {"vm_vcpus": 2, "x": 1}, "user": "lab", "python": "/usr/bin/python3.13"}
    made = lab({"hv": {"variables": {"y": [1]}, "guests": guests}}, guest_defaults=defaults).hosts
    assert made["hv"]["y"] == [1]
    assert (made["a"]["vm_vcpus"], made["b"]["vm_vcpus"], made["a"]["x"]) == (4, 2, 1)
    assert (made["b"]["ansible_user"], made["b"]["ansible_python_interpreter"]) == ("lab", "/usr/bin/python3.13")


def test_ipv6() -> None:
    made = lab({"hv": {"guests": 1}}, network="2001:db8::/64").hosts
    assert (made["hv"]["lab_address"], made["hv-guest1"]["vm_address"]) == ("2001:db8::1", "2001:db8::2")


def guests(*entries: Any, **more: Any) -> dict[str, Any]:
    return {"hypervisors": {"hv": {"guests": list(entries), **more}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hypervisor": {}}, "hypervisor: found a key that is not known here. Allowed: addresses_per_hypervisor,"),
        ({"hypervisors": None}, "hypervisors: found nothing"),
        ({"hypervisors": ["hv"]}, "hypervisors: found ['hv']. Allowed: a mapping"),
        ({"hypervisors": {"hv": {"guest": 1}}}, "hypervisors.hv.guest: found a key that is not known here"),
        ({"hypervisors": {"hv_1": {}}}, "hypervisors: found 'hv_1'. Allowed: a host name"),
        ({"hypervisors": {"guests": {}}}, "none of all, ungrouped"),
        ({"hypervisors": {7: {}}}, "hypervisors: found 7"),
        ({"hypervisors": {"hv-1": {}, "hv.1": {}}}, "guests_of_hv_1, which hypervisors.hv-1 has as well"),
        ({"hypervisors": {"hv": {"guests": "two"}}}, "hypervisors.hv.guests: found 'two'. Allowed: a number of guests"),
        ({"hypervisors": {"hv": {"guests": 15}}}, "hypervisors.hv.guests: found 15. Allowed: up to 14 guests"),
        ({"hypervisors": {"hv": {"guests": ["a"] * 15}}}, "found 15 guests"),
        ({"hypervisors": {"hv": {"guest_ssh": "by foot"}}}, "Allowed: jump, forward, direct (SSH hypervisor)"),
        ({"hypervisors": {"hv": {"guest_ssh": "jump", "ansible_connection": "local"}}}, "Allowed: forward, direct"),
        (guests("a", "A"), "host name a, which hypervisors.hv.guests[0] (a) has as well"),
        (guests("hv"), "hypervisors.hv.guests[0] (hv): found host name hv, which hypervisors.hv has as well"),
        (guests({"nmae": "a"}), "hypervisors.hv.guests[0].nmae: found a key that is not known here. Allowed: address"),
        (guests({"name": "a b; rm"}), "hypervisors.hv.guests[0].name: found 'a b; rm'"),
        (guests({"name": "-oProxyCommand=x"}), "hypervisors.hv.guests[0].name"),
        (guests({"name": "192.0.2.9"}), "no number"),
        (guests({"name": "a", "roles": ["router"]}), "guests[0].roles: found 'router'. Allowed: client, server"),
        (guests({"name": "a", "roles": 7}), "guests[0].roles: found 7"),
        (guests({"name": "a", "address": "192.0.2.1"}), "192.0.2.1, which hypervisors.hv.address has as well"),
        (guests("a", {"name": "b", "address": "192.0.2.2"}), "which hypervisors.hv.guests[0].address has as well"),
        (guests({"name": "a", "address": "10.0.0.1"}), "found 10.0.0.1. Allowed: an address for hosts in 192.0.2.0/24"),
        (guests({"name": "a", "address": "192.0.2.255"}), "found 192.0.2.255"),
        (guests({"name": "a", "address": "192.0.2"}), "found '192.0.2'. Allowed: an IP address"),
        (guests({"name": "a", "address": 3}), "found 3. Allowed: an IP address"),
        (guests({"name": "a", "mac": "02:00"}), "found '02:00'. Allowed: a MAC address"),
        (guests({"name": "a", "mac": "01:00:5e:00:00:01"}), "the address of one interface"),
        (guests(*({"name": n, "mac": "02:00:00:00:00:01"} for n in "ab")), "MAC 02:00:00:00:00:01, which"),
        (guests({"name": "a", "user": "-l root"}), "guests[0].user"),
        (guests({"name": "a", "variables": {"1x": 1}}), "guests[0].variables: found '1x'"),
        (guests({"name": "a", "port": 70000}), "guests[0].port: found 70000. Allowed: 1 to 65535"),
        (
            guests("a", "b", ansible_connection="local", guest_ssh="forward") | {"first_ssh_port": 65533},
            "first_ssh_port",
        ),
        (
            guests({"name": "a", "port": 2203}, "b", ansible_connection="local"),
            "forwarded port 2203, which hypervisors.hv.guests[0].port has as well",
        ),
        (guests("a", ansible_host="hv -o x"), "hypervisors.hv.ansible_host: found 'hv -o x'"),
        (guests("a", ansible_host="{{ secret }}"), "a plain value"),
        ({"network": "192.0.2.0/29", **guests(*"abcdef")}, "a network of /28 or larger"),
        ({"network": "192.0.2.0/30", **guests("a", "b")}, "a network of /29 or larger"),
        ({"network": "192.0.2.7/24"}, "network: found '192.0.2.7/24'. Allowed: 192.0.2.0/24"),
        ({"network": "192.0.2.0"}, "network: found '192.0.2.0'. Allowed: a network such as"),
        ({"network": "nonsense/24"}, "network: found 'nonsense/24'"),
        ({"network": 7}, "network: found 7"),
        ({"lab": "a/b"}, "lab: found 'a/b'"),
        ({"ssh_key": 'a"b'}, "ssh_key"),
        ({"new_host_keys": "maybe"}, "new_host_keys: found 'maybe'. Allowed: refuse, accept"),
        ({"addresses_per_hypervisor": 1}, "addresses_per_hypervisor: found 1. Allowed: 2 to 65536"),
        ({"guest_defaults": {"name": "x"}}, "guest_defaults.name: found a key that is not known here"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError) as caught:
        plan({"network": "192.0.2.0/24", "hypervisors": {"hv": {"guests": 1}}, **changes})
    assert message in str(caught.value)


def test_without_netaddr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_plan, "netaddr", None)
    with pytest.raises(LabError, match="pip install netaddr"):
        lab(TWO)


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,4}", fullmatch=True)
OFFSETS = st.integers(0, 300)


@st.composite
def descriptions(draw: st.DrawFn) -> dict[str, Any]:
    network = ipaddress.ip_network((draw(st.integers(0, 2**32 - 1)) & -256, 24)).supernet(draw(st.integers(0, 8)))
    if draw(st.booleans()):
        network = next(network.subnets(new_prefix=draw(st.integers(24, 32))))
    pin = OFFSETS.map(lambda offset: str(network.network_address + offset % 2**32) if offset < 256 else "2001:db8::1")
    guest = st.fixed_dictionaries({"name": NAMES}, optional={"address": pin, "port": st.integers(0, 3000)})
    hypervisor = st.fixed_dictionaries(
        {"guests": st.integers(0, 20) | st.lists(guest, max_size=6)},
        optional={"ansible_connection": st.just("local"), "address": pin},
    )
    return {
        "network": str(network),
        "lab": draw(NAMES),
        "addresses_per_hypervisor": draw(st.integers(1, 40)),
        "hypervisors": draw(st.dictionaries(NAMES, hypervisor, max_size=6)),
    }


@given(descriptions())
def test_all_is_distinct_and_inside_or_an_error(description: dict[str, Any]) -> None:
    try:
        made = plan(description)
    except LabError as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert re.match(r".+: found .+\. Allowed: .+", message)
        return
    network = ipaddress.ip_network(description["network"])
    addresses = [ipaddress.ip_address(v.get("vm_address") or v["lab_address"]) for v in made.hosts.values()]
    assert len(set(addresses)) == len(made.hosts)
    assert set(addresses) <= set(network) - {network.network_address, network.broadcast_address}
    macs = [made.hosts[name]["vm_mac"] for name in made.groups["guests"]]
    assert len(set(macs)) == len(macs)
    assert all(int(mac[:2], 16) & 3 == 2 for mac in macs)
    local = [v["ansible_port"] for v in made.hosts.values() if v.get("ansible_host") == "127.0.0.1"]
    assert len(set(local)) == len(local)
    assert plan(description) == made


def test_a_port_that_is_another_one_at_each_start(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("40123\n")
    described = {"ansible_host": "127.0.0.1", "port_file": "port", "guests": 1}
    made = plan({"network": "192.0.2.0/24", "hypervisors": {"hv": described}}, str(tmp_path))
    assert made.hosts["hv"]["ansible_port"] == 40123
    assert arguments(made.hosts["hv-guest1"])["ProxyJump"] == "127.0.0.1:40123"


@pytest.mark.parametrize(
    ("given", "text", "told"),
    [
        ({}, None, "start the hypervisor first"),
        ({}, "0", "1 to 65535"),
        ({"ansible_port": 22}, "40123", "one of them"),
    ],
)
def test_a_port_that_cannot_be_read(tmp_path: Path, given: dict[str, Any], text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "port").write_text(text)
    with pytest.raises(LabError, match=rf"hypervisors\.hv\.port_file: .*{told}"):
        plan({"network": "192.0.2.0/24", "hypervisors": {"hv": {"port_file": "port", **given}}}, str(tmp_path))
