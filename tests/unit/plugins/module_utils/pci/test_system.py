# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink's answers, addresses in /proc, and modprobe."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.pci.system import (
    SYSTEM,
    System,
    from_proc,
    parse_addresses,
)

DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)


def attribute(kind: int, value: bytes) -> bytes:
    text = struct.pack("=HH", 4 + len(value), kind) + value
    return text + b"\0" * (-len(text) % 4)


def answer(index: int, *attributes: tuple[int, str]) -> bytes:
    values = [(kind, ipaddress.ip_address(text)) for kind, text in attributes]
    family = socket.AF_INET if values[0][1].version == 4 else socket.AF_INET6
    body = struct.pack("=BBBBI", family, 24, 0, 0, index)
    body += b"".join(attribute(kind, address.packed) for kind, address in values)
    return struct.pack("=IHHII", 16 + len(body), 20, 2, 1, 0) + body


def test_answers_of_netlink() -> None:
    data = answer(2, (1, "192.0.2.9"), (2, "192.0.2.7")) + answer(3, (1, "2001:db8::7")) + DONE
    assert parse_addresses(data) == (
        [(2, ipaddress.ip_address("192.0.2.7")), (3, ipaddress.ip_address("2001:db8::7"))],
        True,
    )
    assert parse_addresses(data[: -len(DONE)])[1] is False


def test_an_error_of_netlink() -> None:
    with pytest.raises(PermissionError):
        parse_addresses(struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -errno.EPERM))


@given(st.binary(max_size=200))
def test_any_answer_comes_to_an_end(data: bytes) -> None:
    try:
        found, _ = parse_addresses(data)
    except OSError:
        return
    assert isinstance(found, list)


def test_the_real_kernel_knows_its_loopback() -> None:
    assert ("lo", ipaddress.ip_address("127.0.0.1")) in SYSTEM.addresses()


@given(st.ip_addresses())
def test_addresses_in_proc(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    words = struct.unpack(f">{len(address.packed) // 4}I", address.packed)
    text = "".join(f"{struct.unpack('=I', struct.pack('>I', word))[0]:08X}" for word in words)
    assert from_proc(text) == (getattr(address, "ipv4_mapped", None) or address)


def program(folder: Path, script: str) -> None:
    path = folder / "modprobe"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_modprobe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program(
        tmp_path, 'echo "$@" >>"$0.log"; case "$*" in *bad*) echo "could not insert: $*" >&2; exit 1;; esac; echo mod_a'
    )
    assert SYSTEM.has_module("good")
    assert not SYSTEM.has_module("bad")
    assert SYSTEM.modules_for("pci:v1") == ["mod_a"]
    SYSTEM.load("good")
    with pytest.raises(VirtperfError, match="could not insert: bad"):
        SYSTEM.load("bad")
    assert (tmp_path / "modprobe.log").read_text().splitlines() == [
        "--dry-run --quiet good",
        "--dry-run --quiet bad",
        "--quiet --resolve-alias pci:v1",
        "good",
        "bad",
    ]


def test_without_modprobe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_more: None)
    assert not SYSTEM.has_module("uio_pci_generic")
    assert SYSTEM.modules_for("pci:v1") == []
    with pytest.raises(VirtperfError, match="no modprobe on this machine"):
        SYSTEM.load("uio_pci_generic")


@pytest.mark.parametrize(("number", "claimed"), [(errno.EBUSY, True), (errno.EPERM, False), (errno.ENOMEDIUM, False)])
def test_disks_that_are_taken(monkeypatch: pytest.MonkeyPatch, number: int, claimed: bool) -> None:
    def refuse(path: str, flags: int) -> int:
        assert (path, bool(flags & os.O_EXCL)) == ("/dev/vda", True)
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "open", refuse)
    assert SYSTEM.is_claimed("vda") is claimed


def test_a_disk_that_is_free(tmp_path: Path) -> None:
    (tmp_path / "vdb").touch()
    system = System()
    system.dev = str(tmp_path)
    assert not system.is_claimed("vdb")
