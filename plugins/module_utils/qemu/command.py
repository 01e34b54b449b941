# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of a VM: the same words for the same definition, QEMU and accelerator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import seed
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import (
    SEED_SLOT,
    Definition,
    Port,
    Tap,
    UserNet,
    VhostUser,
)

# From here on chardevs count their reconnect in ms; "reconnect" in s is deprecated since, and gone later.
_RECONNECT_MS_SINCE = (9, 2)


@dataclass(frozen=True)
class Launch:
    """What a command line depends on beside the definition. Paths are those of one VM's files.

    ``descriptors`` are those that QEMU gets of its macvtaps, by the key of their port, one for each queue.
    """

    qemu: str
    version: tuple[int, ...]
    accel: str
    directory: str
    overlays: tuple[str, ...]
    descriptors: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def file(self, name: str) -> str:
        """A runtime file of the VM."""
        return os.path.join(self.directory, name)


def command(definition: Definition, launch: Launch) -> list[str]:
    """The words. Nothing secret is among them: credentials go by file."""
    accel = "tcg,thread=multi" if launch.accel == "tcg" else launch.accel
    vcpus = definition.vcpus
    return [
        launch.qemu,
        "-name",
        f"guest={definition.name},debug-threads=on",
        # Neither the distribution's configuration nor default devices: what is asked for is what is there.
        "-no-user-config",
        "-nodefaults",
        *("-display", "none"),
        *("-machine", f"{definition.machine},memory-backend=mem0"),
        *("-accel", accel),
        *("-cpu", definition.cpu or ("max" if launch.accel == "tcg" else "host")),
        *("-smp", f"{vcpus},sockets=1,cores={vcpus},threads=1"),
        *("-m", f"{definition.memory.size_kb // 1024}M"),
        *("-object", _memory(definition)),
        *("-chardev", f"socket,id=qmp0,path={escaped(launch.file('qmp.sock'))},server=on,wait=off"),
        *("-mon", "chardev=qmp0,mode=control"),
        *("-chardev", f"file,id=serial0,path={escaped(launch.file('serial.log'))}"),
        *("-serial", "chardev:serial0"),
        *_disks(definition, launch),
        *_seed(definition, launch),
        *(word for port in definition.ports() for word in _port(port, launch)),
        *(word for key in ("kernel", "initrd", "append") for word in _boot(key, getattr(definition, key))),
        *(
            word
            for number, _name in enumerate(credential_names(definition))
            for word in ("-smbios", f"type=11,path={escaped(launch.file(f'credential{number}'))}")
        ),
        # Its CPUs wait until it is ready, and longer where it shall be paused.
        "-S",
        *definition.arguments,
    ]


def credential_names(definition: Definition) -> list[str]:
    """Credentials in the order of their files, ``credential0`` and so on."""
    return sorted([*definition.credentials, *definition.credential_files])


def escaped(value: str) -> str:
    """A value inside one of QEMU's comma-separated options: a comma in it is doubled, all else stands for itself."""
    return value.replace(",", ",,")


def _boot(key: str, value: str) -> list[str]:
    return [f"-{key}", value] if value else []


def _memory(definition: Definition) -> str:
    memory = definition.memory
    words = ["memory-backend-ram"]
    if memory.huge_path:
        words = ["memory-backend-file"]
    elif memory.share:
        words = ["memory-backend-memfd"]
    words += ["id=mem0", f"size={memory.size_kb // 1024}M"]
    words += [f"mem-path={escaped(memory.huge_path)}"] if memory.huge_path else []
    words += [f"share={_on(memory.share)}", f"prealloc={_on(memory.preallocates)}"]
    # QEMU's way of writing a list: the key once for each.
    words += [f"host-nodes={node}" for node in memory.nodes]
    words += [f"policy={memory.policy}"] if memory.nodes else []
    return ",".join(words)


def _disks(definition: Definition, launch: Launch) -> list[str]:
    words = []
    for number, disk in enumerate(definition.disks):
        overlay = launch.overlays[number]
        drive = [f"if=none,id=drive{number}", f"file={escaped(overlay or disk.base)}", f"cache={disk.cache}"]
        drive += ["format=qcow2"] if overlay else ["readonly=on"]
        device = f"virtio-blk-pci,id=disk{number},drive=drive{number},addr={definition.disk_slot(number):#04x}"
        words += ["-drive", ",".join(drive), "-device", device]
    return words


def _seed(definition: Definition, launch: Launch) -> list[str]:
    """A directory that the guest sees as a disk with a FAT filesystem, by its label cloud-init's."""
    if definition.cloud_init is None:
        return []
    directory = escaped(launch.file(seed.DIRECTORY))
    node = f"driver=vvfat,node-name=seed0,dir={directory},label={seed.LABEL},read-only=on"
    return ["-blockdev", node, "-device", f"virtio-blk-pci,id=seed0,drive=seed0,addr={SEED_SLOT:#04x}"]


def _port(port: Port, launch: Launch) -> list[str]:
    backend, key = port.backend, port.key
    words = []
    device = ["virtio-net-pci", f"id={key}", f"netdev=net-{key}", f"mac={port.mac}", f"addr={port.slot:#04x}"]
    if isinstance(backend, UserNet):
        forwards = [f"hostfwd=tcp:127.0.0.1:{f.host_port}-:{f.guest_port}" for f in backend.forwards]
        words += ["-netdev", ",".join(["user", f"id=net-{key}", *forwards])]
        return [*words, "-device", ",".join([*device, "romfile="])]
    if isinstance(backend, VhostUser):
        words += [
            "-chardev",
            ",".join(["socket", f"id=chr-{key}", f"path={escaped(backend.socket)}", *_end(backend, launch)]),
        ]
        words += ["-netdev", f"vhost-user,id=net-{key},chardev=chr-{key},queues={backend.queues}"]
    else:
        words += ["-netdev", _tap(key, backend, launch)]
    device += [f"mq={_on(backend.queues > 1)}", f"vectors={port.vectors}"]
    for name in ("rx_queue_size", "tx_queue_size"):
        size = getattr(backend, name)
        device += [f"{name}={size}"] if size is not None else []
    device += [f"{name}={escaped(value)}" for name, value in sorted(backend.virtio.items())]
    # Without its network boot ROM, unless one is asked for: nothing boots from these.
    device += [] if "romfile" in backend.virtio else ["romfile="]
    return [*words, "-device", ",".join(device)]


def _end(backend: VhostUser, launch: Launch) -> list[str]:
    if backend.role == "server":
        return ["server=on", "wait=off"]
    if not backend.reconnect:
        return []
    if launch.version >= _RECONNECT_MS_SINCE:
        return [f"reconnect-ms={backend.reconnect * 1000}"]
    return [f"reconnect={backend.reconnect}"]


def _tap(key: str, backend: Tap, launch: Launch) -> str:
    words = ["tap", f"id=net-{key}"]
    if backend.macvtap:
        # With descriptors QEMU takes neither a name nor scripts nor a number of queues.
        fds = launch.descriptors[key]
        words += [f"{'fd' if len(fds) == 1 else 'fds'}={':'.join(map(str, fds))}", f"vhost={_on(backend.vhost)}"]
    else:
        words += [f"ifname={escaped(backend.ifname)}", "script=no", "downscript=no", f"vhost={_on(backend.vhost)}"]
        words += [f"queues={backend.queues}"] if backend.queues > 1 else []
    words += [] if backend.poll_us is None else [f"poll-us={backend.poll_us}"]
    words += [] if backend.sndbuf is None else [f"sndbuf={backend.sndbuf}"]
    return ",".join(words)


def _on(value: bool) -> str:
    return "on" if value else "off"
