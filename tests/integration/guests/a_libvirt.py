# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A libvirtd of a test's own, in file systems that end with it; what is to be run beside it joins it there."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bench

CGROUPS = Path("/sys/fs/cgroup")
# Debian's own settings, but for what needs systemd: its log daemon, and asking polkit who may connect.
SCRIPT = r"""
set -e
# It looks at each mounted hugetlbfs, also where the mount below hides it.
umount --all --types hugetlbfs
mount --bind "$1/lib" /var/lib
for directory in /run /var/cache/libvirt /var/log/libvirt /etc/libvirt/nwfilter; do
    mount -t tmpfs -o mode=0755 tmpfs "$directory"
done
printf 'stdio_handler = "file"\n' >/run/qemu.conf
mount --bind /run/qemu.conf /etc/libvirt/qemu.conf
exec libvirtd -f "$1/libvirtd.conf" -p "$1/pid"
"""


@dataclass
class Libvirtd:
    """A running one. ``state`` is what /var/lib is to it."""

    pid: int
    state: Path

    @property
    def within(self) -> list[str]:
        """What to put before a command so that it runs beside it."""
        return ["nsenter", "--mount", f"--target={self.pid}"]

    def path(self, path: str) -> Path:
        """A file of its file systems."""
        return Path(f"/proc/{self.pid}/root{path}")

    def virsh(self, *words: str) -> str:
        """What virsh says."""
        command = [*self.within, "virsh", "-q", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def left() -> set[Path]:
    """What a libvirtd makes outside of the file systems that end with it."""
    return {*CGROUPS.glob("machine"), *CGROUPS.glob("*/machine"), *Path("/etc/libvirt").glob("secrets")}


@contextmanager
def libvirtd() -> Iterator[Libvirtd]:
    """It runs until the end of the block."""
    missing = [name for name in ("qemu-system-x86_64", "qemu-img", "libvirtd", "virsh") if not shutil.which(name)]
    assert not missing, f"missing {missing}: run tools/setup test"
    there = left()
    directory = Path(tempfile.mkdtemp(prefix="virtperf-libvirt-"))
    (directory / "lib").mkdir()
    (directory / "libvirtd.conf").write_text('auth_unix_rw = "none"\n')
    namespace = ["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "libvirtd", str(directory)]
    try:
        with subprocess.Popen(namespace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as daemon:
            try:
                sock = Path(f"/proc/{daemon.pid}/root/run/libvirt/libvirt-sock")
                bench.wait_for("libvirtd", lambda: sock.exists() or daemon.poll() is not None, 30)
                assert daemon.poll() is None, daemon.communicate()[0]
                yield Libvirtd(daemon.pid, directory / "lib")
            finally:
                daemon.terminate()
    finally:
        shutil.rmtree(directory)
        for path in left() - there:
            path.rmdir()
