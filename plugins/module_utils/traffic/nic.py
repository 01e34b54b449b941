# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's NIC: set up for a study, and told about. Guests of a study are thrown away: nothing is put back."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.ethtool import ETHTOOL, Ethtool
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.look import find, parse_interrupts
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.programs import run

_FIELDS = frozenset({"mac", "addresses", "ethtool", "renew"})
# With several NICs in one network: each answers for its own addresses only, and takes what comes for them.
_ARP = {"arp_ignore": "1", "arp_announce": "2", "rp_filter": "0"}
# ethtool's option for each group of settings.
_OPTIONS = {"channels": "-L", "rings": "-G", "coalesce": "-C", "features": "-K"}
_PROGRAM_S = 10.0
_COMES_S = 10.0
# linux/virtio_net.h, linux/virtio_config.h and linux/virtio_ring.h
FEATURES = {
    0: "csum",
    1: "guest_csum",
    6: "gso",
    7: "guest_tso4",
    8: "guest_tso6",
    9: "guest_ecn",
    10: "guest_ufo",
    11: "host_tso4",
    12: "host_tso6",
    13: "host_ecn",
    14: "host_ufo",
    15: "mrg_rxbuf",
    16: "status",
    17: "ctrl_vq",
    22: "mq",
    28: "indirect_desc",
    29: "event_idx",
    32: "version_1",
    34: "packed",
    53: "notf_coal",
    59: "guest_hdrlen",
}


def arrange(host: Host, nic: Mapping[str, Any]) -> str:
    """Have a NIC as asked, and return its name.

    ``mac`` finds it (or a name, or an address that it has). ``renew`` takes its driver away and gives it back, so that
    the device starts anew; ``ethtool`` is set while it is down, for some of it cannot be otherwise; ``addresses`` come
    beside those that it has.
    """
    unknown = sorted(set(nic) - _FIELDS)
    if unknown:
        raise VirtperfError(f"a NIC has no {', '.join(unknown)}", way_out=f"known are {', '.join(sorted(_FIELDS))}")
    name = find(host, str(nic["mac"]))
    if nic.get("renew"):
        name = renew(host, name)
    settings: Mapping[str, Any] = nic.get("ethtool") or {}
    for scope in ("all", "default", name):
        for key, value in _ARP.items():
            host.write_kernel(f"{host.proc}/sys/net/ipv4/conf/{scope}/{key}", value)
    quiet = f"{host.proc}/sys/net/ipv6/conf/{name}/disable_ipv6"
    if os.path.exists(quiet):
        host.write_kernel(quiet, "1")
    lines = [f"link set dev {name} down"] if settings else []
    if settings:
        _ip(lines)
        for words in ethtool_words(name, settings):
            _set(words)
    _ip([*(f"address replace {address} dev {name}" for address in nic.get("addresses") or ()), f"link set {name} up"])
    return name


def ethtool_words(name: str, settings: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """One command line for each group of settings, such as ``{"coalesce": {"tx-frames": 0}}``; features are on or off.

    VirtperfError for a group that there is none of.
    """
    unknown = sorted(set(settings) - set(_OPTIONS))
    if unknown:
        raise VirtperfError(f"ethtool's {', '.join(unknown)} cannot be set", way_out=f"known are {', '.join(_OPTIONS)}")
    found = []
    for group, option in _OPTIONS.items():
        values = settings.get(group) or {}
        pairs = [word for key, value in values.items() for word in (str(key), _text(value))]
        found += [["ethtool", option, name, *pairs]] if pairs else []
    return found


def _set(words: Sequence[str]) -> None:
    """Some ethtools fail where a setting is so already."""
    try:
        run(words, _PROGRAM_S)
    except VirtperfError as error:
        if not any(said in str(error.found) for said in ("unmodified", "parameters changed")):
            raise


def _text(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def renew(host: Host, name: str) -> str:
    """Take a virtio NIC's driver away and give it back; returns the name that it has then."""
    folder = f"{host.sys}/class/net/{name}/device"
    mac = host.read(f"{host.sys}/class/net/{name}/address")
    device = os.path.basename(os.path.realpath(folder))
    driver = os.path.realpath(f"{folder}/driver")
    host.write_kernel(f"{driver}/unbind", device)
    host.write_kernel(f"{driver}/bind", device)
    limit = time.monotonic() + _COMES_S
    while True:
        with contextlib.suppress(VirtperfError):
            return find(host, mac)
        if time.monotonic() > limit:
            raise VirtperfError(
                f"{name} did not come back after its driver was bound anew",
                found=device,
                way_out="see the guest's dmesg",
            )
        time.sleep(0.05)


def describe(host: Host, mac_or_name: str, ethtool: Ethtool = ETHTOOL) -> dict[str, Any]:
    """Driver, rings, queues, features and settings; what nobody tells is None or empty."""
    name = find(host, mac_or_name)
    folder = f"{host.sys}/class/net/{name}"
    device = os.path.basename(os.path.realpath(f"{folder}/device"))
    bits = host.read_or(f"{host.sys}/bus/virtio/devices/{device}/features")
    interrupts = parse_interrupts(host.read_or(f"{host.proc}/interrupts")).get(device, {})
    return {
        "name": name,
        "mac": host.read_or(f"{folder}/address"),
        "driver": os.path.basename(os.path.realpath(f"{folder}/device/driver")) if device else "",
        "rings": ethtool.rings(name),
        "queues": ethtool.channels(name),
        "features": features(bits) if bits else None,
        "offloads": ethtool.offloads(name),
        "tx_frames": ethtool.transmit_frames(name),
        "interrupts": sorted(interrupts),
        "xps": _masks(host, folder, "tx-", "xps_cpus"),
        "rps": _masks(host, folder, "rx-", "rps_cpus"),
        "kernel": host.read_or(f"{host.proc}/sys/kernel/osrelease"),
    }


def features(bits: str) -> list[str]:
    """The names of the bits that are set in a virtio device's file ``features``, the first letter being bit 0."""
    return [FEATURES.get(number, f"bit{number}") for number, bit in enumerate(bits.strip()) if bit == "1"]


def _masks(host: Host, folder: str, prefix: str, file: str) -> dict[str, str]:
    queues: Sequence[str] = ()
    with contextlib.suppress(OSError):
        queues = sorted(queue for queue in os.listdir(f"{folder}/queues") if queue.startswith(prefix))
    masks = {queue: host.read_or(f"{folder}/queues/{queue}/{file}") for queue in queues}
    return {queue: mask for queue, mask in masks.items() if mask}


def _ip(lines: Sequence[str]) -> None:
    """One program for all of them."""
    run(["ip", "-batch", "-"], _PROGRAM_S, text="".join(f"{line}\n" for line in lines))
