# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The initrd: the order of its modules, and the archive as cpio's format has it."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import initrd


def unpacked(data: bytes) -> dict[str, bytes]:
    """The entries of a newc archive."""
    found, at = {}, 0
    while True:
        assert data[at : at + 6] == b"070701"
        size, named = int(data[at + 54 : at + 62], 16), int(data[at + 94 : at + 102], 16)
        name = data[at + 110 : at + 109 + named].decode()
        start = at + 110 + named + -(110 + named) % 4
        if name == "TRAILER!!!":
            return found
        found[name] = data[start : start + size]
        at = start + size + -size % 4


def test_modules_come_after_what_they_need() -> None:
    text = (
        "kernel/net/core/failover.ko.xz:\n"
        "kernel/drivers/net/virtio_net.ko.xz: kernel/net/net_failover.ko.xz kernel/net/core/failover.ko.xz\n"
        "kernel/drivers/block/virtio_blk.ko.xz:\n"
    )
    assert initrd.load_order(text, ("virtio_net",)) == [
        "kernel/net/core/failover.ko.xz",
        "kernel/net/net_failover.ko.xz",
        "kernel/drivers/net/virtio_net.ko.xz",
    ]
    assert initrd.load_order(text) == ["kernel/drivers/block/virtio_blk.ko.xz"]
    assert initrd.load_order("") == [], "a driver may be built in"


@given(st.dictionaries(st.text("abc/", min_size=1, max_size=9), st.binary(max_size=40), max_size=5))
def test_an_archive_holds_what_was_put_in(files: dict[str, bytes]) -> None:
    archive = initrd.archive({name: (content, 0o644) for name, content in files.items()}, ("proc",))
    assert len(archive) % 4 == 0
    found = unpacked(archive)
    assert {name: found[name] for name in files} == files
    assert {"dev", "dev/console", "proc"} <= set(found)


def test_an_initrd_has_its_modules_unpacked(tmp_path: Path) -> None:
    modules = tmp_path / "lib/modules/6.12"
    (modules / "kernel").mkdir(parents=True)
    (modules / "modules.dep").write_text("kernel/virtio_blk.ko.xz:\n")
    (modules / "kernel/virtio_blk.ko.xz").write_bytes(lzma.compress(b"ELF"))
    with pytest.raises(VirtperfError, match="busybox-static"):
        initrd.build(str(tmp_path), "6.12")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/busybox").write_bytes(b"shell")
    found = unpacked(initrd.build(str(tmp_path), "6.12"))
    assert found["modules/virtio_blk.ko"] == b"ELF"
    assert found["modules/order"] == b"virtio_blk.ko"
    assert found["bin/busybox"] == b"shell"
    assert found["init"].startswith(b"#!/bin/busybox sh\n")
