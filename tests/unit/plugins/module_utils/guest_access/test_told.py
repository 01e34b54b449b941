# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest is told at its boot."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.told import (
    Network,
    credentials,
    user_network,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import derived_mac


def test_a_guest_without_a_host_key_makes_its_own() -> None:
    told = credentials("web", [user_network("web")], ["ssh-ed25519 A\n", "", "ssh-ed25519 B"])
    assert told["credentials"]["ssh.authorized_keys.root"] == "ssh-ed25519 A\nssh-ed25519 B\n"
    assert told["credential_files"] == {}


def test_the_user_network_is_found_by_the_mac_that_the_vm_gives_it() -> None:
    network = user_network("web").networkd()
    assert f"MACAddress={derived_mac('web', 'user0')}\n" in network
    assert "Address=10.0.2.15/24\nGateway=10.0.2.2\n" in network


def test_each_network_is_a_file_of_its_own() -> None:
    networks = [user_network("web"), Network("52:54:00:00:00:01", "192.0.2.7/24")]
    told = credentials("web", networks, [], "/keys/web")
    assert [name for name in told["credentials"] if name.startswith("network.")] == [
        "network.network.05-lab0",
        "network.network.05-lab1",
    ]
    assert "Gateway" not in told["credentials"]["network.network.05-lab1"]
    assert told["credential_files"] == {"ssh.host_key.ed25519": "/keys/web"}
