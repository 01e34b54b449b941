# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of the user's own, with a qemu-img that says what the test wants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import own

QCOW2 = {"format": "qcow2", "virtual-size": 5 << 20}
RAW = {"format": "raw", "virtual-size": 4096}


class QemuImg:
    """A qemu-img that prints one answer, and keeps its arguments."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def says(self, info: Any, status: int = 0, complaint: str = "") -> None:
        (self.directory / "answer").write_text(info if isinstance(info, str) else json.dumps(info))
        script = (
            f'#!/bin/sh\necho "$@" >"$0.call"\ncat "{self.directory}/answer"\necho "{complaint}" >&2\nexit {status}\n'
        )
        (self.directory / "qemu-img").write_text(script)
        (self.directory / "qemu-img").chmod(0o755)


@pytest.fixture
def qemu_img(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QemuImg:
    program = QemuImg(tmp_path / "bin")
    monkeypatch.setattr(own, "search_path", lambda: f"{program.directory}:/bin:/usr/bin")
    return program


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "my 'disk'; x.img"
    path.write_bytes(b"\0" * 510 + b"\x55\xaa" + b"\0" * 3584)
    return path


def test_a_good_one(qemu_img: QemuImg, disk: Path) -> None:
    qemu_img.says(QCOW2)
    image = own.look(str(disk))
    assert (image["path"], image["format"], image["virtual_mib"]) == (str(disk), "qcow2", 5)
    assert (image["kernel"], image["packages"]) == (None, {})
    call = (qemu_img.directory / "qemu-img.call").read_text()
    assert call == f"info -U --output=json -- {disk}\n"


def test_raw_with_a_boot_sector_or_with_a_kernel(qemu_img: QemuImg, disk: Path) -> None:
    qemu_img.says(RAW)
    assert own.look(str(disk))["format"] == "raw"
    disk.write_bytes(b"\0" * 1080 + b"\x53\xef" + b"\0" * 3014)
    with pytest.raises(VirtperfError, match="nothing to boot from"):
        own.look(str(disk))
    assert own.look(str(disk), kernel=str(disk), initrd=str(disk))["initrd"] == str(disk)


@pytest.mark.parametrize(
    ("info", "told"),
    [
        ({"format": "vmdk", "virtual-size": 1 << 20}, "convert"),
        ({**QCOW2, "encrypted": True}, "encrypted"),
        ({**QCOW2, "dirty-flag": True}, "check"),
        ({**QCOW2, "format-specific": {"data": {"corrupt": True}}}, "corrupt"),
        ({"format": "qcow2", "virtual-size": 0}, "nothing to boot from"),
        ("not JSON", "qemu-img"),
        ("[]", "qcow2 or raw"),
    ],
)
def test_a_bad_one(qemu_img: QemuImg, disk: Path, info: Any, told: str) -> None:
    qemu_img.says(info)
    with pytest.raises(VirtperfError, match=told) as caught:
        own.look(str(disk))
    assert str(disk) in str(caught.value)
    assert caught.value.facts["image_path"] == str(disk)


def test_what_qemu_img_complains_of_is_passed_on(qemu_img: QemuImg, disk: Path) -> None:
    qemu_img.says("", status=1, complaint="Image is corrupt")
    with pytest.raises(VirtperfError, match="Image is corrupt"):
        own.look(str(disk))


def test_a_path_that_is_none(qemu_img: QemuImg, disk: Path, tmp_path: Path) -> None:
    for path, told in (("relative.img", "absolute"), (str(tmp_path / "no"), "No such file"), ("/dev/null", "neither")):
        with pytest.raises(VirtperfError, match=told):
            own.look(path)
    with pytest.raises(VirtperfError, match="initrd without a kernel"):
        own.look(str(disk), initrd=str(disk))


def test_without_qemu_img(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "search_path", lambda: "/nowhere")
    with pytest.raises(VirtperfError, match="apt-get install qemu-utils") as caught:
        own.look(str(disk))
    assert caught.value.facts == {"missing": ["qemu-utils"]}
