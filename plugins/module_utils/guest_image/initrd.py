# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The initrd of a guest image: one static shell and the disk's driver, nothing that probes.

Under emulation Debian's own initrd takes seconds, for it looks for hardware that a guest of ours does not have.
"""

from __future__ import annotations

import lzma
import os
import re
import stat
from collections.abc import Mapping, Sequence

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError

# What the kernel needs beyond itself before it can mount the root filesystem. ext4 is built into Debian's.
DRIVERS = ("virtio_blk",)

INIT = r"""#!/bin/busybox sh
# Finds the root filesystem, mounts it, and gives way to its init.
b=/bin/busybox
fail() {
    echo "initrd: $*"
    $b cat /proc/partitions
    $b sleep 1
    $b poweroff -f
}
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
root=/dev/vda mode=rw init=/sbin/init
for word in $($b cat /proc/cmdline); do
    case $word in
    root=*) root=${word#root=} ;;
    init=*) init=${word#init=} ;;
    ro | rw) mode=$word ;;
    esac
done
for module in $($b cat /modules/order); do
    $b insmod "/modules/$module" || echo "initrd: cannot load $module"
done
tries=0
until [ -b "$root" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || fail "there is no disk $root, only these:"
    $b usleep 50000
done
$b mount -t ext4 -o "$mode" "$root" /root || fail "cannot mount $root"
$b umount /proc
$b mount --move /dev /root/dev
exec $b switch_root /root "$init"
fail "cannot start $init"
"""

_MODULE_FILE = re.compile(r"(.+)\.ko(\.xz)?")


def load_order(modules_dep: str, drivers: Sequence[str] = DRIVERS) -> list[str]:
    """Paths below ``/lib/modules/<release>``, in an order that can be loaded.

    ``modules_dep`` is the text of modules.dep: ``path: what it needs, nearest first``. A driver that is missing there
    is built into the kernel, or not there at all: ``modules.builtin`` would tell, the first boot does.
    """
    lines = dict(line.split(":", 1) for line in modules_dep.splitlines() if ":" in line)
    order: list[str] = []
    for path, needs in lines.items():
        if _module_name(path) in drivers:
            order += [name for name in [*reversed(needs.split()), path] if name not in order]
    return order


def _module_name(path: str) -> str:
    match = _MODULE_FILE.fullmatch(os.path.basename(path))
    return match[1].replace("-", "_") if match else ""


def build(root: str, release: str) -> bytes:
    """The initrd for the kernel ``release`` of the tree ``root``."""
    modules = os.path.join(root, "lib/modules", release)
    with open(os.path.join(modules, "modules.dep"), encoding="utf-8") as file:
        order = load_order(file.read())
    files = {"init": (INIT.encode(), 0o755)}
    try:
        files["bin/busybox"] = (_read(os.path.join(root, "usr/bin/busybox")), 0o755)
    except FileNotFoundError as error:
        raise VirtperfError(
            "the image has no busybox for its initrd", way_out="have the package busybox-static in it"
        ) from error
    names = []
    for path in order:
        content = _read(os.path.join(modules, path))
        name = os.path.basename(path)
        if name.endswith(".xz"):  # busybox hands modules to the kernel as they are
            content, name = lzma.decompress(content), name[:-3]
        files[f"modules/{name}"] = (content, 0o644)
        names.append(name)
    files["modules/order"] = ("\n".join(names).encode(), 0o644)
    return archive(files, ("bin", "dev", "modules", "proc", "root"))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def archive(files: Mapping[str, tuple[bytes, int]], directories: Sequence[str]) -> bytes:
    """A cpio archive in the "newc" format, as the kernel unpacks it; ``files`` are content and mode by path.

    The format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
    """
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in directories]
    entries += [(name, stat.S_IFREG | mode, content) for name, (content, mode) in files.items()]
    # The kernel opens init's standard streams before anything could make this device.
    out = bytearray(_entry(1, "dev", stat.S_IFDIR | 0o755, b""))
    out += _entry(2, "dev/console", stat.S_IFCHR | 0o600, b"", (5, 1))
    for number, (name, mode, content) in enumerate(entries, start=3):
        out += _entry(number, name, mode, content)
    return bytes(out + _entry(0, "TRAILER!!!", 0, b""))


def _entry(number: int, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> bytes:
    fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name.encode() + b"\0") + _padded(content)


def _padded(data: bytes) -> bytes:
    """Each part of an entry ends at a multiple of four bytes."""
    return data + b"\0" * (-len(data) % 4)
