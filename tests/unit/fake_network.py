# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's interfaces in a dictionary: it takes the commands of ip, and tells what there is as ip does."""

from __future__ import annotations

import copy
import ipaddress
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.lab_network.ip import Ip
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import IpAddress, System

# What ip really said; see there for how it was asked.
RECORDED = Path(__file__).parent / "plugins/module_utils/lab_network/interfaces.json"
ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


class FakeNetwork(Ip):
    """Interfaces by name, as ``ip -details -json address show`` has them; ``fails`` are beginnings of commands."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.links: dict[str, dict[str, Any]] = {}
        self.fails: list[str] = []
        self.ignores: list[str] = []
        self.commands: list[str] = []
        (root / "sys/class/net").mkdir(parents=True)
        (root / "proc/net").mkdir(parents=True)
        (root / "proc/net/route").write_text(ROUTES)
        boot = root / "proc/sys/kernel/random/boot_id"
        boot.parent.mkdir(parents=True)
        boot.write_text("this-boot\n")
        self.add("lo")

    # -- what a test sets up ----------------------------------------------------------------------------------------

    def add(self, name: str, kind: str = "", **data: Any) -> dict[str, Any]:
        """An interface that is down, with IPv6 on."""
        link: dict[str, Any] = {
            "ifname": name,
            "flags": [],
            "mtu": 1500,
            "txqlen": 1000,
            "address": f"0a:00:00:00:00:{len(self.links):02x}",
            "addr_info": [],
        }
        if kind:
            link["linkinfo"] = {"info_kind": kind, "info_data": data}
        self.links[name] = link
        self.file(f"sys/class/net/{name}/addr_assign_type", "1")
        self.file(f"sys/class/net/{name}/address", link["address"])
        self.file(f"sys/class/net/{name}/ifindex", str(len(self.links)))
        self.file(f"proc/sys/net/ipv6/conf/{name}/disable_ipv6", "0")
        return link

    def bridge(self, name: str, *addresses: str, stp: int = 0) -> dict[str, Any]:
        """A bridge, up."""
        link = self.add(name, "bridge", stp_state=stp)
        link["flags"] = ["UP"]
        for address in addresses:
            self._give(name, address)
        return link

    def tap(self, name: str, *, multi_queue: bool = False, persist: bool = True, **more: Any) -> dict[str, Any]:
        """A tap, up; ``more`` are user and group."""
        data = {"type": "tap", "pi": False, "vnet_hdr": True, "multi_queue": multi_queue, "persist": persist}
        link = self.add(name, "tun", **data, **more)
        link["flags"] = ["NO-CARRIER", "UP"]
        return link

    def veth(self, name: str, peer: str) -> None:
        """A pair of them, down."""
        for end, other in ((name, peer), (peer, name)):
            self.add(end, "veth")["link"] = other

    def macvtap(self, name: str, lower: str, mode: str = "bridge") -> dict[str, Any]:
        """A macvtap, down. Its number is that of its device."""
        link = self.add(name, "macvtap", mode=mode)
        link.update(link=lower, mtu=self.links[lower]["mtu"], txqlen=500)
        index = (self.root / f"sys/class/net/{name}/ifindex").read_text().strip()
        (self.root / f"sys/class/net/{name}/tap{index}").mkdir(exist_ok=True)
        return link

    def opened(self, tap: str, pid: int = 70) -> None:
        """A process has it open."""
        if self.links[tap]["linkinfo"]["info_kind"] == "tun":
            self.links[tap]["flags"] = ["UP", "LOWER_UP"]
            device, told = "/dev/net/tun", f"pos:\t0\niff:\t{tap}"
        else:
            index = (self.root / f"sys/class/net/{tap}/ifindex").read_text().strip()
            device, told = f"/dev/tap{index}", "pos:\t0"
        self.file(f"proc/{pid}/comm", "qemu-system-x86")
        self.file(f"proc/{pid}/fdinfo/9", told)
        (self.root / f"proc/{pid}/fd").mkdir()
        (self.root / f"proc/{pid}/fd/9").symlink_to(device)

    def default_route(self, name: str) -> None:
        """IPv4 goes this way."""
        (self.root / "proc/net/route").write_text(
            f"{ROUTES}{name}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        )

    def file(self, path: str, text: str) -> None:
        """A file of the kernel's."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    # -- what it is ------------------------------------------------------------------------------------------------

    def has_ipv6(self, name: str) -> bool:
        """Whether it is on."""
        return (self.root / f"proc/sys/net/ipv6/conf/{name}/disable_ipv6").read_text().strip() == "0"

    def addresses(self, name: str) -> list[str]:
        """With their lengths."""
        return [f"{entry['local']}/{entry['prefixlen']}" for entry in self.links[name]["addr_info"]]

    def state(self) -> dict[str, Any]:
        """Everything."""
        return {name: (copy.deepcopy(link), self.has_ipv6(name)) for name, link in self.links.items()}

    # -- what ip does ----------------------------------------------------------------------------------------------

    def run(self, *arguments: str) -> str:
        """One command."""
        words = list(arguments)
        if words == ["-details", "-json", "address", "show"]:
            return json.dumps(list(self.links.values()))
        command = " ".join(words)
        self.commands.append(command)
        if any(command.startswith(beginning) for beginning in self.fails):
            raise VirtperfError(f"ip {command} failed", found="RTNETLINK answers: Operation not supported")
        if any(command.startswith(beginning) for beginning in self.ignores):
            return ""
        verb = " ".join(words[:2])
        if verb == "link add" and "veth" in words:
            assert words[2:8] == ["name", words[3], "type", "veth", "peer", "name"]
            self._new(words[3])
            self._new(words[8])
            self.veth(words[3], words[8])
        elif verb == "link add" and "macvtap" in words:
            assert words[2::2] == ["link", "name", "type", "mode"]
            self._new(words[5])
            self.macvtap(words[5], words[3], words[9])
        elif verb == "link add":
            assert words[2:6] == ["name", words[3], "type", "bridge"]
            self._new(words[3])
            self.add(words[3], "bridge", **dict(zip(words[6::2], map(int, words[7::2]), strict=True)))
        elif verb == "tuntap add":
            assert [words[2], *words[4:6]] == ["name", "mode", "tap"]
            self._new(words[3])
            self._tuntap(words[3], words[6:])
        elif verb == "link set":
            assert words[2] == "dev"
            self._set(words[3], words[4:])
        elif verb == "link delete":
            self._delete(words[3])
        elif verb == "address add":
            self._give(words[-1], words[2])
        else:
            assert verb == "address delete", command
            entries = self.links[words[-1]]["addr_info"]
            self.links[words[-1]]["addr_info"] = [
                entry for entry in entries if f"{entry['local']}/{entry['prefixlen']}" != words[2]
            ]
        return ""

    def _delete(self, name: str) -> None:
        """With one end of a veth pair the other goes, and with either what is made on it."""
        del self.links[name]
        os.unlink(self.root / f"proc/sys/net/ipv6/conf/{name}/disable_ipv6")
        for other, link in list(self.links.items()):
            if link.get("master") == name:
                del link["master"]
            if link.get("link") == name and other in self.links:
                self._delete(other)

    def _new(self, name: str) -> None:
        if name in self.links:
            raise VirtperfError("ip failed", found="RTNETLINK answers: File exists")

    def _tuntap(self, name: str, words: Sequence[str]) -> None:
        owner: dict[str, Any] = {
            word: int(words[place + 1]) for place, word in enumerate(words) if word in ("user", "group")
        }
        link = self.tap(name, multi_queue="multi_queue" in words, **owner)
        link["linkinfo"]["info_data"]["vnet_hdr"] = "vnet_hdr" in words
        link["flags"] = []

    def _set(self, name: str, words: list[str]) -> None:
        link = self.links[name]
        while words:
            word = words.pop(0)
            if word in ("up", "down"):
                link["flags"] = ["UP"] if word == "up" else []
            elif word == "nomaster":
                del link["master"]
            elif word == "addrgenmode":
                link[word] = words.pop(0)
            elif word == "master":
                assert words[0] in self.links
                link["master"] = words.pop(0)
            elif word == "address":
                link["address"] = words.pop(0)
                self.file(f"sys/class/net/{name}/addr_assign_type", "3")
            elif word == "mtu" and link.get("linkinfo", {}).get("info_kind") == "macvtap":
                link["mtu"] = int(words.pop(0))
                if link["mtu"] > self.links[link["link"]]["mtu"]:
                    raise VirtperfError("ip failed", found="RTNETLINK answers: Invalid argument")
            else:
                link[{"txqueuelen": "txqlen"}.get(word, word)] = int(words.pop(0))

    def _give(self, name: str, address: str) -> None:
        interface = ipaddress.ip_interface(address)
        self.links[name]["addr_info"].append({"local": str(interface.ip), "prefixlen": interface.network.prefixlen})


class FakeSystem(System):
    """Tells the addresses that the interfaces have."""

    def __init__(self, network: FakeNetwork) -> None:
        self.network = network

    def addresses(self) -> list[tuple[str, IpAddress]]:
        """Of all interfaces."""
        links = self.network.links
        return [(name, ipaddress.ip_interface(a).ip) for name in links for a in self.network.addresses(name)]


def network_host(root: Path) -> Host:
    """A host with these directories; the state is there already, as a run has it."""
    host = Host(proc=str(root / "proc"), sys=str(root / "sys"), run=str(root / "run"), state=str(root / "state"))
    os.mkdir(host.state, 0o700)
    return host
