# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PCI functions and their names."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.function import (
    Function,
    addresses,
    interface_names,
    parse_address,
    parse_mac,
    read_function,
)
from ansible_collections.virtperf.vhost.tests.unit.fake_pci import DISK, NIC, OTHER_NIC, PciHost, bridge, pci_host


@pytest.fixture
def host(tmp_path: Path) -> PciHost:
    return pci_host(tmp_path)


def test_a_function(host: PciHost) -> None:
    function = read_function(host, NIC)
    assert function == Function(
        address=NIC,
        identity="1af4:1041:1af4:1041",
        kind=0x020000,
        modalias="pci:v00001AF4d00001041",
        driver="virtio-pci",
        override="",
        group="",
        interfaces=("eth0",),
        macs=("02:00:00:00:00:04",),
        disks=(),
        virtual_functions=0,
    )
    assert function.is_network
    assert read_function(host, DISK).disks == ("vda",)


def test_a_bridge_has_what_is_behind_it(host: PciHost) -> None:
    bridge(host.bus, "0000:00:01.0")
    behind = host.bus.device("0000:00:01.0") / "0000:01:00.0/net/eth7"
    behind.mkdir(parents=True)
    Path(host.sys, "class/net/eth7").symlink_to(behind)
    function = read_function(host, "0000:00:01.0")
    assert (function.is_bridge, function.interfaces) == (True, ("eth7",))


def test_one_that_is_not_there(host: PciHost) -> None:
    with pytest.raises(VirtperfError, match=f"no PCI function 0000:09:00.0 .found: {DISK}, {NIC}, {OTHER_NIC}"):
        read_function(host, "0000:09:00.0")


def test_a_machine_without_pci(tmp_path: Path) -> None:
    host = Host(sys=str(tmp_path))
    assert (addresses(host), interface_names(host)) == ([], [])


def test_a_file_among_the_interfaces_is_none(host: PciHost) -> None:
    Path(host.sys, "class/net/bonding_masters").write_text("bond0\n")
    assert interface_names(host) == ["eth0", "eth1"]


@pytest.mark.parametrize(
    ("text", "address"),
    [("00:05.0", "0000:00:05.0"), (" 0000:3B:1f.7\n", "0000:3b:1f.7"), ("10000:e1:00.0", "10000:e1:00.0")],
)
def test_addresses(text: str, address: str) -> None:
    assert parse_address(text) == address


@given(st.text())
def test_any_text_is_an_address_or_none(text: str) -> None:
    with contextlib.suppress(VirtperfError):
        address = parse_address(text)
        assert parse_address(address) == address
        assert "/" not in address


@given(st.text())
def test_any_text_is_a_mac_or_none(text: str) -> None:
    with contextlib.suppress(VirtperfError):
        assert len(parse_mac(text)) == 17
