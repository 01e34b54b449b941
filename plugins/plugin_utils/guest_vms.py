# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a lab's guests, as the inventory knows them, to VMs as the module qemu_vm takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.told import Network, credentials, user_network
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import check_name, derived_mac

INITS = ("credentials", "cloud-init")
# Variables of a guest that go into its VM as they are; each has a default among the settings.
_SIZES = ("vcpus", "memory", "cpu", "accel")
# What a study may give a guest in their place.
_OWN_SIZES = ("vcpus", "memory")


def guest_vms(
    guests: Sequence[str],
    variables: Mapping[str, Mapping[str, Any]],
    image: Mapping[str, Any],
    keys: Mapping[str, str],
    authorized_keys: Sequence[str],
    settings: Mapping[str, Any],
    taps: Mapping[str, Any] | None = None,
    sizes: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """A VM for each guest, in their order.

    ``variables`` are those of the inventory, by host; ``image`` is what the module guest_image says of it; ``keys`` are
    the files with private host keys, by guest. ``settings``: vcpus, memory, cpu, accel, init, append, ready. ``taps``
    are lists by guest, in place of vm_taps, and ``sizes`` vcpus and memory by guest, before all else that tells them.
    """
    made = []
    for guest in guests:
        known = variables[guest]
        own = {
            **{size: known.get(f"vm_{size}", settings[size]) for size in _SIZES},
            **_own_sizes(guest, sizes or {}),
            "taps": guest_taps(guest, known, taps),
        }
        entry = [key for key in authorized_keys if key]
        made.append(_vm(guest, known, own, image, keys.get(guest, ""), entry, settings))
    return made


def guest_taps(guest: str, known: Mapping[str, Any], taps: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The taps of a guest as qemu_vm takes them, those of ``taps`` if it is there, else its vm_taps.

    The first one is the guest's place in the lab's network. A macvtap has the MAC address that its guest's port has.
    """
    listed = (taps or {}).get(guest, known.get("vm_taps")) or ()
    if isinstance(listed, (str, Mapping)) or not all(isinstance(tap, Mapping) and tap.get("ifname") for tap in listed):
        raise VirtperfError(
            f"guest {guest} has a tap without a name",
            found=repr(next((tap for tap in listed if not (isinstance(tap, Mapping) and tap.get("ifname"))), listed)),
            way_out="guests_taps or vm_taps: [{ifname: tap0}]",
        )
    found = [dict(tap) for tap in listed]
    for number, tap in enumerate(found):
        if number == 0:
            tap["mac"] = tap.get("mac") or known.get("vm_mac") or ""
        if tap.get("macvtap") and not tap.get("mac"):
            tap["mac"] = derived_mac(vm_name(guest, known), f"tap{number}")
    return found


def _own_sizes(guest: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    given = sizes.get(guest) or {}
    unknown = sorted(set(given) - set(_OWN_SIZES)) if isinstance(given, Mapping) else [repr(given)]
    if unknown:
        raise VirtperfError(
            f"guest {guest}: {unknown[0]} is none of its sizes",
            way_out=f"guests_sizes: {{{guest}: {{vcpus: 2, memory: {{size: 768MiB}}}}}}, or one of both",
        )
    return {size: value for size, value in given.items() if value is not None}


def vm_name(guest: str, known: Mapping[str, Any]) -> str:
    """What its VM is called; VirtperfError when a VM cannot be called so."""
    return check_name(str(known.get("vm_name", guest)))


def _vm(
    guest: str,
    known: Mapping[str, Any],
    own: Mapping[str, Any],
    image: Mapping[str, Any],
    key: str,
    authorized_keys: Sequence[str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    name = vm_name(guest, known)
    append = " ".join(text for text in (image.get("command_line") or "", settings["append"]) if text)
    if image.get("kernel") and not append:
        raise VirtperfError(
            f"guest {guest}: the kernel of image {image['path']} has no command line",
            way_out="guests_append: root=/dev/vda rw console=ttyS0, or what the image needs",
        )
    vm: dict[str, Any] = {
        "name": name,
        **own,
        "vhost_user": list(known.get("vm_vhost_user") or ()),
        "disks": [{"base": image["path"], "cache": "unsafe"}],
        **{part: image[part] for part in ("kernel", "initrd") if image.get(part)},
        "append": append if image.get("kernel") else "",
    }
    networks = []
    if known.get("ansible_host") == "127.0.0.1":
        vm["user_net"] = {"forwards": [{"host_port": known["ansible_port"]}]}
        networks.append(user_network(name))
    if vm["taps"]:
        address = f"{known['vm_address']}/{known['vm_prefix_length']}"
        networks.append(Network(vm["taps"][0]["mac"], address, "" if networks else known["vm_gateway"]))
    if not networks:
        raise VirtperfError(
            f"guest {guest} cannot be reached",
            found=f"the inventory says {known.get('ansible_host')}, and the guest has no tap in the lab's network",
            way_out="guest_ssh: forward in the lab's description, or vm_taps: [{ifname: ...}] for the guest",
        )
    return {**vm, **_told(guest, name, known, networks, key, authorized_keys, settings)}


def _told(
    guest: str,
    name: str,
    known: Mapping[str, Any],
    networks: Sequence[Network],
    key: str,
    authorized_keys: Sequence[str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """How the guest learns its name, addresses and keys."""
    user = str(known.get("ansible_user", "root"))
    if settings["init"] == "cloud-init":
        ethernets = {f"lab{number}": network.netplan() for number, network in enumerate(networks)}
        told = {
            "hostname": name,
            "user": user,
            "authorized_keys": list(authorized_keys),
            "host_key_file": key,
            "network_config": {"version": 2, "ethernets": ethernets},
            "ready": settings["ready"],
        }
        return {"cloud_init": told}
    if settings["init"] != "credentials":
        raise VirtperfError(
            "guests_init is not usable", found=repr(settings["init"]), way_out=f"one of {', '.join(INITS)}"
        )
    if user != "root":
        raise VirtperfError(
            f"guest {guest}: nobody but root gets a key by credential",
            found=f"user {user}",
            way_out="user: root in the lab's description, or an image with cloud-init and guests_init: cloud-init",
        )
    return credentials(name, networks, authorized_keys, key)
