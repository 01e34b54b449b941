# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces must stay: routes, SSH connections, and interfaces that others are made of."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.pci import network
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.network import Connection
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import IpAddress
from ansible_collections.virtperf.vhost.tests.unit.fake_pci import FakeSystem, PciHost, pci_host

TCP = "  sl  local_address rem_address   st tx_queue rx_queue\n"
IPV6_DEFAULT = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001"
    " 00000400 00000003 00000000 {flags} {interface}\n"
)


@pytest.fixture
def host(tmp_path: Path) -> PciHost:
    return pci_host(tmp_path)


@pytest.fixture
def system(host: PciHost) -> FakeSystem:
    return FakeSystem(host.bus)


def raw(address: IpAddress) -> str:
    """As /proc/net/tcp writes it."""
    data = address.packed
    words = [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data), 4)]
    return "".join(f"{word:08X}" for word in words)


def tcp(host: PciHost, local: str, peer: str, port: int = 22, state: str = "01") -> None:
    own, other = ipaddress.ip_address(local), ipaddress.ip_address(peer)
    table = "tcp" if own.version == 4 else "tcp6"
    host.bus.put(f"proc/net/{table}", f"{TCP}   0: {raw(own)}:{port:04X} {raw(other)}:C001 {state} 0:0 0:0\n")


def told_by_sshd(host: PciHost, value: str) -> None:
    """sudo has taken the variable away from us; the shell above it has it."""
    host.bus.put(f"proc/{os.getpid()}/environ", "PATH=/bin\0")
    host.bus.put(f"proc/{os.getpid()}/stat", f"{os.getpid()} (python3) S 70 1 1")
    host.bus.put("proc/70/environ", "A=b\0")
    host.bus.put("proc/70/stat", "70 (su do) x) S 69 1 1")
    host.bus.put("proc/69/environ", f"SSH_CONNECTION={value}\0")
    host.bus.put("proc/69/stat", "69 (sh) S 1 1 1")


def test_nothing_is_kept_where_nothing_is_used(host: PciHost, system: FakeSystem) -> None:
    assert network.reasons(host, system) == {}


def test_the_default_routes(host: PciHost, system: FakeSystem) -> None:
    host.bus.default_route("eth0")
    up, rejected = (IPV6_DEFAULT.format(flags=flags, interface="eth1") for flags in ("00000003", "00200200"))
    host.bus.put("proc/net/ipv6_route", up)
    assert network.reasons(host, system) == {
        "eth0": ["it carries the default route of IPv4"],
        "eth1": ["it carries the default route of IPv6"],
    }
    host.bus.put("proc/net/ipv6_route", rejected + up.replace("eth1", "lo"))
    assert list(network.reasons(host, system)) == ["eth0"]


@pytest.mark.parametrize(
    ("local", "peer"),
    [("192.0.2.7", "198.51.100.1"), ("2001:db8::7", "2001:db8::1"), ("::ffff:192.0.2.7", "::ffff:198.51.100.1")],
)
def test_an_established_connection(host: PciHost, system: FakeSystem, local: str, peer: str) -> None:
    system.address("eth1", local.removeprefix("::ffff:"))
    tcp(host, local, peer)
    assert network.reasons(host, system) == {
        "eth1": [f"it carries an SSH connection (from {peer.removeprefix('::ffff:')})"]
    }


@pytest.mark.parametrize(("port", "state"), [(2222, "01"), (22, "0A")])
def test_other_ports_and_states_do_not_count(host: PciHost, system: FakeSystem, port: int, state: str) -> None:
    system.address("eth1", "192.0.2.7")
    tcp(host, "192.0.2.7", "198.51.100.1", port, state)
    assert network.reasons(host, system) == {}


def test_the_port_sshd_told_counts(host: PciHost, system: FakeSystem) -> None:
    system.address("eth0", "192.0.2.7")
    system.address("eth1", "192.0.2.8")
    told_by_sshd(host, "198.51.100.1 50000 192.0.2.7 2222")
    tcp(host, "192.0.2.8", "198.51.100.9", 2222)
    assert set(network.reasons(host, system)) == {"eth0", "eth1"}


def test_the_way_back_to_the_peer(host: PciHost, system: FakeSystem) -> None:
    """The local address is on eth0, the answers leave by the longest route."""
    system.address("eth0", "192.0.2.7")
    told_by_sshd(host, "198.51.100.1 50000 192.0.2.7 22")
    lines = ["Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask"]
    for interface, destination, mask in (
        ("eth0", "198.51.0.0", "255.255.0.0"),
        ("eth1", "198.51.100.0", "255.255.255.0"),
    ):
        fields = [raw(ipaddress.ip_address(text)) for text in (destination, mask)]
        lines.append(f"{interface}\t{fields[0]}\t00000000\t0001\t0\t0\t0\t{fields[1]}\t0\t0\t0")
    host.bus.put("proc/net/route", "\n".join(lines))
    assert set(network.reasons(host, system)) == {"eth0", "eth1"}


def test_link_local_with_its_interface(host: PciHost, system: FakeSystem) -> None:
    told_by_sshd(host, "fe80::1%eth1 50000 fe80::7%eth1 22")
    assert network.connections(host) == [
        Connection(ipaddress.ip_address("fe80::7"), ipaddress.ip_address("fe80::1"), "eth1")
    ]
    assert list(network.reasons(host, system)) == ["eth1"]


def test_a_connection_to_oneself_needs_no_interface(host: PciHost, system: FakeSystem) -> None:
    host.bus.default_route("eth0")
    tcp(host, "127.0.0.1", "127.0.0.1")
    assert network.reasons(host, system) == {"eth0": ["it carries the default route of IPv4"]}


def test_down_to_the_hardware(host: PciHost, system: FakeSystem) -> None:
    host.bus.virtual_interface("bond0", "bond", "eth0", "eth1")
    host.bus.virtual_interface("bond0.5", "vlan", "bond0")
    host.bus.virtual_interface("br0", "bridge", "bond0.5")
    host.bus.default_route("br0")
    kept = network.reasons(host, system)
    assert kept["eth1"] == [
        "it carries the default route of IPv4 through bond0, bond0.5, br0",
        "bond0 (bond) is made of it",
    ]
    assert kept["bond0.5"][-1] == "br0 (bridge) is made of it"


def test_a_member_known_by_its_master_alone(host: PciHost, system: FakeSystem) -> None:
    Path(host.sys, "class/net/eth0/master").symlink_to("../ovs-system")
    assert network.reasons(host, system) == {"eth0": ["ovs-system (an interface) is made of it"]}


def test_addresses_somebody_gave(system: FakeSystem) -> None:
    for text in ("192.0.2.7", "fe80::7", "2001:db8::7"):
        system.address("eth0", text)
    assert network.global_addresses(system, ["eth0"]) == ["192.0.2.7 on eth0", "2001:db8::7 on eth0"]
    assert network.global_addresses(system, ["eth1"]) == []


@given(st.text(max_size=40).filter(lambda text: "\0" not in text))
def test_whatever_the_variable_says(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    host = PciHost(proc=str(tmp_path_factory.getbasetemp() / "proc-any"), bus=None)  # type: ignore[arg-type]
    base = Path(host.proc, "5")
    base.mkdir(parents=True, exist_ok=True)
    (base / "environ").write_text(f"SSH_CONNECTION={value}\0", encoding="utf-8", errors="replace")
    assert network.connections(host, 5) == []


def test_this_machine(tmp_path: Path) -> None:
    """The real files of /proc/net are read without an error."""
    assert isinstance(network.routes(PciHost(bus=None)), list)  # type: ignore[arg-type]
    assert socket.AF_NETLINK
