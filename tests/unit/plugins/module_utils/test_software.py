# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of programs, found on a file system that is a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import software

STATUS = """\
Package: dpdk-dev-doc
Status: install ok installed
Version: 1.0

Package: dpdk-dev
Status: install ok installed
Source: dpdk
Version: 22.11.11-0+deb12u1
Description: tools

Package: zlib1g
Version: 1:1.2.13.dfsg-1
"""


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of DPDK in a place of its own, found by PATH alone."""
    program(tmp_path / "usr/bin/dpdk-testpmd", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "usr/bin"))
    monkeypatch.setattr(software, "_MORE_PATHS", ())
    return tmp_path / "usr"


def program(path: Path, body: str) -> None:
    write(path, f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_no_testpmd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert software.find_testpmd() == {"path": None, "version": None, "version_from": None}


def test_testpmd_of_unknown_version(prefix: Path) -> None:
    path = str(prefix / "bin/dpdk-testpmd")
    assert software.find_testpmd(str(prefix.parent)) == {"path": path, "version": None, "version_from": None}


@pytest.mark.parametrize(
    ("library", "version"),
    [("23.0", "22.11"), ("23.1", "23.03"), ("23.2", "23.07"), ("24.0", "23.11"), ("26.1", "26.03")],
)
@pytest.mark.parametrize("folder", ["lib", "lib64", "lib/x86_64-linux-gnu"])
def test_the_library_tells_the_release(prefix: Path, folder: str, library: str, version: str) -> None:
    write(prefix / folder / f"librte_eal.so.{library}")
    write(prefix / folder / "librte_eal.so.23.0.debug")
    found = software.find_testpmd(str(prefix.parent))
    assert (found["version"], found["version_from"]) == (version, "library")


def test_pkg_config_tells_more(prefix: Path) -> None:
    write(prefix / "lib/aarch64-linux-gnu/librte_eal.so.24.0")
    write(prefix / "lib/aarch64-linux-gnu/pkgconfig/libdpdk.pc", "Name: DPDK\nVersion: 23.11.2\nRequires: x\n")
    found = software.find_testpmd(str(prefix.parent))
    assert (found["version"], found["version_from"]) == ("23.11.2", "pkg-config")


def test_the_package_knows_best(prefix: Path) -> None:
    root = prefix.parent
    write(prefix / "lib/pkgconfig/libdpdk.pc", "Version: 23.11.2\n")
    write(root / "var/lib/dpkg/status", STATUS)
    write(root / "var/lib/dpkg/info/dpdk-dev.list", f"/.\n{prefix}/bin/dpdk-testpmd\n")
    found = software.find_testpmd(str(root))
    assert (found["version"], found["version_from"]) == ("22.11.11", "package")


def test_a_package_that_has_another_testpmd(prefix: Path) -> None:
    root = prefix.parent
    write(root / "var/lib/dpkg/status", STATUS)
    write(root / "var/lib/dpkg/info/dpdk-dev.list", "/usr/bin/dpdk-testpmd\n")
    assert software.find_testpmd(str(root))["version"] is None


@pytest.mark.parametrize(
    ("debian", "upstream"),
    [
        ("22.11.11-0+deb12u1", "22.11.11"),
        ("1:7.2+dfsg-7+deb12u18", "7.2"),
        ("9.0.0-4+deb12u2", "9.0.0"),
        ("2:8.2.2+ds-0ubuntu1.10", "8.2.2"),
        ("20.11~rc1-1", "20.11~rc1"),
        ("23.11", "23.11"),
    ],
)
def test_upstream(debian: str, upstream: str) -> None:
    assert software.upstream(debian) == upstream


def test_qemu_says_its_version_itself(prefix: Path) -> None:
    path = prefix / "bin/qemu-system-x86_64"
    program(path, 'test "$1" = --version && echo "QEMU emulator version 7.2.19 (Debian 1:7.2+dfsg-7+deb12u15)"')
    assert software.find_qemu("x86_64") == {"path": str(path), "version": "7.2.19"}
    assert software.find_qemu("aarch64") == {"path": None, "version": None}


@pytest.mark.parametrize("body", ["exit 1", "echo broken", "exec sleep 10"])
def test_a_qemu_that_does_not_say(prefix: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(software, "_PATIENCE_S", 0.2)
    monkeypatch.setenv("PATH", f"{prefix}/bin:/usr/bin:/bin")
    program(prefix / "bin/qemu-system-riscv64", body)
    assert software.find_qemu("riscv64")["version"] is None


def test_a_qemu_that_cannot_be_run(prefix: Path) -> None:
    path = prefix / "bin/qemu-system-i386"
    write(path, "\x7fELF nonsense")
    path.chmod(0o755)
    assert software.find_qemu("i686") == {"path": str(path), "version": None}


def test_libvirt(prefix: Path) -> None:
    root = str(prefix.parent)
    assert software.find_libvirt(root) == {"path": None, "version": None}
    write(prefix / "lib/x86_64-linux-gnu/libvirt.so.0.10003.2")
    write(prefix / "lib/x86_64-linux-gnu/libvirt.so.0")
    assert software.find_libvirt(root) == {"path": None, "version": "10.3.2"}
    program(prefix / "bin/libvirtd", "exit 1")
    assert software.find_libvirt(root)["path"] == str(prefix / "bin/libvirtd")
