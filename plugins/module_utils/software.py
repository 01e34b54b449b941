# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which DPDK, QEMU and libvirt a host has, found out without starting what would touch the machine.

testpmd is never run for it: its ``--version`` is an option of a library that goes on to set up memory and devices.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

# Where programs are that a plain user's PATH may lack.
_MORE_PATHS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/usr/libexec")
_PATIENCE_S = 5

_QEMU_VERSION = re.compile(r"version (\S+)")
_UPSTREAM = re.compile(r"(?:\d+:)?(.+?)(?:[+~](?:dfsg|ds)[^-]*)?(?:-[^-]*)?")
_EAL = re.compile(r"librte_eal\.so\.(\d+)\.(\d+)")
_LIBVIRT = re.compile(r"libvirt\.so\.0\.(\d+)\.(\d+)")

# The packages that have had dpdk-testpmd.
_DPDK_PACKAGES = ("dpdk-dev", "dpdk", "dpdk-testpmd")


def find_testpmd(root: str = "") -> dict[str, Any]:
    """Where dpdk-testpmd is, its DPDK's version, and what tells that version."""
    path = shutil.which("dpdk-testpmd")
    if path is None:
        return {"path": None, "version": None, "version_from": None}
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(path)))
    sources: dict[str, Callable[[], str | None]] = {
        "package": lambda: _package_version(root, path),
        "pkg-config": lambda: _pkg_config_version(prefix),
        "library": lambda: _library_version(prefix),
    }
    for source, find in sources.items():
        if version := find():
            return {"path": path, "version": version, "version_from": source}
    return {"path": path, "version": None, "version_from": None}


def _package_version(root: str, path: str) -> str | None:
    """The upstream version of Debian's package that the program came with."""
    for package in _DPDK_PACKAGES:
        if path in _text(f"{root}/var/lib/dpkg/info/{package}.list").splitlines():
            record = re.search(
                rf"^Package: {package}\n(?:.+\n)*?Version: (\S+)$",
                _text(f"{root}/var/lib/dpkg/status"),
                re.MULTILINE,
            )
            return upstream(record[1]) if record else None
    return None


def upstream(version: str) -> str:
    """A Debian version without epoch, revision and the mark of a stripped source: ``22.11.11-0+deb12u1``."""
    match = _UPSTREAM.fullmatch(version)
    return match[1] if match else version


def _pkg_config_version(prefix: str) -> str | None:
    """What DPDK's own build left for compilers."""
    for folder in _library_folders(prefix):
        match = re.search(r"^Version: *(\S+)$", _text(f"{folder}/pkgconfig/libdpdk.pc"), re.MULTILINE)
        if match:
            return match[1]
    return None


def _library_version(prefix: str) -> str | None:
    """The release by its ABI: 23.0 came with 22.11, 23.1 with 23.03, 23.2 with 23.07, and so on every year."""
    for folder in _library_folders(prefix):
        for name in sorted(map(os.path.basename, glob.glob(f"{glob.escape(folder)}/librte_eal.so.*.*"))):
            match = _EAL.fullmatch(name)
            if match:
                year, minor = int(match[1]), int(match[2])
                return f"{year - 1}.11" if minor == 0 else f"{year}.{4 * minor - 1:02d}"
    return None


def _library_folders(prefix: str) -> list[str]:
    folder = glob.escape(prefix)
    return sorted(glob.glob(f"{folder}/lib/*-linux-gnu*") + glob.glob(f"{folder}/lib") + glob.glob(f"{folder}/lib64"))


def find_qemu(machine: str) -> dict[str, Any]:
    """The QEMU for guests of this machine's kind, and its version by its own word."""
    arch = {"i686": "i386", "ppc64le": "ppc64"}.get(machine, machine)
    path = _which(f"qemu-system-{arch}", "qemu-kvm")
    match = _QEMU_VERSION.search(_output(path, "--version")) if path else None
    return {"path": path, "version": match[1] if match else None}


def find_libvirt(root: str = "") -> dict[str, Any]:
    """libvirt's daemon and version. The name of its library has the version in it: libvirt.so.0.9000.0 is 9.0.0."""
    version = None
    for folder in _library_folders(f"{root}/usr"):
        for name in map(os.path.basename, glob.glob(f"{glob.escape(folder)}/libvirt.so.0.*.*")):
            match = _LIBVIRT.fullmatch(name)
            if match:
                version = f"{int(match[1]) // 1000}.{int(match[1]) % 1000}.{match[2]}"
    return {"path": _which("virtqemud", "libvirtd"), "version": version}


def _which(*names: str) -> str | None:
    """The first of these programs, also where root's programs are."""
    places = os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS])
    return next(filter(None, (shutil.which(name, path=places) for name in names)), None)


def _output(*command: str) -> str:
    """What a program prints; nothing when it cannot."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
