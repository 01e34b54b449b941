# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at interfaces, on directories that stand in for /proc and /sys and drivers that are none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.ethtool import Ethtool
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import (
    Look,
    Looker,
    find,
    parse_interrupts,
    parse_tcp,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.qstats import QueueStops

NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compr
  eth1: 98765432109876 100   1    2    0     0          0         0    12000     200    3    4    0     0       0     0
  tap0:     600      10    0    0    0     0          0         0      1200      20    0    5    0     0       0      0
"""
INTERRUPTS = """\
           CPU0       CPU1
   1:          9          0   IO-APIC   1-edge      i8042
  11:         40          2   IO-APIC  11-fasteoi   virtio5, virtio6
  24:          0          3  PCI-MSIX-0000:00:11.0   0-edge      virtio3-config
  25:       1000        200  PCI-MSIX-0000:00:11.0   1-edge      virtio3-input.0
  26:          7          0  PCI-MSIX-0000:00:11.0   2-edge      virtio3-output.0
  27:          5          5  PCI-MSIX-0000:00:12.0   1-edge      virtio33-virtqueues
 NMI:          0          0   Non-maskable interrupts
"""
SNMP = """\
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RetransSegs OutSegs InSegs
Tcp: 1 17 900 800
"""
NETSTAT = "TcpExt: SyncookiesSent TCPTimeouts\nTcpExt: 0 3\n"


class FakeEthtool(Ethtool):
    """A driver that tells."""

    def statistics(self, interface: str) -> dict[str, int]:
        return {"tx_kicks": 50, "tx0_kicks": 50}

    def rings(self, interface: str) -> dict[str, int]:
        return {"rx": 256, "tx": 1024}

    def channels(self, interface: str) -> int | None:
        return 1

    def transmit_frames(self, interface: str) -> int | None:
        return 1

    def offloads(self, interface: str) -> dict[str, bool]:
        return {"tso": True}


class FakeStops(QueueStops):
    def of(self, index: int) -> int | None:
        return index


def no_socket() -> socket.socket:
    raise PermissionError("no netlink here")


def machine(base: Path) -> Host:
    """eth1 is a virtio NIC, tap0 and br0 are none; br0 has eth1's MAC."""
    net = base / "sys/class/net"
    for name, mac, index in (("eth1", "52:54:00:00:00:01", 7), ("tap0", "fe:54:00:00:00:02", 8)):
        (net / name).mkdir(parents=True)
        (net / name / "address").write_text(f"{mac}\n")
        (net / name / "ifindex").write_text(f"{index}\n")
    (net / "br0").mkdir()
    (net / "br0/address").write_text("52:54:00:00:00:01\n")
    device = base / "sys/devices/pci0/virtio3"
    (base / "sys/bus/virtio/drivers/virtio_net").mkdir(parents=True)
    device.mkdir(parents=True)
    (device / "driver").symlink_to(base / "sys/bus/virtio/drivers/virtio_net")
    (net / "eth1/device").symlink_to(device)
    (base / "proc/net").mkdir(parents=True)
    (base / "proc/net/dev").write_text(NET_DEV)
    (base / "proc/net/snmp").write_text(SNMP)
    (base / "proc/net/netstat").write_text(NETSTAT)
    (base / "proc/interrupts").write_text(INTERRUPTS)
    return Host(proc=str(base / "proc"), sys=str(base / "sys"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return machine(tmp_path)


@pytest.fixture
def looker(host: Host) -> Looker:
    return Looker(host, FakeEthtool(), FakeStops(), no_socket)


def test_a_guests_nic_by_its_mac(looker: Looker) -> None:
    look = looker.look(["52:54:00:00:00:01"])
    nic = look.interfaces["52:54:00:00:00:01"]
    assert (nic.name, nic.driver, nic.rings, nic.channels, nic.stops) == (
        "eth1",
        "virtio_net",
        {"rx": 256, "tx": 1024},
        1,
        7,
    )
    assert nic.counters["rx_bytes"] == 98765432109876
    assert (nic.counters["tx_packets"], nic.counters["tx_dropped"]) == (200, 4)
    assert nic.statistics["tx_kicks"] == 50
    assert nic.interrupts == {"config": 3, "input.0": 1200, "output.0": 7}
    assert nic.qdisc_dropped is None, "netlink did not answer"
    assert look.tcp == {"RetransSegs": 17, "OutSegs": 900, "InSegs": 800, "TCPTimeouts": 3}


def test_an_interface_without_a_device_has_counters_only(looker: Looker) -> None:
    nic = looker.look(["tap0"]).interfaces["tap0"]
    assert (nic.driver, nic.statistics, nic.rings, nic.stops) == ("", {}, {}, None)
    assert nic.counters["tx_dropped"] == 5


def test_it_survives_the_way_over_the_line(looker: Looker) -> None:
    from dataclasses import asdict

    look = looker.look(["tap0", "eth1"])
    assert Look.of(asdict(look)) == look


def test_queueing_disciplines_of_this_machine() -> None:
    assert Looker(Host()).look(["lo"]).interfaces["lo"].qdisc_dropped in (0, None)


def test_what_is_not_there(looker: Looker, host: Host) -> None:
    with pytest.raises(VirtperfError, match=r"no network interface eth9 \(found: br0, eth1, tap0\)"):
        looker.look(["eth9"])
    assert find(host, "FE:54:00:00:00:02") == "tap0"


def test_a_shared_line_counts_for_all_on_it() -> None:
    found = parse_interrupts(INTERRUPTS)
    assert (found["virtio5"], found["virtio6"]) == ({"intx": 42}, {"intx": 42})
    assert found["virtio33"] == {"virtqueues": 10}


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    parse_interrupts(text)
    parse_tcp(text, text)


@given(st.lists(st.integers(0, 2**63), min_size=1, max_size=8))
def test_interrupts_of_any_number_of_cpus(counts: list[int]) -> None:
    cpus = " ".join(f"CPU{cpu}" for cpu in range(len(counts)))
    line = f" 30: {' '.join(map(str, counts))}  PCI-MSIX-0000:00:11.0    1-edge      virtio0-input.1"
    assert parse_interrupts(f"    {cpus}\n{line}\n") == {"virtio0": {"input.1": sum(counts)}}
