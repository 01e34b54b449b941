# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From VMs to domains: the values, and the XML that the role's template makes of them."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import document
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import parse
from ansible_collections.virtperf.vhost.plugins.plugin_utils.guest_domains import guest_domains

TEMPLATE = Path(__file__).parents[4] / "roles/guests/templates/domain.xml.j2"
QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
VM: dict[str, Any] = {
    "name": "web",
    "accel": "auto",
    "vcpus": 2,
    "memory": {"size": "1GiB"},
    "disks": [{"base": "/i.raw", "cache": "unsafe"}, {"base": "/j.raw"}],
    "kernel": "/a&b/vmlinuz",
    "initrd": "/a&b/initrd",
    "append": "root=/dev/vda a=<b> c='d'",
    "user_net": {"forwards": [{"host_port": 2202}, {"host_port": 2280, "guest_port": 80}]},
    "taps": [
        {"ifname": "tap0", "mac": "52:54:00:00:00:01"},
        {"ifname": "tap1", "queues": 4, "vhost": False, "rx_queue_size": 1024},
    ],
    "credentials": {"firstboot.hostname": "web", "ssh.authorized_keys.root": "ssh A\n"},
    "credential_files": {"ssh.host_key.ed25519": "/keys/host_web"},
    "arguments": ["-snapshot", "x'y"],
}


def domain(**change: Any) -> dict[str, Any]:
    (made,) = guest_domains([{**VM, **change}])
    return made


def rendered(**change: Any) -> ET.Element:
    """The XML as the role has it, by Ansible's own templating."""
    templar = Templar(DataLoader(), variables={"domain": domain(**change)})
    source = trust_as_template("#jinja2: trim_blocks: True\n" + TEMPLATE.read_text())
    text = templar.template(source)
    assert isinstance(text, str)
    return ET.fromstring(text)


def texts(root: ET.Element, path: str) -> list[str | None]:
    return [element.text for element in root.iterfind(path)]


def attributes(root: ET.Element, path: str) -> list[dict[str, str]]:
    return [element.attrib for element in root.iterfind(path)]


def test_machine_memory_and_boot() -> None:
    root = rendered()
    assert (root.get("type"), root.findtext("name"), root.findtext("vcpu")) == ("qemu", "web", "2")
    memory = root.find("memory")
    assert memory is not None
    assert (memory.get("unit"), memory.text) == ("KiB", "1048576")
    assert attributes(root, "os/type") == [{"arch": "x86_64", "machine": "q35"}]
    assert [root.findtext(f"os/{tag}") for tag in ("kernel", "initrd", "cmdline")] == [
        "/a&b/vmlinuz",
        "/a&b/initrd",
        "root=/dev/vda a=<b> c='d'",
    ]
    assert attributes(root, "devices/memballoon") == [{"model": "none"}]
    assert root.find("devices/graphics") is None
    assert attributes(root, "devices/serial") == [{"type": "file"}]
    without = rendered(kernel="", initrd="", append="")
    assert [child.tag for child in without.iterfind("os/*")] == ["type", "smbios"]


@pytest.mark.parametrize(
    ("accel", "cpu", "kind", "attributes_of_cpu", "model", "features"),
    [
        ("auto", "", "qemu", {"mode": "maximum", "check": "none"}, None, []),
        ("tcg", "max", "qemu", {"mode": "maximum", "check": "none"}, None, []),
        ("kvm", "host", "kvm", {"mode": "host-passthrough", "check": "none"}, None, []),
        (
            "tcg",
            "EPYC,+svm,-cx16,x2apic=on,npt=off",
            "qemu",
            {"mode": "custom", "match": "exact", "check": "none"},
            "EPYC",
            [("svm", "require"), ("cx16", "disable"), ("x2apic", "require"), ("npt", "disable")],
        ),
    ],
)
def test_accelerator_and_cpu(
    accel: str,
    cpu: str,
    kind: str,
    attributes_of_cpu: dict[str, str],
    model: str | None,
    features: list[tuple[str, str]],
) -> None:
    root = rendered(accel=accel, cpu=cpu)
    assert root.get("type") == kind
    assert attributes(root, "cpu") == [attributes_of_cpu]
    assert root.findtext("cpu/model") == model
    assert [(one["name"], one["policy"]) for one in attributes(root, "cpu/feature")] == features
    assert attributes(root, "cpu/topology") == [{"sockets": "1", "cores": "2", "threads": "1"}]


def test_disks_and_ports_are_where_qemu_vm_has_them() -> None:
    root, vm = rendered(), parse(VM)
    assert attributes(root, "devices/disk/target") == [{"dev": "vda", "bus": "virtio"}, {"dev": "vdb", "bus": "virtio"}]
    assert [one["cache"] for one in attributes(root, "devices/disk/driver")] == ["unsafe", "writeback"]
    slots = [int(one["slot"], 16) for one in attributes(root, "devices/disk/address")]
    assert slots == [vm.disk_slot(0), vm.disk_slot(1)]
    way_in, *taps = vm.ports()
    assert [one["address"] for one in attributes(root, "devices/interface/mac")] == [port.mac for port in taps]
    slots = [int(one["slot"], 16) for one in attributes(root, "devices/interface/address")]
    assert slots == [port.slot for port in taps]
    assert attributes(root, "devices/interface/target") == [
        {"dev": "tap0", "managed": "no"},
        {"dev": "tap1", "managed": "no"},
    ]
    assert attributes(root, "devices/interface/driver") == [
        {"name": "vhost", "queues": "1"},
        {"name": "qemu", "queues": "4", "rx_queue_size": "1024"},
    ]
    assert [one["value"] for one in attributes(root, f"{QEMU}commandline/{QEMU}arg")] == [
        "-netdev",
        "user,id=net-user0,hostfwd=tcp:127.0.0.1:2202-:22,hostfwd=tcp:127.0.0.1:2280-:80",
        "-device",
        f"virtio-net-pci,id=user0,netdev=net-user0,mac={way_in.mac},bus=pcie.0,addr={way_in.slot:#x},romfile=",
        "-snapshot",
        "x'y",
    ]


def test_what_is_not_asked_for_is_not_there() -> None:
    bare = rendered(user_net=None, taps=[], disks=[], arguments=[], credentials={}, credential_files={})
    assert bare.find(f"{QEMU}commandline") is None
    assert [bare.find(path) for path in ("sysinfo", "os/smbios", "devices/disk", "devices/interface")] == [None] * 4


def test_credentials_and_what_is_left_to_the_module() -> None:
    root = rendered()
    assert attributes(root, "os/smbios") == [{"mode": "sysinfo"}]
    values = [str(text).partition("=")[::2] for text in texts(root, "sysinfo/oemStrings/entry")]
    assert {name: base64.b64decode(value).decode() for name, value in values} == {
        f"io.systemd.credential.binary:{name}": text for name, text in VM["credentials"].items()
    }
    made = domain()
    assert "host_web" not in ET.tostring(root, encoding="unicode")
    assert made["credential_files"] == VM["credential_files"]
    assert made["disks"] == [
        {"target": "vda", "base": "/i.raw", "min_free": "512MiB"},
        {"target": "vdb", "base": "/j.raw", "min_free": "512MiB"},
    ]
    document.check("web", ET.tostring(root, encoding="unicode"), ["vda", "vdb"])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"memory": {"size": "1GiB", "share": True}, "vhost_user": [{"socket": "/v"}]}, "vm_vhost_user"),
        ({"memory": {"size": "1GiB", "huge_path": "/h"}}, "memory other than its size"),
        ({"cloud_init": {"hostname": "web"}}, "guests_init: cloud-init"),
        ({"disks": [{"base": "/i", "readonly": True}]}, "a disk without an overlay"),
        ({"taps": [{"ifname": "t", "virtio": {"packed": True}}]}, "virtio properties of a tap"),
        ({"taps": [{"ifname": "t"}, {"ifname": "m", "macvtap": True}]}, "a macvtap"),
        ({"taps": [{"ifname": "t", "poll_us": 0}]}, "poll_us of a tap"),
        ({"taps": [{"ifname": "t", "sndbuf": 0}]}, "sndbuf of a tap"),
        ({"taps": [{"ifname": "t", "vectors": 0}]}, "vectors of a tap"),
        ({"cpu": "EPYC,phys-bits=40"}, "'phys-bits=40' of vm_cpu"),
        ({"cpu": "EPYC,svm"}, "'svm' of vm_cpu"),
    ],
)
def test_what_a_domain_cannot_have(change: dict[str, Any], found: str) -> None:
    with pytest.raises(VirtperfError) as caught:
        domain(**change)
    assert found in str(caught.value)
    assert "guest_manager: qemu" in str(caught.value)


def test_all_of_it_goes_to_json() -> None:
    assert json.loads(json.dumps(domain())) == domain()
