# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the running system beyond /sys and /proc: modules, addresses, disks that are taken."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import shutil
import socket
import struct
import subprocess
import sys
from typing import Union

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# Written as typing has it: an alias is evaluated when the file is read, where Python 3.9 knows no `|` of types.
IpAddress = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

_MORE_PATHS = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_PATIENCE_S = 60

# linux/netlink.h and linux/rtnetlink.h.
_NLMSG_ERROR, _NLMSG_DONE, _RTM_NEWADDR, _RTM_GETADDR = 2, 3, 20, 22
_REQUEST_DUMP = 0x301
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_SIOCSIFNAME = 0x8923  # linux/sockios.h


class System:
    """The real one; tests give another one."""

    dev = "/dev"

    def has_module(self, name: str) -> bool:
        """Whether the kernel can load a module of this name, or has it built in."""
        return self._modprobe("--dry-run", "--quiet", name).returncode == 0

    def modules_for(self, modalias: str) -> list[str]:
        """The modules whose drivers want a device."""
        return self._modprobe("--quiet", "--resolve-alias", modalias).stdout.split()

    def load(self, name: str) -> None:
        """Load a module and what it needs; VirtperfError when the kernel does not take it."""
        done = self._modprobe(name)
        if done.returncode != 0:
            raise VirtperfError(
                f"the module {name} cannot be loaded",
                found=(done.stderr or done.stdout).strip() or f"status {done.returncode}",
                way_out="see dmesg; a module that is not signed is refused where Secure Boot is on",
            )

    def is_claimed(self, disk: str) -> bool:
        """Whether the kernel or a program has a disk, or part of it, for itself: a file system, ZFS, RAID, swap."""
        try:
            os.close(os.open(f"{self.dev}/{disk}", os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK))
        except OSError as error:
            # Whatever else keeps us from opening it says nothing about others.
            return error.errno == errno.EBUSY
        return False

    def addresses(self) -> list[tuple[str, IpAddress]]:
        """Interfaces and their addresses, asked of the kernel over netlink: /proc tells only those of IPv6."""
        found = []
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
            link.bind((0, 0))
            link.send(struct.pack("=IHHIIBBBBI", 24, _RTM_GETADDR, _REQUEST_DUMP, 1, 0, socket.AF_UNSPEC, 0, 0, 0, 0))
            done = False
            while not done:
                part, done = parse_addresses(link.recv(1 << 17))
                found += part
        names = dict(socket.if_nameindex())
        return [(names[index], address) for index, address in found if index in names]

    def rename(self, interface: str, name: str) -> None:
        """Call a network interface something else; OSError when it is up, or the name is taken. See netdevice(7)."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            fcntl.ioctl(link, _SIOCSIFNAME, struct.pack("16s16s8x", interface.encode()[:15], name.encode()[:15]))

    @staticmethod
    def _modprobe(*arguments: str) -> subprocess.CompletedProcess[str]:
        """A system without modprobe has no modules: it knows and loads none."""
        places = os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS])
        program = shutil.which("modprobe", path=places)
        if program is None:
            return subprocess.CompletedProcess(arguments, 127, "", "there is no modprobe on this machine")
        try:
            return subprocess.run(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(arguments, 124, "", f"no end after {_PATIENCE_S} s")


SYSTEM = System()


def parse_addresses(data: bytes) -> tuple[list[tuple[int, IpAddress]], bool]:
    """Interface numbers and addresses in an answer to RTM_GETADDR, and whether it was the last; see rtnetlink(7).

    An OSError in it is raised; what is cut short is left out.
    """
    found: list[tuple[int, IpAddress]] = []
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if kind == _NLMSG_DONE or not 16 <= length <= len(data):
            return found, True
        if kind == _NLMSG_ERROR:
            number = -struct.unpack_from("=i", data[16:length].ljust(4, b"\0"))[0]
            raise OSError(number, os.strerror(number), "netlink")
        if kind == _RTM_NEWADDR and length >= 24:
            family, index = struct.unpack_from("=B3xI", data, 16)
            address = _address(family, data[24:length])
            if address is not None:
                found.append((index, address))
        data = data[(length + 3) & ~3 :]
    return found, False


def _address(family: int, attributes: bytes) -> IpAddress | None:
    """The interface's own address: on a link of two ends IFA_ADDRESS is that of the other."""
    values = {}
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if not 4 <= length <= len(attributes):
            break
        values[kind] = attributes[4:length]
        attributes = attributes[(length + 3) & ~3 :]
    value = values.get(_IFA_LOCAL, values.get(_IFA_ADDRESS, b""))
    if family == socket.AF_INET and len(value) == 4:
        return ipaddress.IPv4Address(value)
    if family == socket.AF_INET6 and len(value) == 16:
        return ipaddress.IPv6Address(value)
    return None


def from_proc(text: str) -> IpAddress:
    """An address as /proc/net/tcp, tcp6 and route have it: words of 32 bits in the machine's order of bytes."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    value = b"".join(words)
    if len(value) == 4:
        return ipaddress.IPv4Address(value)
    return plain(ipaddress.IPv6Address(value))


def plain(address: IpAddress) -> IpAddress:
    """An IPv4 address that comes as one of IPv6, as itself."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
