# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From guests of an inventory to VMs that the module takes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import parse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_vms import guest_taps, guest_vms, vm_name
from ansible_collections.virtperf.vhost.plugins.plugin_utils.lab_plan import plan

IMAGE = {"path": "/i.raw", "kernel": "/vmlinux", "initrd": "/initrd", "command_line": "root=/dev/vda"}
SETTINGS: dict[str, Any] = {
    "vcpus": 2,
    "memory": {"size": "1GiB"},
    "cpu": "",
    "accel": "auto",
    "init": "credentials",
    "append": "",
    "ready": "virtperf: ready",
}
TAP = {"vm_taps": [{"ifname": "tap0"}]}
LOCAL = {"ansible_connection": "local"}


def vm(
    guest: dict[str, Any] | None = None,
    hypervisor: dict[str, Any] | None = None,
    image: dict[str, Any] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """The VM of a lab's only guest; it is one that the module takes."""
    description = {"name": "web", **(guest or {})}
    given = {**(LOCAL if hypervisor is None else hypervisor), "guests": [description]}
    lab = plan({"network": "192.0.2.0/28", "hypervisors": {"hv": given}})
    keys = {"web": "/keys/host_web"}
    (made,) = guest_vms(["web"], lab.hosts, image or IMAGE, keys, ["ssh A", "", "ssh B"], {**SETTINGS, **settings})
    parse(made)
    return made


def test_a_guest_at_a_forwarded_port() -> None:
    made = vm()
    assert made["user_net"] == {"forwards": [{"host_port": 2202}]}
    assert (made["vcpus"], made["memory"], made["taps"], made["vhost_user"]) == (2, {"size": "1GiB"}, [], [])
    assert made["disks"] == [{"base": "/i.raw", "cache": "unsafe"}]
    assert (made["kernel"], made["initrd"], made["append"]) == ("/vmlinux", "/initrd", "root=/dev/vda")
    mac = parse(made).ports()[0].mac
    assert made["credentials"] == {
        "network.network.05-lab0": f"[Match]\nMACAddress={mac}\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        "firstboot.hostname": "web",
        "ssh.authorized_keys.root": "ssh A\nssh B\n",
    }
    assert made["credential_files"] == {"ssh.host_key.ed25519": "/keys/host_web"}


def test_a_tap_is_its_place_in_the_lab_s_network() -> None:
    made = vm({"mac": "02:00:00:00:00:05", "variables": TAP}, {})
    assert made["taps"] == [{"ifname": "tap0", "mac": "02:00:00:00:00:05"}]
    assert "user_net" not in made
    text = made["credentials"]["network.network.05-lab0"]
    assert "MACAddress=02:00:00:00:00:05\n" in text
    assert "Address=192.0.2.2/28\nGateway=192.0.2.1\n" in text


def test_beside_a_forwarded_port_it_has_no_gateway() -> None:
    made = vm({"variables": {"vm_taps": [{"ifname": "tap0", "mac": "02:00:00:00:00:06"}, {"ifname": "tap1"}]}})
    text = made["credentials"]["network.network.05-lab1"]
    assert "MACAddress=02:00:00:00:00:06\n[Network]\nAddress=192.0.2.2/28\nLink" in text
    assert len(made["credentials"]) == 4


def test_a_guest_has_its_own_size() -> None:
    own = {"vm_vcpus": 4, "vm_memory": {"size": "2GiB"}, "vm_cpu": "EPYC", "vm_accel": "tcg"}
    made = vm({"variables": own})
    assert {f"vm_{key}": made[key] for key in ("vcpus", "memory", "cpu", "accel")} == own


def vms(taps: dict[str, Any], sizes: dict[str, Any], **variables: Any) -> list[dict[str, Any]]:
    """The VMs of two guests, the second of which has variables, with what a study gives beside them."""
    guests = [{"name": "web"}, {"name": "load", "mac": "02:00:00:00:00:05", "variables": {**TAP, **variables}}]
    lab = plan({"network": "192.0.2.0/28", "hypervisors": {"hv": {**LOCAL, "guests": guests}}})
    made = guest_vms(["web", "load"], lab.hosts, IMAGE, {}, [], SETTINGS, taps, sizes)
    assert [parse(one).name for one in made] == ["web", "load"]
    return made


def test_a_study_s_taps_are_in_place_of_the_guest_s() -> None:
    arms = [{"ifname": "arm1", "poll_us": 50}, {"ifname": "arm2", "vectors": 0, "mac": "52:54:00:00:00:02"}]
    web, load = vms({"load": arms}, {})
    assert web["taps"] == []
    assert load["taps"] == [{**arms[0], "mac": "02:00:00:00:00:05"}, arms[1]]
    assert "MACAddress=02:00:00:00:00:05\n" in load["credentials"]["network.network.05-lab1"]
    assert "mac" not in arms[0], "what was given is left as it is"
    assert vms({"load": []}, {})[1]["taps"] == []


def test_a_study_s_sizes_come_before_the_guest_s() -> None:
    own = {"vm_vcpus": 4, "vm_memory": {"size": "2GiB"}}
    sizes = {"web": {"vcpus": 1}, "load": {"memory": {"size": "768MiB"}, "vcpus": None}}
    web, load = vms({}, sizes, **own)
    assert (web["vcpus"], web["memory"]) == (1, SETTINGS["memory"])
    assert (load["vcpus"], load["memory"]) == (4, {"size": "768MiB"})


@pytest.mark.parametrize("sizes", [{"cpus": 2}, 2, {"vcpus": 2, "accel": "tcg"}])
def test_what_is_no_size(sizes: Any) -> None:
    with pytest.raises(VirtperfError, match=r"guest load: .* is none of its sizes.*guests_sizes: \{load: \{vcpus: 2"):
        vms({}, {"load": sizes})


@pytest.mark.parametrize("taps", [["arm1"], [{"queues": 2}], "arm1", {"ifname": "arm1"}])
def test_what_is_no_list_of_taps(taps: Any) -> None:
    with pytest.raises(VirtperfError, match="guest load has a tap without a name"):
        vms({"load": taps}, {})


def test_macvtaps_have_the_mac_that_the_guest_s_port_has() -> None:
    """Known beforehand: the same for the VM and for the bridge's macvtap."""
    known = {"vm_name": "dut", "vm_mac": "02:00:00:00:00:05"}
    taps = {"load": [{"ifname": "m0", "macvtap": True}, {"ifname": "m1", "macvtap": True}, {"ifname": "t2"}]}
    first, second, third = guest_taps("load", known, taps)
    assert first["mac"] == "02:00:00:00:00:05"
    derived = parse({"name": "dut", "memory": {"size": "64MiB"}, "taps": [{"ifname": "a"}, {"ifname": "b"}]}).ports()[1]
    assert second["mac"] == derived.mac
    assert "mac" not in third


def test_vhost_user_ports_are_left_to_the_guest() -> None:
    made = vm({"variables": {"vm_vhost_user": [{"socket": "/v"}], "vm_memory": {"size": "1GiB", "share": True}}})
    assert made["vhost_user"] == [{"socket": "/v"}]
    assert len(made["credentials"]) == 3


def test_cloud_init() -> None:
    made = vm({"user": "lab"}, init="cloud-init")
    assert not {"credentials", "credential_files"} & set(made)
    told = made["cloud_init"]
    assert (told["hostname"], told["user"], told["ready"]) == ("web", "lab", "virtperf: ready")
    assert (told["authorized_keys"], told["host_key_file"]) == (["ssh A", "ssh B"], "/keys/host_web")
    assert told["network_config"]["ethernets"]["lab0"] == {
        "match": {"macaddress": parse(made).ports()[0].mac},
        "dhcp4": False,
        "addresses": ["10.0.2.15/24"],
        "routes": [{"to": "0.0.0.0/0", "via": "10.0.2.2"}],
    }


def test_an_image_that_boots_by_its_own_loader() -> None:
    made = vm(image={"path": "/own.qcow2", "kernel": None, "initrd": None, "command_line": None}, append="quiet")
    assert (made["append"], "kernel" in made) == ("", False)


def test_more_for_the_kernel() -> None:
    assert vm(append="nosmt")["append"] == "root=/dev/vda nosmt"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hypervisor": {}}, r"guest web cannot be reached .*192\.0\.2\.2.*guest_ssh: forward"),
        ({"guest": {"user": "lab"}}, "nobody but root gets a key by credential"),
        ({"init": "luck"}, "one of credentials, cloud-init"),
        ({"image": {**IMAGE, "command_line": None}}, r"no command line.*guests_append: root=/dev/vda"),
    ],
)
def test_what_cannot_work(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        vm(**changes)


def test_a_name_that_no_vm_can_have() -> None:
    with pytest.raises(VirtperfError, match=r"a VM cannot be named 'web\.example'"):
        vm_name("web.example", {})
