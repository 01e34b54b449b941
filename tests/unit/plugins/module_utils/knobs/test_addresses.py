# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NICs before the first trial."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.addresses import Prepared, interface_of, prepare
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.places import is_alive
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.setup import setup
from ansible_collections.virtperf.vhost.plugins.module_utils.knobs.switches import Switches
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.knobs.fake_boot import (
    BASELINE,
    PEER_MAC,
    VARIANT,
    FakeGuests,
    FakePlace,
    hypervisor,
    raw,
)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return hypervisor(tmp_path)


def prepared(host: Host, guests: FakeGuests, **changes: Any) -> Prepared:
    places = {"dut": guests.dut, "peer": guests.peer}
    return prepare(setup(raw(**changes)), host, places, Switches(host, Journal(host)))


def test_each_arm_and_all_addresses_of_the_peer(host: Host) -> None:
    guests = FakeGuests()
    made = prepared(host, guests)
    assert [nic["addresses"] for nic in guests.dut.arranged] == [["198.18.1.1/24"], ["198.18.2.1/24"]]
    assert [nic["mac"] for nic in guests.dut.arranged] == [BASELINE, VARIANT]
    (peer,) = guests.peer.arranged
    assert peer == {"mac": PEER_MAC, "addresses": ["198.18.1.2/24", "198.18.2.2/24"]}
    assert made.nics == {"host": "vpbr0", "peer": "eth1"}
    assert made.macs == {"host": "fe:00:00:00:00:06", "peer": PEER_MAC}
    assert (sorted(made.described), made.faults) == (["baseline", "event_idx=off"], {})


def test_what_is_set_in_the_guest(host: Host) -> None:
    guests = FakeGuests()
    arms = raw()["arms"]
    arms[0]["guest"] = {"ethtool": {"coalesce": {"tx-frames": 0}}}
    prepared(host, guests, arms=arms)
    assert [nic["ethtool"] for nic in guests.dut.arranged] == [{"coalesce": {"tx-frames": 0}}, {}]


def test_an_arm_that_cannot_be_set_up_leaves_the_others(host: Host) -> None:
    guests = FakeGuests()
    guests.dut.refuses = {VARIANT: "ethtool -G failed"}
    made = prepared(host, guests)
    assert made.faults == {"event_idx=off": "event_idx=off could not be set up: ethtool -G failed"}
    assert list(made.described) == ["baseline"]


def test_a_guest_that_is_gone(host: Host) -> None:
    guests = FakeGuests()
    guests.dut.dies = 0
    with pytest.raises(VirtperfError, match="guest guest1 does not answer"):
        prepared(host, guests)
    assert not is_alive(guests.dut)
    assert is_alive(guests.peer)


@pytest.mark.parametrize(("mode", "value", "renewed"), [(0o644, "0", True), (0o444, "1", False), (0o444, "0", None)])
def test_a_parameter_that_is_read_when_the_device_starts(
    host: Host, tmp_path: Path, mode: int, value: str, renewed: bool | None
) -> None:
    file = tmp_path / "sys/module/vhost_net/parameters/experimental_zcopytx"
    file.parent.mkdir(parents=True)
    file.write_text(f"{value}\n")
    os.chmod(file, mode)
    arms = raw()["arms"]
    arms[0]["module"] = {"module": "vhost_net", "parameter": "experimental_zcopytx", "value": "1"}
    guests = FakeGuests()
    made = prepared(host, guests, arms=arms)
    asked = {nic["mac"]: nic["renew"] for nic in guests.dut.arranged}
    assert asked.get(BASELINE) is renewed
    if renewed is None:
        assert "not available" in made.faults["baseline"]
        assert "read-only" in made.faults["baseline"]
    assert host.read(str(file)) == value, "others start with what was there"


def test_no_bridge(host: Host) -> None:
    with pytest.raises(VirtperfError, match="there is no bridge br9"):
        prepared(host, FakeGuests(), bridge="br9")


def test_a_nic_by_its_address() -> None:
    place = FakePlace("guest2")
    assert interface_of(place, "10.0.0.2") == "eth1"
    place.command = lambda words, limit_s=10.0: ""  # type: ignore[method-assign]
    with pytest.raises(VirtperfError, match=r"no interface of guest2 has the address 10\.0\.0\.9"):
        interface_of(place, "10.0.0.9")
