# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain's XML: read, compared by its elements, and completed with what only its host knows."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
# libvirt's names of what QEMU calls accelerators.
_TYPES = {"kvm": "kvm", "tcg": "qemu"}
# How deep the names of elements go in which two documents differ, such as devices/interface.
_DEPTH = 2

ET.register_namespace("qemu", _QEMU)


@dataclass(frozen=True)
class Additions:
    """What a host adds to the XML asked for.

    ``overlays`` are by the disks' targets, ``credentials`` files of ours with a line for SMBIOS each, ``models`` the
    security drivers that libvirt uses there. ``accel`` is "" where the XML's own type counts.
    """

    name: str
    uuid: str
    serial_log: str
    accel: str = ""
    overlays: Mapping[str, str] | None = None
    credentials: Sequence[str] = ()
    models: Sequence[str] = ()


def check(name: str, text: str, targets: Sequence[str]) -> None:
    """VirtperfError when the XML cannot be that domain's, or cannot be completed."""
    root = _read(name, text)
    called = (root.findtext("name") or name).strip()
    if called != name:
        raise _wrong(name, f"it is called {called}", "leave <name> out, or give the same one")
    for target in targets:
        _disk(name, root, target)
    _serial(name, root)


def uuid_of(name: str, text: str) -> str:
    """The UUID that the XML asks for, or ""."""
    return (_read(name, text).findtext("uuid") or "").strip().lower()


def differing(name: str, one: str, other: str) -> list[str]:
    """The elements in which two documents differ, without regard to how they are laid out."""
    try:
        first, second = (_leaves(_read(name, text)) for text in (one, other))
    except VirtperfError:
        return ["domain"]
    changed = (Counter(first) - Counter(second)) + (Counter(second) - Counter(first))
    order = ["the order of its elements"] if first != second else []
    return sorted({path for path, _value in changed}) or order


def completed(text: str, additions: Additions) -> str:
    """The XML that libvirt is given."""
    name = additions.name
    root = _read(name, text)
    if additions.accel:
        root.set("type", _TYPES[additions.accel])
    _child(root, "name").text = name
    _child(root, "uuid").text = additions.uuid
    for target, path in (additions.overlays or {}).items():
        disk = _disk(name, root, target)
        disk.set("type", "file")
        _child(disk, "driver").set("type", "qcow2")
        source = _child(disk, "source")
        source.attrib.clear()
        source.set("file", path)
    _child(_serial(name, root), "source").set("path", additions.serial_log)
    if root.find("seclabel") is None:
        root.extend(_label(model) for model in additions.models if model != "none")
    if additions.credentials:
        # libvirt's own way (oemStrings) would show them on the command line, for everybody to see.
        arguments = _child(root, f"{{{_QEMU}}}commandline")
        for path in additions.credentials:
            for value in ("-smbios", "type=11,path=" + path.replace(",", ",,")):
                ET.SubElement(arguments, f"{{{_QEMU}}}arg", {"value": value})
    return ET.tostring(root, encoding="unicode")


def taps(text: str) -> list[dict[str, object]]:
    """The taps of a domain, from the XML that libvirt has of it."""
    found: list[dict[str, object]] = []
    for interface in ET.fromstring(text).findall("devices/interface"):
        target, mac, driver = (interface.find(tag) for tag in ("target", "mac", "driver"))
        if target is None or not target.get("dev"):
            continue
        queues = driver.get("queues", "1") if driver is not None else "1"
        address = mac.get("address") if mac is not None else None
        found.append({"ifname": target.get("dev"), "mac": address, "queues": int(queues)})
    return found


def prepared_taps(name: str, text: str) -> list[str]:
    """The interfaces that have to be there before the domain starts."""
    targets = _read(name, text).findall("devices/interface[@type='ethernet']/target[@managed='no']")
    return [target.get("dev", "") for target in targets]


def security_models(capabilities: str) -> list[str]:
    """The security drivers that libvirt uses, such as apparmor and dac, from what it says of the host."""
    return [model.text or "" for model in ET.fromstring(capabilities).findall("host/secmodel/model")]


def _read(name: str, text: str) -> ET.Element:
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise _wrong(name, str(error), "give one document, <domain>...</domain>") from error
    if root.tag != "domain":
        raise _wrong(name, f"<{root.tag}>", "give one document, <domain>...</domain>")
    return root


def _disk(name: str, root: ET.Element, target: str) -> ET.Element:
    found = [disk for disk in root.findall("devices/disk") if disk.find(f"target[@dev='{target}']") is not None]
    if len(found) != 1:
        raise _wrong(name, f"{len(found)} disks with <target dev='{target}'>", "give it one, for the overlay")
    return found[0]


def _serial(name: str, root: ET.Element) -> ET.Element:
    """The first serial port, made where there is none: the log of the guest's console."""
    serial = root.find("devices/serial")
    if serial is None:
        return ET.SubElement(_child(root, "devices"), "serial", {"type": "file"})
    if serial.get("type") != "file":
        raise _wrong(
            name,
            f"its first serial port is of type {serial.get('type')!r}",
            "make it <serial type='file'/>, or leave it out: its console is kept in a file",
        )
    return serial


def _label(model: str) -> ET.Element:
    """QEMU runs as root and nothing changes its owner: images, overlays and logs are root's, and stay so."""
    if model == "dac":
        label = ET.Element("seclabel", {"type": "static", "model": model, "relabel": "no"})
        ET.SubElement(label, "label").text = "+0:+0"
        return label
    return ET.Element("seclabel", {"type": "none", "model": model})


def _child(parent: ET.Element, tag: str) -> ET.Element:
    found = parent.find(tag)
    return ET.SubElement(parent, tag) if found is None else found


def _leaves(element: ET.Element, path: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """Each element as text, by its path; those far down are told by what they are in."""
    here = f"{path}/{element.tag}".lstrip("/") if depth else ""
    here = here if depth <= _DEPTH else path
    text = (element.text or "").strip()
    found = [(here or "domain", f"{depth} {element.tag} {sorted(element.attrib.items())} {text}")]
    for child in element:
        found += _leaves(child, here, depth + 1)
    return found


def _wrong(name: str, found: str, way_out: str) -> VirtperfError:
    return VirtperfError(f"domain {name}: its XML is not usable", found=found, way_out=way_out)
