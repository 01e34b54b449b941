# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at before a VM is launched or stopped: refused here, nothing has been touched yet."""

from __future__ import annotations

import difflib
import os
import socket
import stat
from collections.abc import Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils import hugetlbfs, pools, topology
from ansible_collections.virtperf.vhost.plugins.module_utils.dpdk import instance as testpmd
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.memory import human
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu import macvtap
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.accel import Qemu, net_properties
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.definition import (
    Definition,
    Tap,
    VhostUser,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.qemu.instance import Instance

# __SO_ACCEPTCON in the column "Flags" of /proc/net/unix: a socket that listens.
_LISTENS = 0x10000


def check_together(wanted: Sequence[Definition], others: Sequence[Definition]) -> None:
    """Names, sockets, interfaces and host ports that two VMs cannot both have. ``others`` run and are not named."""
    names = [definition.name for definition in wanted]
    for name in names:
        if names.count(name) > 1:
            raise VirtperfError(f"two VMs are named {name}", way_out="give each a name of its own")
    owners: dict[tuple[str, str], str] = {}
    for definition in [*others, *wanted]:
        claims = [("the socket", port.socket) for port in definition.vhost_user]
        claims += [("the interface", port.ifname) for port in definition.taps]
        forwards = definition.user_net.forwards if definition.user_net else ()
        claims += [("the host's port", str(forward.host_port)) for forward in forwards]
        for claim in claims:
            if claim in owners:
                raise VirtperfError(
                    f"VM {definition.name} cannot have {claim[0]} {claim[1]}",
                    found=f"VM {owners[claim]} has it",
                    way_out="give each its own",
                )
            owners[claim] = definition.name


def check_launch(host: Host, definition: Definition, qemu: Qemu, replaced: Definition | None) -> None:
    """Files, sockets, interfaces and properties of one VM. ``replaced`` runs now under its name and will be stopped."""
    _check_files(definition)
    for port in definition.vhost_user:
        if port.role == "client":
            _check_served(host, definition, port)
        else:
            _check_free(host, definition, port, replaced)
    for device in definition.ports():
        if isinstance(device.backend, Tap):
            _check_tap(host, definition, device.backend, device.mac)
    _check_forwards(definition, replaced)
    _check_properties(definition, qemu)
    online = topology.nodes_online(host)
    missing = sorted(set(definition.memory.nodes) - set(online))
    if missing:
        raise VirtperfError(
            f"VM {definition.name}: there is no NUMA node {', '.join(map(str, missing))}",
            found=f"online are {online or 'none: this kernel has no NUMA'}",
            way_out="name nodes that are there in memory.nodes, or none",
        )


def _check_files(definition: Definition) -> None:
    named = [("kernel", definition.kernel), ("initrd", definition.initrd)]
    named += [(f"credential_files.{key}", path) for key, path in definition.credential_files.items()]
    if definition.cloud_init is not None and definition.cloud_init.host_key_file:
        path = definition.cloud_init.host_key_file
        named += [("cloud_init.host_key_file", name) for name in (path, f"{path}.pub")]
    for key, path in named:
        if path and not (os.path.isfile(path) and os.access(path, os.R_OK)):
            raise VirtperfError(
                f"VM {definition.name}: {key} {path} cannot be read",
                found="no such file" if not os.path.exists(path) else "no file, or no permission",
                way_out="name one that is there; an image's kernel and initrd come with it",
            )


def _listening(host: Host, path: str) -> bool:
    """Whether somebody listens at a path, found without a connection: some servers take only one."""
    for line in host.read_or(f"{host.proc}/net/unix").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) > 7 and fields[7] == path and int(fields[3], 16) & _LISTENS:
            return True
    # Bound by another name or in another network namespace, which is not listed here: then only trying tells.
    return os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode) and not testpmd.is_stale(path)


def _check_served(host: Host, definition: Definition, port: VhostUser) -> None:
    if not _listening(host, port.socket):
        raise VirtperfError(
            f"VM {definition.name}: nobody serves the vhost-user socket {port.socket}",
            found="a socket that nobody listens on" if os.path.lexists(port.socket) else "no such file",
            way_out="start the vswitch that serves it first",
            sockets=[port.socket],
        )
    for name in testpmd.names(host):
        vswitch = testpmd.Instance(host, name)
        served = vswitch.definition()
        for other in served.ports if served and vswitch.is_running() else ():
            queues = other.options.get("queues", "1")
            if other.serves == port.socket and queues.isdigit() and int(queues) < port.queues:
                # DPDK tells QEMU what it could have, not what it was given: QEMU would not notice.
                raise VirtperfError(
                    f"VM {definition.name}: {port.queues} queues are more than the vswitch has at {port.socket}",
                    found=f"testpmd {name} serves it with queues={queues}",
                    way_out="ask for as many, or give the vswitch more",
                    sockets=[port.socket],
                )


def _check_free(host: Host, definition: Definition, port: VhostUser, replaced: Definition | None) -> None:
    ours = [other.socket for other in (replaced.vhost_user if replaced else ()) if other.role == "server"]
    parent = os.path.dirname(port.socket)
    if not os.path.isdir(parent):
        raise VirtperfError(
            f"VM {definition.name}: cannot serve {port.socket}",
            found=f"no directory {parent}",
            way_out="make the directory first",
        )
    if not os.path.lexists(port.socket) or port.socket in ours:
        return
    if _listening(host, port.socket):
        found = "another process listens there"
    elif not stat.S_ISSOCK(os.lstat(port.socket).st_mode):
        found = "a file that is no socket"
    else:
        return  # nobody's any more: QEMU takes its place
    raise VirtperfError(
        f"VM {definition.name}: the socket path {port.socket} is taken",
        found=found,
        way_out="stop its owner or remove the file, or choose another path",
    )


def _check_tap(host: Host, definition: Definition, tap: Tap, mac: str) -> None:
    interface = f"{host.sys}/class/net/{tap.ifname}"
    flags = host.read_or(f"{interface}/tun_flags")
    if tap.macvtap:
        macvtap.check(host, definition, tap, mac)
    elif os.path.exists(interface) and not flags:
        is_macvtap = macvtap.device(host, tap.ifname)
        raise VirtperfError(
            f"VM {definition.name}: {tap.ifname} is not a tap interface",
            found="a macvtap" if is_macvtap else "an interface of another kind",
            way_out=("macvtap: true, or " if is_macvtap else "") + "name a tap, or a name that is free: QEMU makes one",
        )
    # IFF_MULTI_QUEUE has to be the same at every open of a tap.
    elif flags and bool(int(flags, 16) & 0x100) != (tap.queues > 1):
        raise VirtperfError(
            f"VM {definition.name}: the tap {tap.ifname} was not made for queues={tap.queues}",
            found="a tap " + ("with" if tap.queues == 1 else "without") + " multi_queue",
            way_out=f"ip tuntap add {tap.ifname} mode tap{' multi_queue' if tap.queues > 1 else ''}",
        )
    if tap.vhost and not os.path.exists("/dev/vhost-net"):
        raise VirtperfError(
            f"VM {definition.name}: vhost-net cannot serve {tap.ifname}",
            found="no /dev/vhost-net",
            way_out="modprobe vhost_net, or vhost: false, which leaves packets to QEMU itself",
        )


def _check_forwards(definition: Definition, replaced: Definition | None) -> None:
    user_nets = [other.user_net for other in (definition, replaced) if other and other.user_net]
    ours = {forward.host_port for net in user_nets[1:] for forward in net.forwards} if replaced else set()
    for forward in definition.user_net.forwards if definition.user_net else ():
        if forward.host_port in ours:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", forward.host_port))
            except OSError as error:
                raise VirtperfError(
                    f"VM {definition.name}: cannot forward port {forward.host_port} of the loopback",
                    found=error.strerror or str(error),
                    way_out="choose a port that is free (ss -ltn shows those in use)",
                ) from error


def _check_properties(definition: Definition, qemu: Qemu) -> None:
    asked = {key for port in definition.vhost_user for key in port.virtio}
    asked |= {key for tap in definition.taps for key in tap.virtio}
    known = net_properties(qemu) if asked else ()
    for key in sorted(asked - set(known)) if known else ():
        near = difflib.get_close_matches(key, known, 3)
        raise VirtperfError(
            f"VM {definition.name}: virtio-net-pci of QEMU {qemu.version_text} has no property {key!r}",
            found="near it are " + ", ".join(near) if near else "",
            way_out=f"{qemu.path} -device virtio-net-pci,help lists them",
        )


def check_hugepages(host: Host, starts: Sequence[Definition], stops: Sequence[str]) -> None:
    """Enough free pages for all that start, counting what those that stop give back."""
    places = sorted({(d.memory.huge_path, d.memory.nodes) for d in starts if d.memory.huge_path})
    for path, nodes in places:
        here = [d for d in starts if (d.memory.huge_path, d.memory.nodes) == (path, nodes)]
        names = ", ".join(definition.name for definition in here)
        page_kb = _page_kb(host, path, names)
        odd = [d.name for d in here if d.memory.size_kb % page_kb]
        if odd:
            raise VirtperfError(
                f"VM {odd[0]}: its memory is not a whole number of pages",
                found=f"pages of {human(page_kb)} at {path}",
                way_out="give memory.size a multiple of that",
            )
        needed_kb = sum(definition.memory.size_kb for definition in here)
        old = [d for name in stops if (i := Instance(host, name)).is_running() and (d := i.definition())]
        released_kb = sum(d.memory.size_kb for d in old if (d.memory.huge_path, d.memory.nodes) == (path, nodes))
        found = [pools.observe(host, page_kb, node) for node in nodes or (None,)]
        free_kb = sum(pool.available for pool in found) * page_kb
        # "preferred" takes pages of other nodes, too.
        if nodes and here[0].memory.policy == "preferred":
            free_kb = pools.observe(host, page_kb).available * page_kb
        if needed_kb > free_kb + released_kb:
            where = f" on NUMA node {', '.join(map(str, nodes))}" if nodes else ""
            raise VirtperfError(
                f"{human(needed_kb)} of hugepages{where} are needed (VM {names})",
                found=f"{human(free_kb)} free in pages of {human(page_kb)}{pools.held_by(host)}",
                way_out="grow the pool with virtperf.vhost.hugepages, or give memory.size a lower value",
            )


def _page_kb(host: Host, path: str, names: str) -> int:
    """The page size at a path inside a hugetlbfs; VirtperfError when it is none."""
    real = os.path.realpath(path)
    around = [mount for mount in hugetlbfs.mounts(host) if f"{real}/".startswith(f"{mount.path.rstrip('/')}/")]
    # The longest path, and of two mounts at one place the last, is what is seen.
    mount = max(enumerate(around), key=lambda pair: (len(pair[1].path), pair[0]))[1] if around else None
    if mount is None or mount.kind != "hugetlbfs" or not os.path.isdir(real):
        raise VirtperfError(
            f"{path} cannot be used for hugepages (VM {names})",
            found=f"{mount.kind} mounted at {mount.path}" if mount and os.path.isdir(real) else "no such directory",
            way_out="mount hugetlbfs there first, with virtperf.vhost.hugepages",
        )
    return hugetlbfs.page_kb(host, mount)
