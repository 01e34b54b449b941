# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM that is a hypervisor: with which accelerator and CPU guests run in it, and how it is told who it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.keys import Keys
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_access.told import credentials, user_network
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import contents
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import accel
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import Definition, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.sandbox.place import NAME

# QEMU's emulated AMD-V. With cmpxchg16b, Linux 6.12 panics in it at its boot (QEMU 7.2), or its guests triple-fault and
# corrupt its memory (QEMU 10).
EMULATED_CPU = "EPYC,+svm,-cx16"
# QEMU (7.2 to 10.0 at least) keeps in one word of the first CPU's state (hflags2) whether nested paging is on and
# whether an x87 error is ignored; whichever CPU restores x87 state (FXRSTOR, XRSTOR) clears the latter there, without a
# lock. A guest on the first CPU that exits meanwhile leaves the hypervisor with nested paging on: it panics, or a guest
# hangs. So nothing runs there that is not put there; with KVM too, so that all sandboxes are alike.
_SPARE_THE_FIRST = "isolcpus=0"
_FEWEST_VCPUS = 2
# Should emulation go wrong all the same, it shall end at once and neither hang nor boot again from a disk that was cut
# off in the middle.
_ON_OOPS = "oops=panic panic=-1"
_NO_REBOOT = ["-no-reboot"]


def choose(host: Host, asked: str) -> accel.Accelerator:
    """KVM where guests of a guest can have it, else emulation; VirtperfError when KVM is asked for and cannot be."""
    found = accel.resolve(accel.find(), asked, NAME)
    if found.used != "kvm" or _nests(host):
        return found
    reason = "the module kvm_intel or kvm_amd was loaded without nested=1"
    if asked == "kvm":
        raise VirtperfError(
            "KVM works here, but not in a guest",
            found=reason,
            way_out="modprobe -r kvm_intel && modprobe kvm_intel nested=1 (or kvm_amd), or accel: auto",
        )
    return accel.Accelerator(asked, "tcg", f"not in a guest: {reason}")


def _nests(host: Host) -> bool:
    modules = ("kvm_intel", "kvm_amd")
    return any(host.read_or(f"{host.sys}/module/{name}/parameters/nested") in ("Y", "1") for name in modules)


def definition(asked: Mapping[str, Any], accelerator: accel.Accelerator, keys: Keys, port: int) -> Definition:
    """The VM. ``asked`` are the module's arguments; the port of the host's loopback leads to its SSH."""
    image = asked["image"]
    missing = [part for part in ("path", "kernel", "command_line") if not image.get(part)]
    if missing:
        raise VirtperfError(
            f"the image {image.get('path', '')} cannot be a hypervisor's",
            found=f"no {', '.join(missing)}",
            way_out="give an image of the profile hypervisor, as virtperf.vhost.guest_image returns it",
        )
    if asked["vcpus"] < _FEWEST_VCPUS:
        raise VirtperfError(
            f"a sandbox cannot have {asked['vcpus']} virtual CPUs",
            found="the first is its own, guests run on the others",
            way_out=f"{_FEWEST_VCPUS} or more",
        )
    options = (image["command_line"], contents.HYPERVISOR_OPTION, _SPARE_THE_FIRST, _ON_OOPS)
    return parse(
        {
            "name": NAME,
            "vcpus": asked["vcpus"],
            "memory": {"size": asked["memory"]},
            "accel": accelerator.used,
            "cpu": EMULATED_CPU if accelerator.used == "tcg" else "host",
            # The second one is for its own guests to be started from.
            "disks": [{"base": image["path"], "cache": "unsafe"}, {"base": image["path"], "readonly": True}],
            "kernel": image["kernel"],
            "initrd": image.get("initrd") or "",
            "append": " ".join(options),
            "arguments": _NO_REBOOT,
            "user_net": {"forwards": [{"host_port": port}]},
            **credentials(
                NAME,
                [user_network(NAME)],
                [*_own_key(keys), *asked["authorized_keys"]],
                keys.host_key_path(NAME),
            ),
        }
    )


def _own_key(keys: Keys) -> list[str]:
    """By which we see whether it answers. It is not there yet before the first start."""
    return [keys.public_key()] if os.path.exists(f"{keys.identity_path}.pub") else []
