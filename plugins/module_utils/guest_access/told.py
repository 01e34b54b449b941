# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest is told at its boot: its name, its addresses, its keys.

By systemd's credentials (systemd.system-credentials(7)) or by cloud-init's network configuration, version 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.contents import HOST_KEY_CREDENTIAL
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import derived_mac


@dataclass(frozen=True)
class Network:
    """An interface of a guest, found by its MAC, and its address; no gateway where nothing lies behind it."""

    mac: str
    address: str
    gateway: str = ""

    def networkd(self) -> str:
        """A .network file of systemd."""
        gateway = f"Gateway={self.gateway}\n" if self.gateway else ""
        network = f"Address={self.address}\n{gateway}LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
        return f"[Match]\nMACAddress={self.mac}\n[Network]\n{network}"

    def netplan(self) -> dict[str, Any]:
        """An interface in version 2 of cloud-init's network configuration."""
        anywhere = "::/0" if ":" in self.gateway else "0.0.0.0/0"
        routes = {"routes": [{"to": anywhere, "via": self.gateway}]} if self.gateway else {}
        return {"match": {"macaddress": self.mac}, "dhcp4": False, "addresses": [self.address], **routes}


def user_network(name: str) -> Network:
    """The first interface of VM ``name`` on QEMU's own network: what that gives out by DHCP is known beforehand."""
    return Network(derived_mac(name, "user0"), "10.0.2.15/24", "10.0.2.2")


def credentials(
    name: str, networks: Sequence[Network], authorized_keys: Iterable[str], host_key: str = ""
) -> dict[str, dict[str, str]]:
    """``credentials`` and ``credential_files`` of a VM; ``host_key`` is the file of its private host key."""
    texts = {f"network.network.05-lab{number}": network.networkd() for number, network in enumerate(networks)}
    texts["firstboot.hostname"] = name
    texts["ssh.authorized_keys.root"] = "".join(f"{key.strip()}\n" for key in authorized_keys if key.strip())
    return {"credentials": texts, "credential_files": {HOST_KEY_CREDENTIAL: host_key} if host_key else {}}
