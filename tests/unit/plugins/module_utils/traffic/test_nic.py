# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NICs of guests: programs that only note what they are told, on directories that stand in for /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import nic
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.traffic.test_look import FakeEthtool, machine

MAC = "52:54:00:00:00:01"
CONF = "sys/net/ipv4/conf"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = machine(tmp_path)
    for scope in ("all", "default", "eth1"):
        folder = tmp_path / "proc" / CONF / scope
        folder.mkdir(parents=True)
        for key in ("arp_ignore", "arp_announce", "rp_filter"):
            (folder / key).write_text("1\n")
    quiet = tmp_path / "proc/sys/net/ipv6/conf/eth1"
    quiet.mkdir(parents=True)
    (quiet / "disable_ipv6").write_text("0\n")
    driver = tmp_path / "sys/bus/virtio/drivers/virtio_net"
    (driver / "bind").touch()
    (driver / "unbind").touch()
    return host


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str | None]]:
    ran: list[tuple[list[str], str | None]] = []

    def run(words: list[str], limit_s: float, text: str | None = None) -> str:
        ran.append((list(words), text))
        return ""

    monkeypatch.setattr(nic, "run", run)
    return ran


def test_addresses_and_arp(host: Host, ran: list[tuple[list[str], str | None]]) -> None:
    assert nic.arrange(host, {"mac": MAC, "addresses": ["198.18.1.2/24", "198.18.2.2/24"]}) == "eth1"
    lines = "address replace 198.18.1.2/24 dev eth1\naddress replace 198.18.2.2/24 dev eth1\nlink set eth1 up\n"
    assert ran == [(["ip", "-batch", "-"], lines)]
    for scope in ("all", "eth1"):
        folder = f"{host.proc}/{CONF}/{scope}"
        found = [host.read(f"{folder}/{key}") for key in ("arp_ignore", "arp_announce", "rp_filter")]
        assert found == ["1", "2", "0"]
    assert host.read(f"{host.proc}/sys/net/ipv6/conf/eth1/disable_ipv6") == "1"


def test_ethtool_while_it_is_down(host: Host, ran: list[tuple[list[str], str | None]]) -> None:
    nic.arrange(host, {"mac": MAC, "ethtool": {"coalesce": {"tx-frames": 0}, "channels": {"combined": 2}}})
    assert [" ".join(words) for words, _text in ran] == [
        "ip -batch -",
        "ethtool -L eth1 combined 2",
        "ethtool -C eth1 tx-frames 0",
        "ip -batch -",
    ]
    assert ran[0][1] == "link set dev eth1 down\n"


def test_what_is_so_already_is_no_failure(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(words: list[str], limit_s: float, text: str | None = None) -> str:
        if words[0] == "ethtool":
            raise VirtperfError("failed", found=said)
        return ""

    monkeypatch.setattr(nic, "run", run)
    said = "tx-frames unmodified, ignoring"
    asked = {"mac": MAC, "ethtool": {"coalesce": {"tx-frames": 1}}}
    nic.arrange(host, asked)
    said = "netlink error: Operation not supported"
    with pytest.raises(VirtperfError, match="Operation not supported"):
        nic.arrange(host, asked)


def test_the_driver_is_bound_anew(host: Host, ran: list[tuple[list[str], str | None]]) -> None:
    nic.arrange(host, {"mac": MAC, "renew": True})
    driver = f"{host.sys}/bus/virtio/drivers/virtio_net"
    assert (host.read(f"{driver}/unbind"), host.read(f"{driver}/bind")) == ("virtio3", "virtio3")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"mac": MAC, "colour": "red"}, "a NIC has no colour"),
        ({"mac": "52:54:00:00:00:99"}, "no network interface 52:54:00:00:00:99"),
        ({"mac": MAC, "ethtool": {"magic": {"a": 1}}}, "ethtool's magic cannot be set"),
    ],
)
def test_what_cannot_be(
    host: Host, ran: list[tuple[list[str], str | None]], asked: dict[str, object], message: str
) -> None:
    with pytest.raises(VirtperfError, match=message):
        nic.arrange(host, asked)


def test_features_are_on_or_off() -> None:
    assert nic.ethtool_words("e", {"features": {"tso": False, "gro": True}}) == [
        ["ethtool", "-K", "e", "tso", "off", "gro", "on"]
    ]


def test_what_was_negotiated(host: Host, tmp_path: Path) -> None:
    bits = ["0"] * 64
    for number in (0, 15, 29, 63):
        bits[number] = "1"
    (tmp_path / "sys/bus/virtio/devices/virtio3").mkdir(parents=True)
    (tmp_path / "sys/bus/virtio/devices/virtio3/features").write_text("".join(bits) + "\n")
    queue = tmp_path / "sys/class/net/eth1/queues"
    for name, file in (("tx-0", "xps_cpus"), ("rx-0", "rps_cpus")):
        (queue / name).mkdir(parents=True)
        (queue / name / file).write_text("3\n")
    found = nic.describe(host, MAC, FakeEthtool())
    assert found["features"] == ["csum", "mrg_rxbuf", "event_idx", "bit63"]
    assert (found["name"], found["driver"], found["rings"], found["queues"]) == (
        "eth1",
        "virtio_net",
        {"rx": 256, "tx": 1024},
        1,
    )
    assert (found["xps"], found["rps"], found["tx_frames"]) == ({"tx-0": "3"}, {"rx-0": "3"}, 1)
    assert found["interrupts"] == ["config", "input.0", "output.0"]


@given(st.text("01", max_size=64))
def test_any_bits(bits: str) -> None:
    assert len(nic.features(bits)) == bits.count("1")
