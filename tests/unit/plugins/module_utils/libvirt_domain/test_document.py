# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain's XML: what is added to it, what is refused, and how two of them are told apart."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain import document
from ansible_collections.virtperf.vhost.plugins.module_utils.libvirt_domain.document import Additions
from ansible_collections.virtperf.vhost.tests.unit.plugins.module_utils.libvirt_domain.fake_libvirt import (
    CAPABILITIES,
    XML,
)

QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"


def complete(text: str = XML, **more: object) -> ET.Element:
    additions = {"name": "guest", "uuid": "u-1", "serial_log": "/run/serial.log", **more}
    return ET.fromstring(document.completed(text, Additions(**additions)))  # type: ignore[arg-type]


def test_name_uuid_overlay_and_console_are_added() -> None:
    root = complete(overlays={"vda": "/o/a&b.qcow2"})
    assert (root.get("type"), root.findtext("name"), root.findtext("uuid")) == ("qemu", "guest", "u-1")
    disk = root.find("devices/disk")
    assert disk is not None
    assert {child.tag: child.attrib for child in disk} == {
        "target": {"dev": "vda", "bus": "virtio"},
        "driver": {"type": "qcow2"},
        "source": {"file": "/o/a&b.qcow2"},
    }
    assert [source.attrib for source in root.iterfind("devices/serial/source")] == [{"path": "/run/serial.log"}]


def test_a_disk_of_another_kind_becomes_a_file() -> None:
    text = XML.replace("<disk type='file'", "<disk type='block'").replace(
        "<target dev='vda'", "<driver name='qemu' type='raw' cache='unsafe'/><source dev='/dev/vdb'/><target dev='vda'"
    )
    disk = complete(text, overlays={"vda": "/o"}).find("devices/disk")
    assert disk is not None
    assert disk.get("type") == "file"
    assert [child.attrib for child in disk][:2] == [
        {"name": "qemu", "type": "qcow2", "cache": "unsafe"},
        {"file": "/o"},
    ]


def test_a_serial_port_is_made_where_there_is_none() -> None:
    root = complete(XML.replace("<serial type='file'/>", ""))
    assert [(port.get("type"), port[0].attrib) for port in root.iterfind("devices/serial")] == [
        ("file", {"path": "/run/serial.log"})
    ]


@pytest.mark.parametrize(("accel", "kind"), [("kvm", "kvm"), ("tcg", "qemu"), ("", "qemu")])
def test_the_accelerator(accel: str, kind: str) -> None:
    assert complete(accel=accel).get("type") == kind


def test_labels_leave_the_owners_of_files_alone() -> None:
    root = complete(models=document.security_models(CAPABILITIES))
    assert [(label.attrib, label.findtext("label")) for label in root.iterfind("seclabel")] == [
        ({"type": "none", "model": "apparmor"}, None),
        ({"type": "static", "model": "dac", "relabel": "no"}, "+0:+0"),
    ]
    assert complete(models=["none"]).find("seclabel") is None
    own = complete(XML.replace("<devices>", "<seclabel type='dynamic' model='dac'/><devices>"), models=["dac"])
    assert [label.get("type") for label in own.iterfind("seclabel")] == ["dynamic"]


def test_secrets_are_named_by_their_files() -> None:
    given = f"<qemu:commandline xmlns:qemu='{QEMU[1:-1]}'><qemu:arg value='-S'/></qemu:commandline></domain>"
    root = complete(XML.replace("</domain>", given), credentials=["/run/a,b/credential0"])
    arguments = [argument.get("value") for argument in root.iterfind(f"{QEMU}commandline/{QEMU}arg")]
    assert arguments == ["-S", "-smbios", "type=11,path=/run/a,,b/credential0"]
    assert complete().find(f"{QEMU}commandline") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no element found"),
        ("<domain>", "no element found"),
        ("<network/>", "found: <network>"),
        (XML.replace("<vcpu>", "<name>other</name><vcpu>"), "it is called other"),
        (XML.replace("vda", "vdb"), "0 disks with <target dev='vda'>"),
        (XML.replace("<serial type='file'/>", "<serial type='pty'/>"), "serial port is of type 'pty'"),
    ],
)
def test_what_cannot_be_completed_is_refused(text: str, message: str) -> None:
    with pytest.raises(VirtperfError, match="domain guest: its XML is not usable") as caught:
        document.check("guest", text, ["vda"])
    assert message in str(caught.value)


def test_the_same_name_in_the_xml_is_fine() -> None:
    document.check("guest", XML.replace("<vcpu>", "<name>guest</name><vcpu>"), ["vda"])


@pytest.mark.parametrize(
    ("old", "new", "elements"),
    [
        ("<vcpu>1<", "<vcpu> 1 <", None),
        ("\n  <devices>", "<!-- more --><devices>", None),
        ("<vcpu>1<", "<vcpu>2<", ["vcpu"]),
        ("type='qemu'", "type='kvm'", ["domain"]),
        ("dev='tap0'", "dev='tap1'", ["devices/interface"]),
        ("<serial type='file'/>", "<serial type='file'/><rng model='virtio'/>", ["devices/rng"]),
        ("machine='q35'", "machine='pc'", ["os/type"]),
    ],
)
def test_told_apart_by_elements(old: str, new: str, elements: list[str] | None) -> None:
    assert old in XML
    found = document.differing("guest", XML, XML.replace(old, new))
    assert found == (elements or [])


def test_what_changed_places_is_a_change() -> None:
    ports = "".join(f"<interface type='ethernet'><mac address='{mac}'/></interface>" for mac in "ab")
    swapped = "".join(f"<interface type='ethernet'><mac address='{mac}'/></interface>" for mac in "ba")
    texts = [XML.replace("<serial", f"{inside}<serial") for inside in (ports, swapped)]
    assert document.differing("guest", *texts) == ["the order of its elements"]


def test_taps_that_have_to_be_there() -> None:
    assert document.prepared_taps("guest", XML) == ["tap0"]
    assert document.prepared_taps("guest", XML.replace("managed='no'", "managed='yes'")) == []


def test_taps_as_libvirt_has_them() -> None:
    text = """<domain><devices>
      <interface type='ethernet'><mac address='m'/><target dev='tap0'/><driver name='vhost' queues='4'/></interface>
      <interface type='user'/>
    </devices></domain>"""
    assert document.taps(text) == [{"ifname": "tap0", "mac": "m", "queues": 4}]
